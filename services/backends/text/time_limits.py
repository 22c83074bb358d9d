"""The maximum times of a render and of one frame, from the number of pixels and the speed of the encoder."""

from collections.abc import Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Final

from services.media import Media, OutputFormat

_LAUNCH_ALLOWANCE_S: Final = 60.0
_FRAME_S: Final = 0.2
# The first frame of a transparent VP9 video of 8192 x 8192 pixels took 0.25 s for a million pixels, with the least CRF.
_FRAME_S_PER_MEGAPIXEL: Final = 3.0
_SLOWNESS: Final = 30  # how much slower a machine may be than the one of the measurements

# Milliseconds of CPU time for a million pixels, measured with text that fills 3840 x 2160 pixels and changes its size
# in each frame. That of ProRes is for odd widths, which need the slower encoder.
_MS_PER_MEGAPIXEL: Final[Mapping[OutputFormat, float]] = MappingProxyType(
    {
        OutputFormat.H264: 13,
        OutputFormat.H265: 33,
        OutputFormat.VP8: 17,
        OutputFormat.VP9: 30,
        OutputFormat.PRORES: 85,
        OutputFormat.GIF: 5,
        OutputFormat.PNG: 27,
        OutputFormat.JPEG: 13,
        OutputFormat.WEBP: 25,
    }
)
_DEFAULT_MS_PER_MEGAPIXEL: Final = max(_MS_PER_MEGAPIXEL.values())


def max_rendering_time(name: OutputFormat, media: Media) -> timedelta:
    """Return the time that a very slow machine needs for an output of this size and length."""
    megapixels = (media.width or 0) * (media.height or 0) * media.frames / 1e6
    encoding_s = megapixels * _MS_PER_MEGAPIXEL.get(name, _DEFAULT_MS_PER_MEGAPIXEL) / 1000
    return timedelta(seconds=_LAUNCH_ALLOWANCE_S + media.frames * _FRAME_S + encoding_s * _SLOWNESS)


def max_silence_s(media: Media) -> float:
    """Return the maximum time between two reports of the renderer, which reports each frame that takes long."""
    return _LAUNCH_ALLOWANCE_S + (media.width or 0) * (media.height or 0) / 1e6 * _FRAME_S_PER_MEGAPIXEL
