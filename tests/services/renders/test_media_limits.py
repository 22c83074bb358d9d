import pytest

from services.failure_codes import returns_quota
from services.media import Media
from services.renders.media_limits import MediaLimits

LIMITS = MediaLimits(max_duration_s=20, max_pixels=1_000_000)


@pytest.mark.parametrize(
    ("media", "code"),
    [
        (Media(frames=600, fps=30, width=10, height=10), None),
        (Media(frames=601, fps=30, width=10, height=10), "DURATION_EXCEEDED"),
        (Media(frames=480, fps=23.976, width=10, height=10), None),  # 20.02 s: the length is rounded to whole frames
        (Media(frames=481, fps=23.976, width=10, height=10), "DURATION_EXCEEDED"),
        (Media(frames=601, fps=30), "DURATION_EXCEEDED"),
        (Media(frames=100, fps=30, width=100, height=100), None),
        (Media(frames=100, fps=30, width=101, height=100), "OUTPUT_TOO_LARGE"),
        (Media(frames=1, fps=30, width=1000, height=1001), "OUTPUT_TOO_LARGE"),
        (Media(frames=600, fps=30), None),  # audio, or a size that is not known
        (Media(frames=10_000, fps=1, width=1000, height=1000), "DURATION_EXCEEDED"),
        (Media(frames=20, fps=1e-9, width=1, height=1), "DURATION_EXCEEDED"),
    ],
)
def test_an_output_over_a_limit_is_a_failure_that_returns_the_quota(media: Media, code: str | None) -> None:
    failure = LIMITS.failure(media)
    assert (failure and failure.code) == code
    if failure is not None:
        assert not failure.retryable
        assert returns_quota(failure.code)


def test_the_messages_name_the_limits() -> None:
    assert LIMITS.too_long == "Animation too long. Maximum duration is 20 seconds."
    assert "1,000,000" in LIMITS.too_large
