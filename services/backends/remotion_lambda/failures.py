"""Classifies the errors of Remotion, Chrome, Node.js and AWS as the `Failure` of a render (see `failure_kinds.py`)."""

import re

from services.backends.remotion_lambda import failure_kinds as kinds
from services.models import Failure, replace

MAX_DETAIL = 4_000  # characters
MAX_SEARCHED = 20_000  # characters

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_IN_THE_BROWSER = re.compile(r"^\s+at .*\bhttps?://\S+:\d+:\d+", re.MULTILINE)  # a stack frame of the site's code

# Searched in this order, since the message of one cause may contain the words of another. Sources: `isFlakyError` and
# `getExplanation` of Remotion 4.0.527, the errors that its renderer and its function throw, reports of its users, the
# errors of Node.js and Chrome (https://nodejs.org/api/errors.html#common-system-errors,
# https://source.chromium.org/chromium/chromium/src/+/main:net/base/net_error_list.h), and those of
# https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html and
# https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html.
_PATTERNS: tuple[tuple[Failure, tuple[str, ...]], ...] = (
    (kinds.STOPPED, (r"\brender\w+\(\) got cancelled",)),
    (
        kinds.BUSY,
        (
            r"Too ?Many ?Requests",
            r"ConcurrentInvocationLimitExceeded",
            r"AWS Concurrency limit reached|AWS did not invoke Lambda in",
            r"Rate [Ee]xceeded",
            r"currently do not have sufficient capacity in the region",
            r"Throttl(?:ing|ed)Exception|\bThrottling\b|RequestLimitExceeded",
            r"EC2(?:Throttled|Unexpected)Exception|ENI(?:LimitReached|NotReady)Exception",
            r"SubnetIPAddressLimitReachedException|(?:Resource|SnapStart)NotReadyException|SnapStartTimeoutException",
            r"(?:EFS|S3Files)Mount(?:Connectivity|Timeout)Exception|CodeArtifactUserPendingException",
        ),
    ),
    (
        kinds.TIMED_OUT,
        (
            r"The main function timed out after",
            r"Task timed out after",
            r"Sandbox\.Timedout",
            r"did not publish a status before the launcher deadline",
        ),
    ),
    (kinds.DISK, (r"ENOSPC|EDQUOT", r"[Nn]o space left on device", r"disk space is low", r"ERR_FILE_NO_SPACE")),
    (
        kinds.MEMORY,
        (
            r"ERR_INSUFFICIENT_RESOURCES|ERR_OUT_OF_MEMORY|ERR_WORKER_OUT_OF_MEMORY",
            r"ENOMEM",
            r"[Oo]ut ?[Oo]f ?[Mm]emory",
            r"(?:[Cc]annot|[Cc]ould not|[Uu]nable to|[Ff]ailed to) allocate",
            r"[Aa]llocation failed|allocation of \d+ bytes failed|bad_alloc|[Nn]ot enough memory",
            r"Unable to capture screenshot",
            r"[Ss]hared memory[^\n]* failed",
        ),
    ),
    (kinds.VERSION, (r"Version mismatch: ",)),
    (kinds.OLD_SITE, (r"Incompatible site: ", r"not a valid Remotion project", r"window\.getStaticCompositions")),
    (kinds.CONNECTION, (r"Tried to go to \S+ but the status code was (?:5\d\d|429) ",)),
    (
        kinds.SITE,
        (
            r"Error while getting compositions: (?!net::)",
            r"Visited \S+ but got no response",
            r"can only render based on a URL in the cloud",
            r"net::ERR_(?:NAME_NOT_RESOLVED|CONNECTION_REFUSED|ADDRESS_UNREACHABLE) at \S*(?:/sites/|index\.html)",
            r"net::ERR_(?:CERT|SSL)_\w+ at \S*(?:/sites/|index\.html)",
            r"net::ERR_(?:INVALID_URL|UNKNOWN_URL_SCHEME|DISALLOWED_URL_SCHEME|FILE_NOT_FOUND|UNSAFE_PORT) at ",
        ),
    ),
    (
        kinds.NO_COMPOSITION,
        (r"(?:Could not find|No) composition with (?:the )?ID ", r"There are no compositions"),
    ),
    (
        kinds.FRAME,
        (
            r"A delayRender\(\) [^\n]*was called but not cleared after",
            r"Timeout (?:\(\d+ms\) )?exceeded rendering the component",
            r"waiting for the page to render the React component",
            r"Timed out evaluating page function",
            r"Loading root component",
            r"Failed to check if font is ready",
        ),
    ),
    (
        kinds.CRASHED,
        (
            r"[Tt]arget closed|[Ss]ession closed|[Tt]arget crashed|[Bb]rowser (?:has )?(?:disconnected|closed)",
            r"Page crashed!|browser crashed|GPU process isn't usable",
            r"[Ff]rame was detached|[Ee]xecution context was destroyed",
            r"FATAL:zygote_communication_linux\.cc",
            r"libnss3\.so",
            r"Failed to launch (?:the )?browser",
            r"Timed out[^\n]* while setting up the headless browser",
            r"while trying to connect to the browser",
            r"Compositor panicked|No more frames to render",
            r"Compositor (?:exited|quit)(?![^\n]*SIGSEGV)",
            r"SIGKILL|SIGABRT|SIGBUS",
            r"Runtime\.ExitError",
        ),
    ),
    (kinds.FUNCTION, (r"Function not found", r"ResourceNotFoundException")),
    (
        kinds.BROKEN_FUNCTION,
        (
            r"(?:InvalidRuntime|InvalidSecurityGroupID|InvalidSubnetID|InvalidZipFile|EC2AccessDenied)Exception",
            r"KMS(?:AccessDenied|Disabled|InvalidState|NotFound)Exception|(?:EFS|S3Files)MountFailureException",
        ),
    ),
    (kinds.BUCKET, (r"NoSuchBucket", r"The specified bucket does not exist")),
    (
        kinds.CREDENTIALS,
        (
            r"ExpiredToken",
            r"token included in the request is (?:expired|invalid)",
            r"UnrecognizedClientException",
            r"InvalidClientTokenId",
            r"InvalidAccessKeyId",
            r"SignatureDoesNotMatch",
            r"InvalidSignatureException",
        ),
    ),
    (kinds.ALREADY_STORED, (r"Output file [^\n]* already exists",)),
    (
        kinds.TOO_LARGE,
        (r"Payload is too big", r"RequestEntityTooLarge", r"RequestTooLarge", r"Request must be smaller than"),
    ),
    (
        kinds.ACL,
        (r"AccessControlListNotSupported", r"bucket does not allow ACLs", r"InvalidBucketAclWithObjectOwnership"),
    ),
    (
        kinds.DENIED,
        (
            r"Access ?Denied",
            r"is not authorized to perform",
            r"Bucket owner mismatch",
            r"got a 403 error",
            r"You must have permission for",
            r"KMS\.(?:Disabled|NotFound|KMSInvalidState)Exception",
        ),
    ),
    (
        kinds.CONNECTION,
        (
            r"getaddrinfo|EAI_AGAIN|ENOTFOUND",
            r"ECONNRESET|ECONNREFUSED|ECONNABORTED|ETIMEDOUT|EPIPE|EHOSTUNREACH|ENETUNREACH|UND_ERR_\w+",
            r"net::ERR_(?!BLOCKED_BY_|CERT_|SSL_)[A-Z]",
            r"Failed to (?:fetch|load resource: the server responded with a status of (?:5\d\d|429))|fetch failed",
            r"Load(?:ing)? (?:CSS )?chunk \S+ failed|ChunkLoadError",
            r"socket hang up|[Pp]remature close|[Ss]ocket timed out|[Ss]ocket disconnected|other side closed",
            r"A network error occurred|NetworkError|NetworkingError",
            r"RequestTimeout",
            r"We encountered an internal error|\bInternalError\b|\bServiceException\b",
            r"SlowDown|reduce your request rate",
            r"Service ?Unavailable|Bad Gateway|Gateway Time-?out",
            r"ResourceConflictException",  # the function is being deployed
            r"Runtime\.TruncatedResponse",
            r"Error: aborted|write EOF|Invalid JSON \(",  # a part of the response of another invocation is missing
            r"but the server sent no data",
            r"(?:Format error|audio metadata)[^\n]*storage\.googleapis\.com",
        ),
    ),
    (kinds.CRASHED, (r"EAGAIN|EMFILE|ENFILE|[Tt]oo many open files|Resource temporarily unavailable",)),
    (kinds.NO_FRAME, (r"Cannot use frame -?\d+: Duration of composition is",)),
    (
        kinds.COMPOSITION,
        (
            r"Minified React error",
            r"Objects are not valid as a React child",
            r"Render was cancelled using cancelRender",
            r'"(?:durationInFrames|fps|width|height)"[^\n]* must be',
            r"calculateMetadata\(\)",
        ),
    ),
)
_TABLE = tuple((re.compile("|".join(patterns)), failure) for failure, patterns in _PATTERNS)


