import json
from pathlib import Path

import pytest

from services.backends.remotion_lambda.failure_kinds import TIMED_OUT, UNKNOWN
from services.backends.remotion_lambda.failures import MAX_DETAIL, classify

IN_THE_BROWSER = "Error: {}\n    at TextAnimation (https://remotionlambda-x.s3.us-east-1.amazonaws.com/bundle.js:17:11)"
IN_NODE = (
    "Error: {}\n    at processTicksAndRejections (node:internal/process/task_queues:95:5)\n    at f (/var/task/i.js)"
)
SITE = "https://remotionlambda-x.s3.us-east-1.amazonaws.com/sites/x/index.html"
NO_SITE = (
    f"Error while getting compositions: Tried to go to {SITE} but the status code was {{}} instead of 200. "
    "Does the site you specified exist?"
)
NO_REMOTION = (
    "verify that it is a Remotion project by checking if window.getStaticCompositions is defined. However, the "
    "function was undefined, which indicates that this is not a valid Remotion project."
)

FINAL = [
    ("renderMedia() got cancelled", "RENDER_STOPPED"),
    ("Error: renderFrames() got cancelled\n    at /var/task/x.js:12:20", "RENDER_STOPPED"),
    ("Version mismatch: When calling renderMediaOnLambda(), you passed x as the function", "VERSION_MISMATCH"),
    ("Function not found: arn:aws:lambda:us-east-1:123456789012:function:remotion-render-x", "FUNCTION_NOT_FOUND"),
    ("NoSuchBucket: The specified bucket does not exist", "BUCKET_NOT_FOUND"),
    (NO_SITE.format(404), "SITE_UNREACHABLE"),
    (NO_SITE.format(403), "SITE_UNREACHABLE"),
    (f"net::ERR_NAME_NOT_RESOLVED at {SITE}", "SITE_UNREACHABLE"),
    (f"net::ERR_CONNECTION_REFUSED at {SITE}", "SITE_UNREACHABLE"),
    (
        "Remotion Lambda can only render based on a URL in the cloud. It seems like you passed a local file: src/x.",
        "SITE_UNREACHABLE",
    ),
    (f"Error while getting compositions: Tried to go to {SITE} and {NO_REMOTION}", "SITE_INCOMPATIBLE"),
    (
        f"Incompatible site: When visiting {SITE}, a bundle was found, but one that is not compatible",
        "SITE_INCOMPATIBLE",
    ),
    (
        "Could not find composition with ID TextAnimatoin. Available compositions: TextAnimation",
        "COMPOSITION_NOT_FOUND",
    ),
    ("No composition with the ID x found. The following compositions were found: y", "COMPOSITION_NOT_FOUND"),
    ("Minified React error #31; visit https://react.dev/errors/31 for the full message", "COMPOSITION_ERROR"),
    ('The "durationInFrames" prop of the <Composition/> component must be positive, but got 0.', "COMPOSITION_ERROR"),
    ("Render was cancelled using cancelRender()", "COMPOSITION_ERROR"),
    (
        "Cannot use frame 90: Duration of composition is 90, therefore the highest frame that can be rendered is 89",
        "FRAME_OUT_OF_RANGE",
    ),
    (
        "User: arn:aws:sts::123456789012:assumed-role/r is not authorized to perform: s3:PutObject on resource: x",
        "ACCESS_DENIED",
    ),
    ("AccessDenied: Access Denied", "ACCESS_DENIED"),
    ('Unable to access item "k" from bucket "b" - got a 403 error when heading the file.', "ACCESS_DENIED"),
    ("ExpiredToken: The provided token has expired.", "CREDENTIALS_INVALID"),
    ("The security token included in the request is expired", "CREDENTIALS_INVALID"),
    (
        "UnrecognizedClientException: The security token included in the request is invalid.",
        "CREDENTIALS_INVALID",
    ),
    ("Payload is too big: 300000 bytes. Maximum size is 256 KB.", "REQUEST_TOO_LARGE"),
    ("AccessControlListNotSupported: The bucket does not allow ACLs", "ACL_NOT_SUPPORTED"),
    ("The bucket does not allow ACLs", "ACL_NOT_SUPPORTED"),
    (
        "User: arn:aws:sts::123456789012:assumed-role/r is not authorized to perform: kms:GenerateDataKey on k",
        "ACCESS_DENIED",
    ),
    ("KMS.DisabledException: k is disabled.", "ACCESS_DENIED"),
    ("KMSAccessDeniedException: Lambda was unable to decrypt the environment variables", "FUNCTION_BROKEN"),
    ("InvalidSubnetIDException: The subnet ID provided in the VPC configuration is not valid", "FUNCTION_BROKEN"),
    ("net::ERR_UNKNOWN_URL_SCHEME at ftp://x.example/", "SITE_UNREACHABLE"),
    (f"net::ERR_CERT_DATE_INVALID at {SITE}", "SITE_UNREACHABLE"),
    (f"Error while getting compositions: Tried to go to {SITE} but something else", "SITE_UNREACHABLE"),
    ("Failed to load resource: the server responded with a status of 404 ()", "RENDER_FAILED"),
    ("Compositor exited with signal SIGSEGV", "RENDER_FAILED"),
    ("", "RENDER_FAILED"),
    ("something new", "RENDER_FAILED"),
]
RETRYABLE = [
    (
        'Output file "k" in bucket "b" already exists. Delete it before re-rendering, or set the \'overwrite\' option',
        "OUTPUT_EXISTS",
    ),
    (
        "AWS Concurrency limit reached (Original Error: Rate Exceeded.). See https://www.remotion.dev/docs",
        "RENDERER_BUSY",
    ),
    ("TooManyRequestsException: Rate Exceeded.", "RENDERER_BUSY"),
    ("ConcurrentInvocationLimitExceeded", "RENDERER_BUSY"),
    ("AWS did not invoke Lambda in 30000ms", "RENDERER_BUSY"),
    ("No more frames to render", "RENDERER_CRASHED"),
    ("write EOF", "RENDERER_UNAVAILABLE"),
    ('Invalid JSON (renderer): "{"', "RENDERER_UNAVAILABLE"),
    ("ServiceException: We currently do not have sufficient capacity in the region you requested.", "RENDERER_BUSY"),
    ("The main function timed out after 240000ms.\nThe following chunks are missing", "RENDER_TIMEOUT"),
    ("2026-11-22T10:00:00.000Z 0c0ffee Task timed out after 120.00 seconds", "RENDER_TIMEOUT"),
    (
        'A delayRender() "Loading font Inter" was called but not cleared after 28000ms. See https://remotion.dev',
        "FRAME_TIMEOUT",
    ),
    ("A delayRender() was called but not cleared after 28000ms.", "FRAME_TIMEOUT"),
    (
        'Timeout (30000ms) exceeded rendering the component at frame 134. Open delayRender() handles: "1. x"',
        "FRAME_TIMEOUT",
    ),
    ("Timeout exceeded rendering the component initially", "FRAME_TIMEOUT"),
    (
        "waiting for the page to render the React component at frame 3 failed: timeout 33000ms exceeded",
        "FRAME_TIMEOUT",
    ),
    ("Timed out evaluating page function", "FRAME_TIMEOUT"),
    (
        "Protocol error (Page.bringToFront): Target closed. https://www.remotion.dev/docs/target-closed",
        "RENDERER_CRASHED",
    ),
    (
        "Protocol error (Runtime.callFunctionOn): Session closed. Most likely the page has been closed.",
        "RENDERER_CRASHED",
    ),
    ("Page crashed!", "RENDERER_CRASHED"),
    ("Timed out after 30000ms while setting up the headless browser.\nThis could be because", "RENDERER_CRASHED"),
    ("Timed out after 25000 ms while trying to connect to the browser!", "RENDERER_CRASHED"),
    ("Failed to launch the browser process!\n[0101/1.2:FATAL:zygote_communication_linux.cc(262)]", "RENDERER_CRASHED"),
    ("chrome: error while loading shared libraries: libnss3.so: cannot open shared object file", "RENDERER_CRASHED"),
    ("Compositor panicked: unwrap", "RENDERER_CRASHED"),
    ("Compositor exited with code 1", "RENDERER_CRASHED"),
    ("FFmpeg quit with signal SIGKILL", "RENDERER_CRASHED"),
    ("ENILimitReachedException: Lambda couldn't create an elastic network interface", "RENDERER_BUSY"),
    ("SubnetIPAddressLimitReachedException: no available IP addresses", "RENDERER_BUSY"),
    ("EC2UnexpectedException: Lambda received an unexpected Amazon EC2 client exception", "RENDERER_BUSY"),
    ("ENINotReadyException: the elastic network interface isn't ready yet", "RENDERER_BUSY"),
    ("SnapStartNotReadyException: Lambda is initializing your function.", "RENDERER_BUSY"),
    ("ThrottlingException: Rate exceeded", "RENDERER_BUSY"),
    ("KMSThrottlingException", "RENDERER_BUSY"),
    ("429 Too Many Requests", "RENDERER_BUSY"),
    ("Compositor exited with signal SIGABRT", "RENDERER_CRASHED"),
    ("Protocol error (Page.captureScreenshot): Target crashed", "RENDERER_CRASHED"),
    ("Navigating frame was detached", "RENDERER_CRASHED"),
    ("spawn EAGAIN", "RENDERER_CRASHED"),
    ("EMFILE: too many open files, open '/tmp/x.png'", "RENDERER_CRASHED"),
    ("ENOSPC: no space left on device, write", "RENDERER_OUT_OF_DISK"),
    ("Failed to fetch x.webm. This could be caused by Chrome, the disk space is low.", "RENDERER_OUT_OF_DISK"),
    ("spawn ENOMEM", "RENDERER_OUT_OF_MEMORY"),
    ("spawn /var/task/ffmpeg ENOMEM", "RENDERER_OUT_OF_MEMORY"),
    ("ENOMEM: not enough memory, read", "RENDERER_OUT_OF_MEMORY"),
    ("fork: Cannot allocate memory", "RENDERER_OUT_OF_MEMORY"),
    ("JavaScript heap out of memory", "RENDERER_OUT_OF_MEMORY"),
    ("Array buffer allocation failed", "RENDERER_OUT_OF_MEMORY"),
    ("memory allocation of 33177600 bytes failed", "RENDERER_OUT_OF_MEMORY"),
    ("terminate called after throwing an instance of 'std::bad_alloc'", "RENDERER_OUT_OF_MEMORY"),
    ("Protocol error (Page.captureScreenshot): Unable to capture screenshot", "RENDERER_OUT_OF_MEMORY"),
    ("net::ERR_INSUFFICIENT_RESOURCES", "RENDERER_OUT_OF_MEMORY"),
    ("RequestId: 1 Error: Runtime exited with error: signal: killed Runtime.OutOfMemory", "RENDERER_OUT_OF_MEMORY"),
    (NO_SITE.format(503), "RENDERER_UNAVAILABLE"),
    ("TypeError: Failed to fetch", "RENDERER_UNAVAILABLE"),
    ("Failed to fetch", "RENDERER_UNAVAILABLE"),
    ("TypeError: fetch failed", "RENDERER_UNAVAILABLE"),
    ("Failed to fetch dynamically imported module: https://x.example/a.js", "RENDERER_UNAVAILABLE"),
    ("Loading chunk 12 failed. (error: https://x.example/12.bundle.js)", "RENDERER_UNAVAILABLE"),
    ("net::ERR_FAILED at https://fonts.gstatic.com/s/inter/v13/x.woff2", "RENDERER_UNAVAILABLE"),
    ("net::ERR_NAME_NOT_RESOLVED at https://fonts.googleapis.com/css2?family=Inter", "RENDERER_UNAVAILABLE"),
    ("net::ERR_CONNECTION_REFUSED at https://fonts.gstatic.com/x", "RENDERER_UNAVAILABLE"),
    ("Failed to load resource: net::ERR_FAILED", "RENDERER_UNAVAILABLE"),
    ("net::ERR_ABORTED at https://cdn.example/a.mp4", "RENDERER_UNAVAILABLE"),
    (f"net::ERR_HTTP2_PROTOCOL_ERROR at {SITE}", "RENDERER_UNAVAILABLE"),
    (f"Error while getting compositions: net::ERR_TIMED_OUT at {SITE}", "RENDERER_UNAVAILABLE"),
    ("Failed to load resource: the server responded with a status of 503 ()", "RENDERER_UNAVAILABLE"),
    ("NetworkError: A network error occurred.", "RENDERER_UNAVAILABLE"),
    ("getaddrinfo EAI_AGAIN fonts.gstatic.com", "RENDERER_UNAVAILABLE"),
    ("connect EHOSTUNREACH 10.0.0.1:443", "RENDERER_UNAVAILABLE"),
    ("UND_ERR_CONNECT_TIMEOUT", "RENDERER_UNAVAILABLE"),
    ("Client network socket disconnected before secure TLS connection was established", "RENDERER_UNAVAILABLE"),
    ("Invalid response body while trying to fetch x: Premature close", "RENDERER_UNAVAILABLE"),
    ("Error: aborted", "RENDERER_UNAVAILABLE"),
    ("ServiceException: An error occurred and the request cannot be processed.", "RENDERER_UNAVAILABLE"),
    (f"net::ERR_CONNECTION_TIMED_OUT at {SITE}", "RENDERER_UNAVAILABLE"),
    ("net::ERR_NETWORK_CHANGED", "RENDERER_UNAVAILABLE"),
    ("getaddrinfo EMFILE s3.us-east-1.amazonaws.com", "RENDERER_UNAVAILABLE"),
    ("read ECONNRESET", "RENDERER_UNAVAILABLE"),
    ("socket hang up", "RENDERER_UNAVAILABLE"),
    ("RequestTimeout: Your socket connection to the server was not read from", "RENDERER_UNAVAILABLE"),
    ("InternalError: We encountered an internal error. Please try again.", "RENDERER_UNAVAILABLE"),
    ("SlowDown: Please reduce your request rate.", "RENDERER_UNAVAILABLE"),
    ("The browser asked for https://x.example/y but the server sent no data", "RENDERER_UNAVAILABLE"),
]


