from datetime import timedelta

from services.backends.remotion_node.time_limits import max_rendering_time
from services.media import Media

HOUR = timedelta(hours=1)


def test_the_limit_grows_with_frames_and_pixels() -> None:
    short, long, large = (
        max_rendering_time(Media(frames=frames, fps=30, width=width, height=width))
        for frames, width in ((30, 100), (300, 100), (30, 1000))
    )
    assert timedelta(minutes=2) < short < large
    assert short < long


def test_the_limit_without_a_known_size() -> None:
    assert max_rendering_time(None) == HOUR
    assert max_rendering_time(Media(frames=30, fps=30)) > timedelta(minutes=2)
