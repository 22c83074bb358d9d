"""The palettes of GIFs: 255 colours, and a transparent one. Pixels are opaque or transparent, whatever is nearer."""

from typing import Final

import numpy as np
import numpy.typing as npt

from services.backends.text.component_values import Overlay, Pixels, rounded
from services.backends.text.mixture import Colors, Mixture

_SIZE: Final = 256
_COLORS: Final = _SIZE - 1  # more would not be exacter, as a channel of two colours differs by 255 at most
_OPAQUE_FROM: Final = 0.5

# For content of other colours, a cube of 6 values in each channel takes up most of the palette.
_STEPS: Final = 6
_STEP: Final = 255 / (_STEPS - 1)
_MIXED_BESIDE_CUBE: Final = _COLORS - _STEPS**3
_CUBE: Final = np.stack(np.meshgrid(*[np.arange(_STEPS) * _STEP] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
# Ordered dithering: what is added to each pixel of a pattern, in steps of the cube.
_DITHER: Final = (np.array([[0, 8, 2, 10], [12, 4, 14, 6], [3, 11, 1, 9], [15, 7, 13, 5]]) + 0.5) / 16


class Palette:
    """The first `mixed` entries are colours from the background's to the text's, the last one is transparent."""

    def __init__(self, colors: Colors, mixed: int, others: npt.NDArray[np.float64]) -> None:
        share = np.arange(mixed)[:, np.newaxis] / (mixed - 1)
        start, end = (
            np.array((color.red, color.green, color.blue), float) for color in (colors.background, colors.text)
        )
        self._mixed = mixed
        self._rgb = np.zeros((_SIZE, 3), np.uint8)
        self._rgb[:_COLORS] = rounded(np.concatenate((start + (end - start) * share, others)), 255)

    def encoded(self) -> npt.NDArray[np.uint32]:
        """Return the colours as libav reads them: each is 0xAARRGGBB."""
        red, green, blue = self._rgb.astype(np.uint32).T
        opaque = np.where(np.arange(_SIZE) < _COLORS, np.uint32(0xFF << 24), np.uint32(0))
        encoded: npt.NDArray[np.uint32] = opaque | red << 16 | green << 8 | blue
        return encoded

    def values(self, mixture: Mixture) -> Pixels:
        """Return the indices of mixed colours."""
        mixed = rounded(mixture.share * (self._mixed - 1), _COLORS)
        return np.where(mixture.alpha < _OPAQUE_FROM, np.uint8(_COLORS), mixed)

    def drawn_over(self, pixels: Pixels, overlay: Overlay) -> Pixels:
        """Return the indices of colours of the cube where there is something to draw."""
        total = np.maximum(overlay.total, np.float32(1e-6))
        rows = (overlay.top + np.arange(pixels.shape[0]))[:, np.newaxis] % 4
        columns = (overlay.left + np.arange(pixels.shape[1])) % 4
        index = np.zeros(pixels.shape, np.uint16)
        for channel, added in enumerate((overlay.red, overlay.green, overlay.blue)):
            value = (added + self._rgb[pixels, channel] * overlay.kept) / total
            step = np.clip(np.floor(value / np.float32(_STEP) + _DITHER[rows, columns]), 0, _STEPS - 1)
            index = index * _STEPS + step.astype(np.uint16)
        found = np.where(overlay.total < _OPAQUE_FROM, _COLORS, self._mixed + index)
        return np.where(overlay.alpha > 0, found, pixels).astype(np.uint8)


def mixed_palette(colors: Colors) -> Palette:
    """Return the palette of a text in one colour."""
    return Palette(colors, _COLORS, np.empty((0, 3)))


def many_colors_palette(colors: Colors) -> Palette:
    """Return the palette of a text with content of other colours."""
    return Palette(colors, _MIXED_BESIDE_CUBE, _CUBE)
