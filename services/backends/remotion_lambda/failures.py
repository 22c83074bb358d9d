"""Classifies the errors of Remotion, Chrome, Node.js and AWS as the `Failure` of a render.

`message` is for the render's owner and names no part of the deployment. `detail` is for the operator: the remedy, with
the names of settings, and the original error.
"""

import re

from services.models import Failure, replace

MAX_DETAIL = 4_000  # characters
MAX_SEARCHED = 20_000  # characters

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_IN_THE_BROWSER = re.compile(r"^\s+at .*\bhttps?://\S+:\d+:\d+", re.MULTILINE)  # a stack frame of the site's code

_NOT_SET_UP = "The render service is not set up correctly. Trying again does not help; please contact the operator."


def _retryable(code: str, message: str, *, remedy: str | None = None) -> Failure:
    """Return a failure that may not occur in another attempt."""
    return Failure(code=code, message=message, retryable=True, detail=remedy)


def _final(code: str, message: str, *, remedy: str | None = None) -> Failure:
    """Return a failure that would occur in every attempt."""
    return Failure(code=code, message=message, retryable=False, detail=remedy)


TIMED_OUT = _retryable(
    "RENDER_TIMEOUT",
    "The render took too long and was stopped. Please try again or make the video shorter; if it fails again, contact "
    "the operator.",
    remedy="The function exceeded its timeout: deploy one with a longer timeout and name it in "
    "REMOTION_LAMBDA_FUNCTION_NAME.",
)
UNKNOWN = _final(
    "RENDER_FAILED",
    "The renderer could not make this video. Trying again is unlikely to help; please contact the operator.",
)
BUSY = _retryable(
    "RENDERER_BUSY",
    "Too many videos are being rendered at the moment. Please try again in a few minutes.",
    remedy="The AWS account's Lambda concurrency is used up: raise it, or lower RENDERCAST_WORKER_CAPACITY.",
)
_CONNECTION = _retryable("RENDERER_UNAVAILABLE", "The renderer lost a network connection. Please try again.")
_CRASHED = _retryable(
    "RENDERER_CRASHED",
    "The renderer stopped unexpectedly. Please try again; if it fails again, contact the operator.",
    remedy="If this repeats, deploy a function with more memory and name it in REMOTION_LAMBDA_FUNCTION_NAME.",
)
_MEMORY = _retryable(
    "RENDERER_OUT_OF_MEMORY",
    "The renderer ran out of memory. Please try again; if it fails again, contact the operator.",
    remedy="If this repeats, deploy a function with more memory and name it in REMOTION_LAMBDA_FUNCTION_NAME.",
)
_DISK = _retryable(
    "RENDERER_OUT_OF_DISK",
    "The renderer ran out of disk space. Please try again; if it fails again, contact the operator.",
    remedy="If this repeats, deploy a function with more disk space and name it in REMOTION_LAMBDA_FUNCTION_NAME.",
)
_FRAME = _retryable(
    "FRAME_TIMEOUT", "A frame of the video took too long. Please try again; if it fails again, choose another font."
)
_STOPPED = _final("RENDER_STOPPED", "The render was stopped from outside. Start it again if you still want the video.")
_VERSION = _final(
    "VERSION_MISMATCH",
    _NOT_SET_UP,
    remedy="The function has another version than the configured one: correct REMOTION_LAMBDA_FUNCTION_NAME or "
    "REMOTION_VERSION.",
)
_FUNCTION = _final(
    "FUNCTION_NOT_FOUND",
    _NOT_SET_UP,
    remedy="The function does not exist: correct REMOTION_LAMBDA_FUNCTION_NAME or REMOTION_AWS_REGION.",
)
_BUCKET = _final(
    "BUCKET_NOT_FOUND",
    _NOT_SET_UP,
    remedy="The bucket does not exist: correct REMOTION_BUCKET_NAME or REMOTION_AWS_REGION.",
)
_SITE = _final(
    "SITE_UNREACHABLE",
    _NOT_SET_UP,
    remedy="The function can't load the site with the composition: deploy the site again or correct "
    "REMOTION_SERVE_URL.",
)
_OLD_SITE = _final(
    "SITE_INCOMPATIBLE",
    _NOT_SET_UP,
    remedy="The function can't use the site with the composition: deploy the site with the function's version and "
    "name it in REMOTION_SERVE_URL.",
)
_NO_COMPOSITION = _final(
    "COMPOSITION_NOT_FOUND",
    _NOT_SET_UP,
    remedy="The site has no composition of the configured name: correct REMOTION_COMPOSITION, or deploy the site of "
    "REMOTION_SERVE_URL again.",
)
_COMPOSITION = _final(
    "COMPOSITION_ERROR",
    "This animation can't be drawn. Please change it; if other animations fail too, contact the operator.",
    remedy="The composition that REMOTION_COMPOSITION names raised an error: if it does so for valid input, fix it "
    "and deploy the site again.",
)
_DENIED = _final(
    "ACCESS_DENIED",
    _NOT_SET_UP,
    remedy="A permission is missing on AWS: correct the role of the function that REMOTION_LAMBDA_FUNCTION_NAME "
    "names, or REMOTION_BUCKET_NAME.",
)
_CREDENTIALS = _final(
    "CREDENTIALS_INVALID",
    _NOT_SET_UP,
    remedy="The AWS credentials are wrong or have expired: renew REMOTION_AWS_ACCESS_KEY_ID and "
    "REMOTION_AWS_SECRET_ACCESS_KEY, or the source that replaces them.",
)
_ALREADY_STORED = _final(
    "OUTPUT_EXISTS", "A video of this render was already stored. Start the render again if you don't find it."
)
_TOO_LARGE = _final("REQUEST_TOO_LARGE", "The animation is too large for the renderer. Please shorten its text.")

