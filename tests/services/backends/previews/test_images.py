import base64
import struct
import zlib
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from services.backends.previews.images import MAX_SIDE_PX, poster_of_file, preview_of, preview_of_file, preview_size
from services.media import OutputFormat
from tests.services.backends.text.rendering import decode_still, rgb
from tests.support.outputs import make_output

ORANGE = (0xEE, 0x88, 0x22)


def picture(width: int, height: int, *, alpha: int | None = None) -> av.VideoFrame:
    """Return a frame in one colour."""
    color = ORANGE if alpha is None else (*ORANGE, alpha)
    pixels: np.ndarray[Any, Any] = np.full((height, width, len(color)), color, np.uint8)
    return av.VideoFrame.from_ndarray(pixels, format="rgb24" if alpha is None else "rgba")


def shown(jpeg: bytes) -> np.ndarray[Any, Any]:
    """Return the mean colour of a JPEG."""
    mean: np.ndarray[Any, Any] = rgb(decode_still(jpeg)).mean(axis=(0, 1))
    return mean


@pytest.mark.parametrize(
    ("size", "preview"),
    [
        ((1920, 1080), (480, 270)),
        ((1080, 1920), (270, 480)),
        ((320, 180), (320, 180)),
        ((8192, 2), (480, 1)),
        ((1, 1), (1, 1)),
    ],
)
def test_a_preview_has_the_frames_shape_and_colour(size: tuple[int, int], preview: tuple[int, int]) -> None:
    assert preview_size(*size) == preview
    jpeg = preview_of(picture(*size))
    frame = decode_still(jpeg)
    assert (frame.width, frame.height) == preview
    assert np.abs(shown(jpeg) - ORANGE).max() <= 6


@pytest.mark.parametrize(("alpha", "expected"), [(255, ORANGE), (0, (0, 0, 0)), (128, (119, 68, 17))])
def test_a_transparent_frame_is_shown_over_black(alpha: int, expected: tuple[int, int, int]) -> None:
    assert np.abs(shown(preview_of(picture(64, 64, alpha=alpha))) - expected).max() <= 6


@pytest.mark.parametrize("name", [OutputFormat.PNG, OutputFormat.JPEG])
def test_an_image_in_base64_is_read(tmp_path: Path, name: OutputFormat) -> None:
    content = make_output(name)
    path = tmp_path / "frame"
    path.write_bytes(base64.b64encode(content))
    preview = decode_still(preview_of_file(path))
    assert (preview.width, preview.height) == preview_size(*(decode_still(content).width, decode_still(content).height))
    assert max(preview.width, preview.height) <= MAX_SIDE_PX


@pytest.mark.parametrize("content", [b"", b"RIFF", b"\x89PNG", b"\xff\xd8\xff"])
def test_another_file_is_an_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "frame"
    path.write_bytes(base64.b64encode(content))
    with pytest.raises(ValueError, match="frame"):
        preview_of_file(path)


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        preview_of_file(tmp_path / "frame")


def png_file(path: Path, frame: av.VideoFrame) -> Path:
    """Write a frame as the host does: a PNG in Base64."""
    context = av.CodecContext.create("png", "w")
    context.width, context.height, context.pix_fmt = frame.width, frame.height, frame.format.name
    context.time_base = Fraction(1)
    frame.pts = 0
    packets = (*context.encode(frame), *context.encode(None))
    path.write_bytes(base64.b64encode(b"".join(bytes(packet) for packet in packets)))
    return path


@pytest.mark.parametrize(("transparent", "expected"), [(True, (119, 68, 17)), (False, ORANGE)])
def test_a_poster_has_the_frames_size_and_is_over_black_only_if_the_output_is_transparent(
    tmp_path: Path, *, transparent: bool, expected: tuple[int, int, int]
) -> None:
    frame = png_file(tmp_path / "frame", picture(500, 20, alpha=128))
    poster = poster_of_file(frame, transparent=transparent)
    assert (decode_still(poster).width, decode_still(poster).height) == (500, 20)
    assert np.abs(shown(poster) - expected).max() <= 6


def test_a_frame_that_is_a_jpeg_is_the_poster(tmp_path: Path) -> None:
    content = make_output(OutputFormat.JPEG)
    (tmp_path / "frame").write_bytes(base64.b64encode(content))
    assert poster_of_file(tmp_path / "frame", transparent=False) == content


def test_a_frame_that_is_too_large_is_not_decoded(tmp_path: Path) -> None:
    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    width, height = 7681, 4320
    rows = zlib.compress(bytes((1 + (width + 7) // 8) * height))  # of one bit for each pixel
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0))
    content = b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    (tmp_path / "frame").write_bytes(base64.b64encode(content))
    with pytest.raises(ValueError, match="can't be decoded"):
        poster_of_file(tmp_path / "frame", transparent=False)
