"""Draws glyphs that are PNG images, as in the tables CBDT and sbix. HarfBuzz's rasterizer doesn't decode them."""

import io
from functools import lru_cache
from typing import Final

import av
import numpy as np
import numpy.typing as npt

_MAX_PIXELS: Final = 1024 * 1024  # of one glyph; Apple's largest have 160 by 160

Pixels = npt.NDArray[np.uint8]
_Sums = npt.NDArray[np.float64]


def draw_bitmap(png: bytes, *, edges: tuple[float, float, float, float], width: int, height: int) -> Pixels:
    """Return a picture of this size in pixels with the PNG between its left, top, right and bottom edges in it.

    The pixels are blue, green and red, premultiplied, and opacity. All are transparent if the PNG can't be decoded.
    """
    bitmap = _decoded(png)
    left, top, right, bottom = edges
    if bitmap is None or right <= left or bottom <= top:
        return np.zeros((height, width, 4), np.uint8)
    rows = _resampled(bitmap, start=top, end=bottom, size=height)
    columns = _resampled(np.swapaxes(rows, 0, 1), start=left, end=right, size=width)
    return np.rint(np.swapaxes(columns, 0, 1)).astype(np.uint8)


@lru_cache(maxsize=64)
def _decoded(png: bytes) -> _Sums | None:
    """Return the premultiplied pixels of a PNG; None if it is damaged or too large."""
    try:
        with av.open(io.BytesIO(png), "r", format="png_pipe") as container:
            stream = container.streams.video[0]
            if not 0 < stream.width * stream.height <= _MAX_PIXELS:
                return None
            frame = next(container.decode(stream))
    except (av.FFmpegError, IndexError, StopIteration):
        return None
    pixels = frame.to_ndarray(format="bgra").astype(np.float64)
    pixels[..., :3] *= pixels[..., 3:] / 255
    return pixels


def _resampled(rows: _Sums, *, start: float, end: float, size: int) -> _Sums:
    """Return `size` rows, in which these lie between the positions `start` and `end`; the others are transparent.

    Each is the mean of the rows within its own height, at least one: that is linear interpolation when enlarging. Sums
    over rows are the same on every machine, unlike products of matrices.
    """
    count = len(rows)
    sums = np.zeros((count + 1, *rows.shape[1:]))
    np.cumsum(rows, axis=0, out=sums[1:])
    step = count / (end - start)
    centres: _Sums = (np.arange(size, dtype=np.float64) + 0.5 - start) * step
    reach = max(1.0, step) / 2
    means: _Sums = (_at(sums, centres + reach) - _at(sums, centres - reach)) / (2 * reach)
    return means


def _at(sums: _Sums, positions: _Sums) -> _Sums:
    """Return the sums up to these positions, which may be fractions of rows."""
    clipped = np.clip(positions, 0, len(sums) - 1)
    before = np.minimum(clipped.astype(np.intp), len(sums) - 2)
    share = (clipped - before).reshape(-1, *[1] * (sums.ndim - 1))
    result: _Sums = sums[before] + (sums[before + 1] - sums[before]) * share
    return result
