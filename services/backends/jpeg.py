"""Encodes a video frame to a JPEG file. Imported only in processes that encode or decode video."""

from fractions import Fraction
from typing import Final

import av
from av.video.reformatter import ColorRange, Colorspace, Interpolation

EXACT: Final = Interpolation.ACCURATE_RND | Interpolation.BITEXACT | Interpolation.FULL_CHR_H_INT
PIXEL_FORMAT: Final = "yuvj444p"  # chroma is not subsampled: otherwise the edges of coloured text bleed visibly

_DEFAULT_QUANTISER: Final = 2
_QUANTISERS: Final = range(1, 32)  # from the finest
_HALF: Final = 50  # the quality at which libjpeg uses the tables of ITU-T T.81, annex K, unchanged
_QUANTISER_AT_HALF: Final = 12  # libav's table, multiplied with this, has the same mean


def encode_jpeg(
    frame: av.VideoFrame,
    *,
    colorspace: Colorspace = Colorspace.ITU709,
    color_range: ColorRange = ColorRange.MPEG,
    interpolation: Interpolation = EXACT,
) -> bytes:
    """Return the frame as a JPEG file with colours of BT.601 in full range (ITU-T T.871, section 7).

    `colorspace` and `color_range` are the frame's. Transparency is dropped.
    """
    full = frame.reformat(
        format=PIXEL_FORMAT,
        src_colorspace=colorspace,
        dst_colorspace=Colorspace.ITU601,
        src_color_range=color_range,
        dst_color_range=ColorRange.JPEG,
        interpolation=interpolation,
        threads=1,
    )
    return encode_full_range_jpeg(full)


def encode_full_range_jpeg(frame: av.VideoFrame, *, quality: int | None = None) -> bytes:
    """Return a frame in `PIXEL_FORMAT` as a JPEG file, with a quality of 1 to 100; about 90 by default."""
    frame.pts = 0
    context = av.CodecContext.create("mjpeg", "w")
    context.width, context.height, context.pix_fmt = frame.width, frame.height, frame.format.name
    context.time_base = Fraction(1)
    context.sample_aspect_ratio = Fraction(1)  # otherwise libav omits the JFIF header
    context.color_range = ColorRange.JPEG
    context.qmin = context.qmax = _DEFAULT_QUANTISER if quality is None else quantiser(quality)
    context.thread_count = 1
    context.options = {"flags": "+bitexact"}  # otherwise the file would contain the library's version
    return b"".join(bytes(packet) for packet in (*context.encode(frame), *context.encode(None)))


def quantiser(quality: int) -> int:
    """Return libav's quantiser for a quality from 1 to 100, by the scale of libjpeg. Up to 19 it is the coarsest."""
    scale = _HALF / quality if quality < _HALF else 2 - quality / _HALF
    return min(max(round(_QUANTISER_AT_HALF * scale), _QUANTISERS[0]), _QUANTISERS[-1])
