"""Encodes one picture to an image file."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Final, cast

import av
from av.video.codeccontext import VideoCodecContext

from services.backends import jpeg
from services.backends.text.mixture import Colors
from services.backends.text.pictures import Picture, new_picture
from services.backends.text.ycbcr import JFIF
from services.media import Media, OutputFormat

# Code points in ITU-T H.273: BT.709's primaries, which are also those of sRGB, and the transfer function of sRGB.
_BT709: Final = 1
_SRGB: Final = 13


@dataclass(frozen=True, slots=True, kw_only=True)
class _Image:
    """An encoder of libav, the pixels that it reads without and with transparency, and its options."""

    encoder: str
    opaque: str
    transparent: str
    options: Mapping[str, str] = field(default_factory=dict)


_JPEG: Final = _Image(encoder="mjpeg", opaque=jpeg.PIXEL_FORMAT, transparent=jpeg.PIXEL_FORMAT)
_IMAGES: Final = {
    OutputFormat.PNG: _Image(encoder="png", opaque="rgb24", transparent="rgba"),
    OutputFormat.WEBP: _Image(encoder="libwebp", opaque="bgra", transparent="bgra", options={"lossless": "1"}),
    OutputFormat.JPEG: _JPEG,
}


def new_still(name: OutputFormat, *, media: Media, colors: Colors, has_alpha: bool) -> Picture:
    """Return a picture to paint into, for `encode_still`."""
    image = _IMAGES[name]
    shown = colors if has_alpha else colors.over_black()
    pixel_format = image.transparent if has_alpha else image.opaque
    return new_picture(media.width or 0, media.height or 0, pixel_format=pixel_format, colors=shown, coding=JFIF)


def encode_still(name: OutputFormat, picture: Picture, *, quality: int | None = None) -> bytes:
    """Return the image file of a picture of `new_still`. Only a JPEG has a `quality`, 1 to 100."""
    if name is OutputFormat.JPEG:
        return jpeg.encode_full_range_jpeg(picture.frame, quality=quality)
    image, frame = _IMAGES[name], picture.frame
    frame.pts = 0
    context = cast("VideoCodecContext", av.CodecContext.create(image.encoder, "w"))
    context.width, context.height, context.pix_fmt = frame.width, frame.height, frame.format.name
    context.time_base = Fraction(1)
    frame.color_primaries, frame.color_trc = _BT709, _SRGB  # a PNG states it
    context.thread_count = 1
    context.options = {**image.options, "flags": "+bitexact"}
    return b"".join(bytes(packet) for packet in (*context.encode(frame), *context.encode(None)))


def write_file(path: Path, content: bytes) -> int:
    """Write a file, sync it to disk, and return its size in bytes. Raises `OSError`."""
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    return len(content)
