import struct
import zlib

import numpy as np
import pytest

from services.backends.text.bitmaps import draw_bitmap


def png(width: int, height: int, *pixels: tuple[int, int, int, int]) -> bytes:
    """Return a PNG of these pixels, red first."""
    rows = np.resize(np.array(pixels, np.uint8), (height, width * 4))
    content = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))
    chunks = ((b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)), (b"IDAT", content), (b"IEND", b""))
    packed = (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


def test_translucent_pixels_are_premultiplied() -> None:
    drawn = draw_bitmap(png(1, 1, (255, 100, 0, 128)), edges=(1, 0, 2, 1), width=3, height=1)
    assert drawn.tolist() == [[[0, 0, 0, 0], [0, 50, 128, 128], [0, 0, 0, 0]]]


def test_a_smaller_picture_has_the_mean_of_the_pixels() -> None:
    drawn = draw_bitmap(png(2, 2, (255, 0, 0, 255), (0, 0, 255, 255)), edges=(0, 0, 1, 1), width=1, height=1)
    assert drawn.tolist() == [[[128, 0, 128, 255]]]


def test_edges_between_pixels_are_antialiased() -> None:
    drawn = draw_bitmap(png(1, 1, (255, 255, 255, 255)), edges=(0.25, 0, 1.25, 1), width=2, height=1)
    assert drawn[0, :, 3].tolist() == [191, 64]


@pytest.mark.parametrize("broken", [b"", b"not a PNG", png(2, 2, (1, 2, 3, 4))[:45], png(1025, 1024, (0, 0, 0, 255))])
def test_a_png_that_is_damaged_or_too_large_is_transparent(broken: bytes) -> None:
    assert not draw_bitmap(broken, edges=(0, 0, 2, 2), width=2, height=2).any()
