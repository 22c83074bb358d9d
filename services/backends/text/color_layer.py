"""The pixels of glyphs with colours of their own, such as emoji, which are drawn over the text of one colour."""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from services.backends.text.component_values import Overlay, Plane
from services.backends.text.harfbuzz import Box, ColorRasterizer, Coverage, PlacedGlyph
from services.backends.text.mixture import Mixture
from services.backends.text.pictures import FULL, Picture, Sampling, subsampled
from services.renders.colors import Color

Pixels = npt.NDArray[np.uint8]

_MAX: Final = 255


class ColorLayer:
    """The coloured glyphs within the text's box. `foreground` is the colour of glyphs that have none of their own."""

    def __init__(self, foreground: Color) -> None:
        self._rasterizer = ColorRasterizer(foreground)
        self._alpha = foreground.alpha
        self._outer = self._inked = Box(0, 0, 0, 0)
        self._pixels: Pixels | None = None

    def clear(self, box: Box) -> None:
        """Remove all glyphs; the next ones are within `box`, which has even coordinates."""
        self._outer, self._pixels = box, None

    def add(self, glyphs: Sequence[PlacedGlyph]) -> None:
        """Draw glyphs over those that were added before."""
        for glyph in glyphs:
            box = glyph.pixels().common(self._outer)
            if box.is_empty:
                continue
            if self._pixels is None:
                size = (self._outer.bottom - self._outer.top, self._outer.right - self._outer.left, 4)
                self._inked, self._pixels = box, np.zeros(size, np.uint8)
            self._inked = self._inked.around(box)
            _draw_over(_cropped(self._pixels, self._outer, box), self._rasterizer.render(glyph, box))

    def write(
        self, picture: Picture, box: Box, coverage: Mapping[Sampling, Coverage], mixture: Mixture, *, opacity: float
    ) -> None:
        """Write the glyphs into a box of the picture that shows this coverage in this mixture."""
        inked, opacity = box.common(self._inked), opacity * self._alpha
        if self._pixels is None or inked.is_empty or opacity == 0:
            return
        overlays: dict[Sampling, Overlay] = {}
        for component in picture.components:
            sampling = component.sampling
            if sampling not in overlays:
                below = mixture.alpha.astype(np.float32)[_cropped(coverage[sampling], box, inked, sampling)]
                overlays[sampling] = self._overlay(inked, sampling, opacity=opacity, below=below)
            component.draw_over(inked, overlays[sampling])

    def _overlay(self, box: Box, sampling: Sampling, *, opacity: float, below: Plane) -> Overlay:
        blue, green, red, alpha = np.moveaxis(self._sampled(box, sampling) * np.float32(opacity), -1, 0)
        return Overlay(red, green, blue, alpha / np.float32(_MAX), below, left=box.left, top=box.top)

    def _sampled(self, box: Box, sampling: Sampling) -> Pixels:
        """Return a box's pixels in this sampling; the filter of chroma reads one pixel to its left."""
        if self._pixels is None:
            raise AssertionError  # `write` calls this only with pixels
        if sampling == FULL:
            return _cropped(self._pixels, self._outer, box)
        margin = 2 if box.left > self._outer.left else 0
        pixels = _cropped(self._pixels, self._outer, box._replace(left=box.left - margin))
        channels = [subsampled(pixels[..., channel], sampling) for channel in range(4)]
        return np.stack(channels, axis=-1)[:, margin // 2 :]


def _cropped(pixels: Pixels, outer: Box, inner: Box, sampling: Sampling = FULL) -> Pixels:
    """Return the part of `outer`'s pixels, which are in this sampling, within `inner`, as a view."""
    columns, rows = sampling
    return pixels[
        (inner.top - outer.top) // rows : (inner.bottom - outer.top) // rows,
        (inner.left - outer.left) // columns : (inner.right - outer.left) // columns,
    ]


def _draw_over(target: Pixels, source: Pixels) -> None:
    """Draw premultiplied pixels over others."""
    kept = _MAX - source[..., 3:].astype(np.uint16)
    target[:] = source + ((target * kept + _MAX // 2) // _MAX).astype(np.uint8)
