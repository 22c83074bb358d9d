"""The maximum time of a render, from the number of its frames and their size."""

from datetime import timedelta
from typing import Final

from services.media import Media

_LAUNCH_S: Final = 120.0  # the start of a browser and the evaluation of the composition, which may load data
_FRAME_S: Final = 2.0  # 30 times as long as a frame of text takes on a busy core
_MEGAPIXEL_S: Final = 5.0  # VP8 with transparency, the slowest: 0.16 s on a busy core, measured with 640 x 360
_UNKNOWN_S: Final = 3600.0


def max_rendering_time(media: Media | None) -> timedelta:
    """Return the time that a very slow machine needs for an output of this size and length; an hour if unknown."""
    if media is None:
        return timedelta(seconds=_UNKNOWN_S)
    megapixels = (media.width or 0) * (media.height or 0) / 1e6
    return timedelta(seconds=_LAUNCH_S + media.frames * (_FRAME_S + megapixels * _MEGAPIXEL_S))
