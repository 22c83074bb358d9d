"""The settings that all encoders of a video have in common: size, times, colours, and no versions of libraries."""

from collections.abc import Mapping
from fractions import Fraction
from typing import Final

import av
from av.video.codeccontext import VideoCodecContext

from services.backends.text.codecs import Codec
from services.media import Media

# The code point of BT.709's primaries and transfer function in ITU-T H.273, and libav's number for limited range.
_BT709: Final = 1
_LIMITED: Final = 1

_KEY_FRAME_INTERVAL_S: Final = 2
_MAX_RATE_DENOMINATOR: Final = 1001  # as of 30000/1001 frames per second


def frame_rate(media: Media) -> Fraction:
    """Return the frames per second."""
    return Fraction(media.fps).limit_denominator(_MAX_RATE_DENOMINATOR)


def key_frame_interval(media: Media) -> int:
    """Return the number of frames from one key frame to the next."""
    return max(1, round(frame_rate(media) * _KEY_FRAME_INTERVAL_S))


def configure(
    context: VideoCodecContext,
    codec: Codec,
    *,
    options: Mapping[str, str],
    media: Media,
    time_base: Fraction,
    key_frame_every: int,
) -> None:
    """Set everything that does not depend on the container. `options` are the encoder's."""
    context.width, context.height = media.width or 0, media.height or 0
    context.pix_fmt = codec.pixel_format
    context.time_base = time_base
    context.thread_count = 1
    context.gop_size = key_frame_every
    context.bit_rate = codec.bitrate_bps
    if codec.tag is not None:
        context.codec_tag = codec.tag
    if codec.coding is not None:
        context.color_primaries = context.color_trc = _BT709
        context.colorspace = codec.coding.matrix
        context.color_range = _LIMITED
    # Between them, libvpx would make every second frame of flat text a key frame of VP8.
    interval = {"keyint_min": str(key_frame_every)}
    context.options = {**options, **interval, "chroma_sample_location": "left", "flags": "+bitexact"}


def tag(frame: av.VideoFrame, codec: Codec) -> None:
    """Set the colour tags of a frame, from which the encoder of ProRes takes them."""
    if codec.coding is not None:
        frame.color_primaries = frame.color_trc = _BT709
        frame.colorspace = codec.coding.matrix
        frame.color_range = _LIMITED
