import pytest

from services.backends.remotion_node.failures import MAX_DETAIL, classify
from services.backends.remotion_node.host_messages import FailedMessage
from services.failure_codes import FAILURE_CODES

IN_THE_BROWSER = "Error: x\n    at Video (http://localhost:3000/bundle.js:10:5)"


def failed(message: str, *, stack: str = "", in_browser: bool = False, console: tuple[str, ...] = ()) -> FailedMessage:
    fields = {"type": "failed", "job": "1", "name": "Error", "message": message, "stack": stack}
    return FailedMessage.model_validate({**fields, "inBrowser": in_browser, "console": console})


@pytest.mark.parametrize(
    ("message", "code", "retryable"),
    [
        ("Target closed. See https://www.remotion.dev/docs/target-closed", "RENDERER_CRASHED", True),
        ("Page crashed!", "RENDERER_CRASHED", True),
        ("ENOSPC: no space left on device, write", "RENDERER_OUT_OF_DISK", True),
        ("Array buffer allocation failed", "RENDERER_OUT_OF_MEMORY", True),
        ('A delayRender() "x" was called but not cleared after 28000ms.', "FRAME_TIMEOUT", True),
        ("Could not find composition with ID Nope. Available compositions: A", "COMPOSITION_NOT_FOUND", False),
        ("Cannot use frame 90: Duration of composition is 90", "FRAME_OUT_OF_RANGE", False),
        ("getaddrinfo ENOTFOUND videos.example", "RENDERER_UNAVAILABLE", True),
        ("Received a status code of 404 while downloading file http://x/y.mp4", "COMPOSITION_ERROR", False),
        ("Visited http://localhost:3000/index.html but got no response.", "SITE_UNREACHABLE", False),
        ("Incompatible site: it was bundled with another version", "SITE_INCOMPATIBLE", False),
        ("FFmpeg quit with code 1", "RENDER_FAILED", False),
    ],
)
def test_the_code_of_an_error(message: str, code: str, retryable: bool) -> None:  # noqa: FBT001
    failure = classify(failed(message))
    assert (failure.code, failure.retryable) == (code, retryable)
    assert message in str(failure.detail)
    assert code in FAILURE_CODES


def test_an_error_that_was_thrown_in_the_browser_is_the_compositions() -> None:
    assert classify(failed("x", in_browser=True)).code == "COMPOSITION_ERROR"
    assert classify(failed("x", stack=IN_THE_BROWSER)).code == "COMPOSITION_ERROR"


def test_an_opened_file_is_the_compositions_fault() -> None:
    message = failed("Failed to fetch", console=("Not allowed to load local resource: file:///etc/hostname",))
    assert classify(message).code == "COMPOSITION_ERROR"


def test_the_detail_is_limited_and_can_be_stored() -> None:
    detail = classify(failed("\ud800" * 2 * MAX_DETAIL)).detail
    assert detail is not None
    assert len(detail) == MAX_DETAIL
    assert detail.encode()