@pytest.mark.parametrize(("message", "code"), FINAL)
def test_errors_that_every_attempt_would_have_are_final(message: str, code: str) -> None:
    failure = classify(message, name="Error", stack=IN_NODE.format(message))
    assert (failure.code, failure.retryable) == (code, False)


@pytest.mark.parametrize(("message", "code"), RETRYABLE)
def test_errors_that_may_be_temporary_are_retryable(message: str, code: str) -> None:
    for stack in (IN_NODE, IN_THE_BROWSER):
        failure = classify(message, name="Error", stack=stack.format(message))
        assert (failure.code, failure.retryable) == (code, True)


@pytest.mark.parametrize(
    ("message", "setting"),
    [
        ("Function not found: arn:aws:lambda:us-east-1:123456789012:function:x", "REMOTION_LAMBDA_FUNCTION_NAME"),
        ("Task timed out after 120.00 seconds", "REMOTION_LAMBDA_FUNCTION_NAME"),
        ("NoSuchBucket: The specified bucket does not exist", "REMOTION_BUCKET_NAME"),
        (NO_SITE.format(404), "REMOTION_SERVE_URL"),
        ("Could not find composition with ID TextAnimatoin.", "REMOTION_COMPOSITION"),
        ("ExpiredToken: The provided token has expired.", "REMOTION_AWS_ACCESS_KEY_ID"),
    ],
)
def test_the_detail_has_the_remedy_and_the_original_error(message: str, setting: str) -> None:
    detail = classify(message).detail or ""
    remedy, _, original = detail.partition("\n")
    assert setting in remedy
    assert original == f"Error: {message}"


