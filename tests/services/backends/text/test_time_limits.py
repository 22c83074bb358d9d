from datetime import timedelta

import pytest

from services.backends.text.formats import TEXT_FORMATS
from services.backends.text.time_limits import max_rendering_time, max_silence_s
from services.media import Media, OutputFormat

LARGE = Media(frames=600, fps=30, width=3840, height=2160)


@pytest.mark.parametrize("name", sorted(TEXT_FORMATS))
def test_every_format_has_at_least_the_time_of_a_start_and_a_time_for_its_pixels(name: OutputFormat) -> None:
    small, large = (max_rendering_time(name, Media(frames=600, fps=30, width=side, height=side)) for side in (64, 2160))
    assert timedelta(seconds=60 + 600 / 5) <= small < large


def test_slower_encoders_have_more_time() -> None:
    h264, h265, prores = (max_rendering_time(OutputFormat(name), LARGE) for name in ("h264", "h265", "prores"))
    assert timedelta(minutes=10) < h264 < h265 < prores < timedelta(hours=6)


def test_large_frames_may_take_longer() -> None:
    small, large = (max_silence_s(Media(frames=1, fps=30, width=side, height=side)) for side in (64, 8192))
    assert small == pytest.approx(60, abs=1)
    assert 10 * 17 < large < 600  # 17 s were measured