# Searched in this order, since the message of one cause may contain the words of another. Sources: `isFlakyError` and
# `getExplanation` of Remotion 4.0.527, the errors that its renderer and its function throw, and those of
# https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html and
# https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html.
_PATTERNS: tuple[tuple[Failure, tuple[str, ...]], ...] = (
    (_STOPPED, (r"\brender\w+\(\) got cancelled",)),
    (
        BUSY,
        (
            r"TooManyRequestsException",
            r"ConcurrentInvocationLimitExceeded",
            r"AWS Concurrency limit reached",
            r"Rate [Ee]xceeded",
            r"currently do not have sufficient capacity in the region",
            r"EC2ThrottledException",
        ),
    ),
    (
        TIMED_OUT,
        (
            r"The main function timed out after",
            r"Task timed out after",
            r"Sandbox\.Timedout",
            r"did not publish a status before the launcher deadline",
        ),
    ),
    (_DISK, (r"ENOSPC", r"[Nn]o space left on device", r"disk space is low")),
    (_MEMORY, (r"ERR_INSUFFICIENT_RESOURCES", r"Runtime\.OutOfMemory", r"heap out of memory")),
    (_VERSION, (r"Version mismatch: ",)),
    (_OLD_SITE, (r"Incompatible site: ", r"not a valid Remotion project", r"window\.getStaticCompositions")),
    (_CONNECTION, (r"Tried to go to \S+ but the status code was 5\d\d ",)),
    (
        _SITE,
        (
            r"Error while getting compositions: ",
            r"Visited \S+ but got no response",
            r"can only render based on a URL in the cloud",
            r"net::ERR_(?:NAME_NOT_RESOLVED|CONNECTION_REFUSED|ADDRESS_UNREACHABLE|CERT_\w+|SSL_\w+|INVALID_URL) at ",
        ),
    ),
    (
        _NO_COMPOSITION,
        (r"(?:Could not find|No) composition with (?:the )?ID ", r"There are no compositions"),
    ),
    (
        _FRAME,
        (
            r"A delayRender\(\) [^\n]*was called but not cleared after",
            r"Timeout (?:\(\d+ms\) )?exceeded rendering the component",
            r"waiting for the page to render the React component",
            r"Timed out evaluating page function",
            r"Loading root component",
        ),
    ),
    (
        _CRASHED,
        (
            r"Target closed",
            r"Session closed",
            r"Page crashed!",
            r"browser crashed",
            r"FATAL:zygote_communication_linux\.cc",
            r"libnss3\.so",
            r"Failed to launch (?:the )?browser",
            r"Timed out[^\n]* while setting up the headless browser",
            r"while trying to connect to the browser",
            r"Compositor panicked",
            r"Compositor exited(?![^\n]*SIGSEGV)",
            r"SIGKILL",
            r"Runtime\.ExitError",
        ),
    ),
    (_FUNCTION, (r"Function not found", r"ResourceNotFoundException")),
    (_BUCKET, (r"NoSuchBucket", r"The specified bucket does not exist")),
    (
        _CREDENTIALS,
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
    (_ALREADY_STORED, (r"Output file [^\n]* already exists",)),
    (
        _TOO_LARGE,
        (r"Payload is too big", r"RequestEntityTooLarge", r"RequestTooLarge", r"Request must be smaller than"),
    ),
    (
        _DENIED,
        (
            r"Access ?Denied",
            r"is not authorized to perform",
            r"Bucket owner mismatch",
            r"got a 403 error",
            r"You must have permission for",
        ),
    ),
    (
        _CONNECTION,
        (
            r"getaddrinfo",
            r"ECONNRESET|ECONNREFUSED|ETIMEDOUT|EPIPE",
            r"ERR_(?:CONNECTION_TIMED_OUT|CONNECTION_RESET|CONNECTION_CLOSED|NETWORK_CHANGED|TIMED_OUT|EMPTY_RESPONSE)",
            r"socket hang up",
            r"A network error occurred",
            r"RequestTimeout",
            r"We encountered an internal error",
            r"SlowDown|reduce your request rate",
            r"Service ?Unavailable",
            r"ResourceConflictException",  # the function is being deployed
            r"Runtime\.TruncatedResponse",
            r"Error: aborted",
            r"but the server sent no data",
            r"(?:Format error|audio metadata)[^\n]*storage\.googleapis\.com",
        ),
    ),
    (
        _COMPOSITION,
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
        found = _COMPOSITION if in_the_browser else UNKNOWN
    return replace(found, detail=_detail(found.detail, message, name, stack))


def _match(text: str) -> Failure | None:
    searched = text[:MAX_SEARCHED]
    return next((failure for pattern, failure in _TABLE if pattern.search(searched)), None)


def _detail(remedy: str | None, message: str, name: str, stack: str) -> str:
    """Return the remedy, if any, and the original error, without characters that can't be stored."""
    original = stack if message in stack else f"{name or 'Error'}: {message}\n{stack}".rstrip()
    detail = original if remedy is None else f"{remedy}\n{original}"
    return _LONE_SURROGATE.sub("\ufffd", detail)[:MAX_DETAIL]
