"""Makes previews of frames. Imported only by code that draws or decodes frames."""

import base64
from pathlib import Path
from typing import Final, cast

import av
import numpy as np
from av.video.codeccontext import VideoCodecContext
from av.video.reformatter import ColorRange, Colorspace, Interpolation

from services.backends.jpeg import PIXEL_FORMAT, encode_full_range_jpeg, encode_jpeg
from services.backends.previews.schedule import MAX_PIXELS

MAX_SIDE_PX: Final = 480
QUALITY: Final = 60

_JPEG: Final = b"\xff\xd8"
_DECODERS: Final = {_JPEG: "mjpeg", b"\x89P": "png"}  # by the first bytes of the file


def preview_of(
    frame: av.VideoFrame,
    *,
    colorspace: Colorspace = Colorspace.ITU601,
    color_range: ColorRange = ColorRange.JPEG,
) -> bytes:
    """Return the frame as a JPEG of at most `MAX_SIDE_PX`, over black if it is transparent.

    `colorspace` and `color_range` are the frame's, of which only the range applies to RGB.
    """
    is_transparent = any(component.is_alpha for component in frame.format.components)
    width, height = preview_size(frame.width, frame.height)
    small = frame.reformat(
        width=width,
        height=height,
        format="rgba" if is_transparent else PIXEL_FORMAT,
        src_colorspace=colorspace,
        dst_colorspace=Colorspace.ITU601,
        src_color_range=color_range,
        dst_color_range=ColorRange.JPEG,
        interpolation=Interpolation.AREA,
        threads=1,
    )
    return encode_full_range_jpeg(_over_black(small) if is_transparent else small, quality=QUALITY)


def preview_of_file(path: Path) -> bytes:
    """Return the preview of an image: a file that has a JPEG or PNG in Base64.

    Raises `OSError`, and `ValueError` if it is not such a file.
    """
    return preview_of(_decode(_read(path)))


def poster_of_file(path: Path, *, transparent: bool) -> bytes:
    """Return the image in such a file as a JPEG of the same size: over black if `transparent`, else without alpha.

    A JPEG is returned as it is. Raises `OSError`, and `ValueError` if it is no such file or has more than `MAX_PIXELS`.
    """
    content = _read(path)
    if content[:2] == _JPEG:
        return content
    frame = _decode(content)
    if transparent:
        return encode_full_range_jpeg(_over_black(frame))
    return encode_jpeg(frame, color_range=ColorRange.JPEG)


def preview_size(width: int, height: int) -> tuple[int, int]:
    """Return the width and height of the preview of a frame, in pixels. Small frames are not enlarged."""
    factor = min(1.0, MAX_SIDE_PX / max(width, height))
    return max(1, round(width * factor)), max(1, round(height * factor))


def _read(path: Path) -> bytes:
    content = base64.b64decode(path.read_bytes())
    if content[:2] not in _DECODERS:
        raise ValueError(f"{path.name} is neither a JPEG nor a PNG")
    return content


def _decode(content: bytes) -> av.VideoFrame:
    decoder = cast("VideoCodecContext", av.CodecContext.create(_DECODERS[content[:2]], "r"))
    decoder.thread_count = 1
    decoder.options = {"max_pixels": str(MAX_PIXELS)}
    try:
        frame, *_ = (*decoder.decode(av.Packet(content)), *decoder.decode(None))
    except av.FFmpegError as error:
        raise ValueError(f"the frame can't be decoded: {error.strerror}") from error
    return frame


def _over_black(frame: av.VideoFrame) -> av.VideoFrame:
    pixels = frame.to_ndarray(format="rgba").astype(np.uint16)
    colors = pixels[..., :3] * pixels[..., 3:] // 255
    opaque = av.VideoFrame.from_ndarray(np.ascontiguousarray(colors.astype(np.uint8)), format="rgb24")
    return opaque.reformat(
        format=PIXEL_FORMAT, dst_colorspace=Colorspace.ITU601, dst_color_range=ColorRange.JPEG, threads=1
    )
