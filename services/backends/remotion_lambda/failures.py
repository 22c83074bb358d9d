"""What went wrong with a render, from what Remotion, Chrome, Node.js and AWS say about it.

The sentences are for the owner of a render, who tells the operator what only that one can mend. What was said itself
stays in `detail`.
"""

import re

from services.models import Failure, replace

MAX_DETAIL = 4_000  # characters
MAX_SEARCHED = 20_000

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_IN_THE_BROWSER = re.compile(r"^\s+at .*\bhttps?://\S+:\d+:\d+", re.MULTILINE)  # a line of a stack that ran on a site


def _passing(code: str, message: str) -> Failure:
    """Return a failure that another attempt may not meet."""
    return Failure(code=code, message=message, retryable=True)


def _final(code: str, message: str) -> Failure:
    return Failure(code=code, message=message, retryable=False)


TIMED_OUT = _passing(
    "RENDER_TIMEOUT",
    "The render took longer than the render function may run. Please try again or make the video shorter; the "
    "service's operator can name a function with a longer timeout in REMOTION_LAMBDA_FUNCTION_NAME.",
)
UNKNOWN = _final(
    "RENDER_FAILED", "The renderer could not make this video. Please tell the service's operator, whose log says why."
)
BUSY = _passing("RENDERER_BUSY", "Too many videos are being rendered at the moment. Please try again in a few minutes.")
_CONNECTION = _passing("RENDERER_UNAVAILABLE", "The renderer lost a connection that it needs. Please try again.")
_CRASHED = _passing(
    "RENDERER_CRASHED",
    "The renderer stopped unexpectedly. Please try again; if it stops again, tell the service's operator, who can name "
    "a function with more memory in REMOTION_LAMBDA_FUNCTION_NAME.",
)
_MEMORY = _passing(
    "RENDERER_OUT_OF_MEMORY",
    "The renderer ran out of memory. Please try again; if it does so again, tell the service's operator, who can name "
    "a function with more memory in REMOTION_LAMBDA_FUNCTION_NAME.",
)
_DISK = _passing(
    "RENDERER_OUT_OF_DISK",
    "The renderer ran out of disk space. Please try again; if it does so again, tell the service's operator, who can "
    "name a function with more disk space in REMOTION_LAMBDA_FUNCTION_NAME.",
)
_FRAME = _passing(
    "FRAME_TIMEOUT", "A frame of the video took too long. Please try again; if it fails again, choose another font."
)
_STOPPED = _final("RENDER_STOPPED", "The render was stopped from outside. Start it anew if you still want the video.")
_VERSION = _final(
    "VERSION_MISMATCH",
    "The render function is of another version than it was called for. Please tell the service's operator, who has to "
    "correct REMOTION_LAMBDA_FUNCTION_NAME or REMOTION_VERSION.",
)
_FUNCTION = _final(
    "FUNCTION_NOT_FOUND",
    "The render function does not exist. Please tell the service's operator, who has to correct "
    "REMOTION_LAMBDA_FUNCTION_NAME or REMOTION_AWS_REGION.",
)
_BUCKET = _final(
    "BUCKET_NOT_FOUND",
    "The bucket for videos does not exist. Please tell the service's operator, who has to correct REMOTION_BUCKET_NAME "
    "or REMOTION_AWS_REGION.",
)
_SITE = _final(
    "SITE_UNREACHABLE",
    "The renderer can't reach the site that holds the composition. Please tell the service's operator, who has to "
    "deploy the site again or correct REMOTION_SERVE_URL.",
)
_OLD_SITE = _final(
    "SITE_INCOMPATIBLE",
    "The site that holds the composition is not one that the render function understands. Please tell the service's "
    "operator, who has to deploy the site with the function's version and name it in REMOTION_SERVE_URL.",
)
_NO_COMPOSITION = _final(
    "COMPOSITION_NOT_FOUND",
    "The site has no composition of the configured name. Please tell the service's operator, who has to correct "
    "REMOTION_COMPOSITION or deploy the site of REMOTION_SERVE_URL again.",
)
_COMPOSITION = _final(
    "COMPOSITION_ERROR",
    "The composition can't draw this animation. Please change it; if others fail too, tell the service's operator, who "
    "has to mend the composition that REMOTION_COMPOSITION names.",
)
_DENIED = _final(
    "ACCESS_DENIED",
    "The renderer lacks a permission on AWS. Please tell the service's operator, who has to correct the role of the "
    "function that REMOTION_LAMBDA_FUNCTION_NAME names, or REMOTION_BUCKET_NAME.",
)
_CREDENTIALS = _final(
    "CREDENTIALS_INVALID",
    "The AWS credentials of the render service are wrong or have expired. Please tell its operator, who has to renew "
    "REMOTION_AWS_ACCESS_KEY_ID and REMOTION_AWS_SECRET_ACCESS_KEY or what stands in for them.",
)
_STORED_BEFORE = _final(
    "OUTPUT_EXISTS", "A video of this render was stored before. Start the render anew if you don't find it."
)
_TOO_LARGE = _final("REQUEST_TOO_LARGE", "The animation is too large for the renderer. Please shorten its text.")

# Looked for in this order, since what is said of one cause may contain the words of another. Sources: `isFlakyError`
# and `getExplanation` of Remotion 4.0.527, what its renderer and its function throw, and the errors of
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
    (_STORED_BEFORE, (r"Output file [^\n]* already exists",)),
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
    """Return why a render failed. `kind` is the error's `type` in a progress file: renderer, browser, stitcher, ….

    The message is searched before the stack. What matches nothing is the composition's own error if it ran in the
    browser, and else unknown; both are final, as another attempt would meet them too.
    """
    found = _look_up(f"{name}: {message}") or _look_up(stack)
    if found is None:
        in_the_browser = kind == "browser" or _IN_THE_BROWSER.search(f"{message}\n{stack}"[:MAX_SEARCHED])
        found = _COMPOSITION if in_the_browser else UNKNOWN
    return replace(found, detail=_detail(message, name, stack))


def _look_up(text: str) -> Failure | None:
    searched = text[:MAX_SEARCHED]
    return next((failure for pattern, failure in _TABLE if pattern.search(searched)), None)


def _detail(message: str, name: str, stack: str) -> str:
    """Return all that was said, without what can't be stored."""
    said = stack if message in stack else f"{name or 'Error'}: {message}\n{stack}".rstrip()
    return _LONE_SURROGATE.sub("\ufffd", said)[:MAX_DETAIL]