def test_an_error_of_the_composition_itself() -> None:
    message = 'Unknown style: "bogus"'
    assert classify(message, stack=IN_THE_BROWSER.format(message)).code == "COMPOSITION_ERROR"
    assert classify(message, stack=message, kind="browser").code == "COMPOSITION_ERROR"
    assert classify(message, stack=IN_NODE.format(message)).code == "RENDER_FAILED"


def test_a_cause_that_only_the_stack_names_is_found() -> None:
    assert classify("Error", stack="Error\nCaused by: read ECONNRESET").code == "RENDERER_UNAVAILABLE"


def test_a_stack_does_not_outweigh_the_message() -> None:
    failure = classify("renderMedia() got cancelled", stack="Error: Target closed")
    assert failure.code == "RENDER_STOPPED"


def test_errors_of_real_renders() -> None:
    codes = set()
    for line in (Path(__file__).parents[3] / "data/remotion-progress.jsonl").read_text(encoding="utf-8").splitlines():
        pair = json.loads(line)
        codes |= {classify(error["message"], name=error["name"]).code for error in pair["expected"]["errors"][:1]}
        for error in pair["progress"]["errors"]:
            failure = classify(error["message"], name=error["name"], stack=error["stack"], kind=error["type"])
            assert failure.code in {"COMPOSITION_ERROR", "RENDER_STOPPED"}
            codes.add(failure.code)
    assert {"COMPOSITION_ERROR", "RENDER_STOPPED", "RENDER_TIMEOUT"} <= codes


