"""The failures of renders on this machine: errors of the composition, and faults of the machine.

`message` is for the render's owner. `detail` is for the operator: the remedy, the error with its stack, and what the
composition has logged as errors.
"""

import errno
import re

from services.backends.remotion_node.host_messages import FailedMessage
from services.models import Failure, replace
from services.renders.failure_messages import OWNER_MESSAGES

MAX_DETAIL = 6_000  # characters
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
# What the browser logs when a composition opens a file of this machine.
_FORBIDDEN = re.compile(r"Not allowed to load local resource|URL scheme \"file\" is not supported")
_IN_THE_BROWSER = re.compile(r"^\s+at .*\bhttps?://\S+:\d+:\d+", re.MULTILINE)  # a stack frame of the project's code


def _failure(code: str, remedy: str | None = None, *, retryable: bool) -> Failure:
    return Failure(code=code, message=OWNER_MESSAGES[code], retryable=retryable, detail=remedy)


CRASHED = _failure("RENDERER_CRASHED", retryable=True)
OUT_OF_MEMORY = _failure(
    "RENDERER_OUT_OF_MEMORY",
    "The browser or Node used too much memory: give the worker more, or lower RENDERCAST_WORKER_CAPACITY.",
    retryable=True,
)
OUT_OF_DISK = _failure(
    "RENDERER_OUT_OF_DISK", "The disk of RENDERCAST_DATA_DIR or of temporary files is full.", retryable=True
)
COMPOSITION_ERROR = _failure(
    "COMPOSITION_ERROR", "The composition raised an error: if it does so for valid props, fix it.", retryable=False
)
RENDER_FAILED = _failure("RENDER_FAILED", retryable=False)
_FILE_SYSTEM = _failure("RENDER_FAILED", "A file of RENDERCAST_DATA_DIR can't be written or read.", retryable=True)

# Searched in this order, since the message of one cause may contain the words of another. Sources: the errors that
# @remotion/renderer 4.0.527 throws, and those of Chromium and Node.js.
_PATTERNS: tuple[tuple[Failure, tuple[str, ...]], ...] = (
    (OUT_OF_DISK, (r"ENOSPC|EDQUOT", r"[Nn]o space left on device")),
    (
        _failure("COMPOSITION_NOT_FOUND", "The project has no composition with this id.", retryable=False),
        (r"(?:Could not find|No) composition with (?:the )?ID ", r"There are no compositions"),
    ),
    (_failure("FRAME_OUT_OF_RANGE", retryable=False), (r"Cannot use frame -?\d+: Duration of composition is",)),
    (
        _failure("FRAME_TIMEOUT", "A delayRender() was not continued, or the page was busy, for 30 s.", retryable=True),
        (
            r"A delayRender\(\) [^\n]*was called but not cleared after",
            r"Timeout (?:\(\d+ms\) )?exceeded rendering the component",
            r"waiting for the page to render the React component",
            r"Timed out evaluating page function",
            r"Loading root component",
            r"Failed to check if font is ready",
            r"Navigation timeout of",
        ),
    ),
    (
        OUT_OF_MEMORY,
        (
            r"ENOMEM|ERR_INSUFFICIENT_RESOURCES|ERR_OUT_OF_MEMORY|bad_alloc",
            r"[Oo]ut ?[Oo]f ?[Mm]emory",
            r"(?:[Cc]annot|[Cc]ould not|[Uu]nable to|[Ff]ailed to) allocate|[Aa]llocation failed",
            r"Unable to capture screenshot",
        ),
    ),
    (
        CRASHED,
        (
            r"[Tt]arget closed|[Ss]ession closed|[Tt]arget crashed|[Bb]rowser (?:has )?(?:disconnected|closed)",
            r"Page crashed!|browser crashed",
            r"[Ff]rame was detached|[Ee]xecution context was destroyed",
            r"Failed to launch (?:the )?browser|while trying to connect to the browser",
            r"Compositor (?:panicked|exited|quit)|No more frames to render",
            r"SIGKILL|SIGABRT|SIGBUS|SIGSEGV",
            r"EAGAIN|EMFILE|ENFILE",
        ),
    ),
    (
        _failure("SITE_UNREACHABLE", "The bundle can't be loaded: bundle the project again.", retryable=False),
        (r"Error while getting compositions: (?!net::)", r"Visited \S+ but got no response"),
    ),
    (
        _failure("SITE_INCOMPATIBLE", "The bundle was made with another version of Remotion.", retryable=False),
        (r"Incompatible site: ", r"not a valid Remotion project", r"window\.getStaticCompositions"),
    ),
    (
        _failure(
            "RENDERER_UNAVAILABLE", "The composition loads a file that can't be reached from here.", retryable=True
        ),
        (
            r"getaddrinfo|EAI_AGAIN|ENOTFOUND|ECONNRESET|ECONNREFUSED|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH",
            r"net::ERR_(?!BLOCKED_BY_|CERT_|SSL_|FILE_|UNKNOWN_URL|ACCESS_DENIED)[A-Z]",
            r"Failed to fetch|fetch failed|socket hang up",
        ),
    ),
    (
        COMPOSITION_ERROR,
        (
            r"Minified React error",
            r"Objects are not valid as a React child",
            r"Render was cancelled using cancelRender",
            r'"(?:durationInFrames|fps|width|height)"[^\n]* must be',
            r"calculateMetadata",
            r"status code of [45]\d\d|net::ERR_",
        ),
    ),
)
_TABLE = tuple((re.compile("|".join(patterns)), failure) for failure, patterns in _PATTERNS)


def classify(failed: FailedMessage) -> Failure:
    """Return the failure for an error of a job. One that matches no pattern is final, as another attempt would fail."""
    found = _match(f"{failed.name}: {failed.message}")
    if any(map(_FORBIDDEN.search, failed.console)):
        found = COMPOSITION_ERROR  # whose message is that of an unreachable file
    if found is None:
        is_compositions = failed.in_browser or _IN_THE_BROWSER.search(f"{failed.message}\n{failed.stack}")
        found = COMPOSITION_ERROR if is_compositions else RENDER_FAILED
    return with_detail(found, _description(failed))


def of_file_system(error: OSError) -> Failure:
    """Return the failure for an error of the worker's file system. Another attempt may succeed."""
    is_full = error.errno in {errno.ENOSPC, errno.EDQUOT}
    return with_detail(OUT_OF_DISK if is_full else _FILE_SYSTEM, str(error))


def with_detail(failure: Failure, description: str) -> Failure:
    """Return the failure with the remedy and a description, without characters that can't be stored."""
    detail = description if failure.detail is None else f"{failure.detail}\n{description}"
    return replace(failure, detail=_LONE_SURROGATE.sub("\ufffd", detail)[:MAX_DETAIL])


def _match(text: str) -> Failure | None:
    return next((failure for pattern, failure in _TABLE if pattern.search(text)), None)


def _description(failed: FailedMessage) -> str:
    has_message = failed.message in failed.stack
    error = failed.stack if has_message else f"{failed.name}: {failed.message}\n{failed.stack}".rstrip()
    return "\n".join((error, *(f"console: {text}" for text in failed.console)))
