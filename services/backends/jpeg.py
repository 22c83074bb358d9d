"""Encodes a video frame to a JPEG file. Imported only in processes that encode or decode video."""

from fractions import Fraction
from typing import Final

import av
from av.video.reformatter import ColorRange, Colorspace, Interpolation

EXACT: Final = Interpolation.ACCURATE_RND | Interpolation.BITEXACT | Interpolation.FULL_CHR_H_INT
_QUANTISER: Final = 2  # from 1, the finest, to 31


def encode_jpeg(
    frame: av.VideoFrame,
    *,
    colorspace: Colorspace = Colorspace.ITU709,
    color_range: ColorRange = ColorRange.MPEG,
    interpolation: Interpolation = EXACT,
) -> bytes:
    """Return the frame as a JPEG file with colours of BT.601 in full range (ITU-T T.871, section 7).

    `colorspace` and `color_range` are the frame's. Chroma is not subsampled: otherwise the edges of coloured text bleed
    visibly. Transparency is dropped.
    """
    full = frame.reformat(
        format="yuvj444p",
        src_colorspace=colorspace,
        dst_colorspace=Colorspace.ITU601,
        src_color_range=color_range,
        dst_color_range=ColorRange.JPEG,
        interpolation=interpolation,
        threads=1,
    )
    full.pts = 0
    context = av.CodecContext.create("mjpeg", "w")
    context.width, context.height, context.pix_fmt = full.width, full.height, full.format.name
    context.time_base = Fraction(1)
    context.sample_aspect_ratio = Fraction(1)  # otherwise libav omits the JFIF header
    context.color_range = ColorRange.JPEG
    context.qmin = context.qmax = _QUANTISER
    context.thread_count = 1
    context.options = {"flags": "+bitexact"}  # otherwise the file would contain the library's version
    return b"".join(bytes(packet) for packet in (*context.encode(full), *context.encode(None)))