@pytest.mark.parametrize(("message", "code"), [*FINAL, *RETRYABLE])
def test_messages_do_not_contain_the_original_error(message: str, code: str) -> None:
    failure = classify(message)
    assert failure.code == code
    assert failure.message.endswith(".")
    assert "http" not in failure.message
    assert "remotionlambda" not in failure.message
    assert message == "" or message not in failure.message
    assert failure.detail is not None
    assert message in failure.detail


def test_the_detail_is_storable() -> None:
    failure = classify("x\ud83d" + "y" * 10_000, name="TypeError")
    assert failure.detail is not None
    assert len(failure.detail) == MAX_DETAIL
    assert failure.detail.startswith("TypeError: x\ufffdy")
    failure.detail.encode()


def test_the_detail_repeats_nothing() -> None:
    assert classify("boom", name="Error", stack="Error: boom\n    at x").detail == "Error: boom\n    at x"
    assert classify("boom", stack="at x").detail == "Error: boom\nat x"
    assert classify("boom").detail == "Error: boom"


def test_a_very_long_message_is_classified_in_time() -> None:
    assert classify("A delayRender() " * 100_000).code == UNKNOWN.code


def test_a_timeout_that_the_function_did_not_report_is_retryable() -> None:
    assert TIMED_OUT.code == "RENDER_TIMEOUT"
    assert TIMED_OUT.retryable