def classify(message: str, *, name: str = "", stack: str = "", kind: str = "") -> Failure:
    """Return the failure for an error. `kind` is its `type` in a progress file: renderer, browser, stitcher, ….

    The message is searched before the stack. An error that matches no pattern is COMPOSITION_ERROR if it was thrown in
    the browser, else RENDER_FAILED; both are final, since another attempt would fail in the same way.
    """
    found = _match(f"{name}: {message}") or _match(stack)
    if found is None:
        in_the_browser = kind == "browser" or _IN_THE_BROWSER.search(f"{message}\n{stack}"[:MAX_SEARCHED])
        found = kinds.COMPOSITION if in_the_browser else kinds.UNKNOWN
    return replace(found, detail=_detail(found.detail, message, name, stack))


def _match(text: str) -> Failure | None:
    searched = text[:MAX_SEARCHED]
    return next((failure for pattern, failure in _TABLE if pattern.search(searched)), None)


def _detail(remedy: str | None, message: str, name: str, stack: str) -> str:
    """Return the remedy, if any, and the original error, without characters that can't be stored."""
    original = stack if message in stack else f"{name or 'Error'}: {message}\n{stack}".rstrip()
    detail = original if remedy is None else f"{remedy}\n{original}"
    return _LONE_SURROGATE.sub("\ufffd", detail)[:MAX_DETAIL]
