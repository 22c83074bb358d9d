"""Fonts, shaping and rasterising with HarfBuzz. Lengths are in em unless pixels are mentioned."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import uharfbuzz as hb

Coverage = npt.NDArray[np.uint8]

COMMON_SCRIPT: Final = "Zyyy"


class Box(NamedTuple):
    """A rectangle of pixels: x grows rightwards, y downwards; `right` and `bottom` are exclusive."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def is_empty(self) -> bool:
        """Whether the box contains no pixel."""
        return self.left >= self.right or self.top >= self.bottom


@dataclass(frozen=True, slots=True)
class ShapedGlyph:
    """One glyph of a shaped run; `cluster` is the index of its first character."""

    glyph_id: int
    cluster: int
    x_offset: float
    y_offset: float  # upwards
    advance: float


class Ink(NamedTuple):
    """The bounds of a glyph's ink relative to its origin; `top` and `bottom` grow upwards."""

    left: float
    bottom: float
    right: float
    top: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedGlyph:
    """A glyph of a font with its origin in pixels of the frame, and its font size in pixels."""

    font: "Font"
    glyph_id: int
    x: float
    y: float
    size: float

    def ink_edges(self) -> Ink:
        """Return the bounds of its ink in the frame, in pixels; here `top` and `bottom` grow downwards."""
        ink = self.font.ink(self.glyph_id)
        return Ink(
            left=self.x + ink.left * self.size,
            bottom=self.y - ink.bottom * self.size,
            right=self.x + ink.right * self.size,
            top=self.y - ink.top * self.size,
        )


class Font:
    """One face of a font file at the given variations; the file is memory-mapped."""

    def __init__(self, path: Path, index: int, variations: dict[str, float]) -> None:
        """Open face `index` of the file at `path`."""
        face = hb.Face(hb.Blob.from_file_path(str(path)), index)
        self.name = path.name
        self._font = hb.Font(face)
        self._upem = float(face.upem)
        axes = {axis.tag: axis for axis in face.axis_infos}
        self._font.set_variations(
            {
                tag: min(max(value, axes[tag].min_value), axes[tag].max_value)
                for tag, value in variations.items()
                if tag in axes
            }
        )
        self._ink: dict[int, Ink] = {}

    def covers(self, codepoint: int) -> bool:
        """Return whether the font has a glyph for this character alone."""
        return self._font.get_nominal_glyph(codepoint) is not None

    def shape(self, text: str, start: int, end: int, *, rtl: bool, script: str) -> list[ShapedGlyph]:
        """Return the glyphs of `text[start:end]` from left to right; the rest of `text` is context for shaping."""
        buffer = hb.Buffer()
        buffer.add_codepoints([ord(character) for character in text], start, end - start)
        buffer.direction = "rtl" if rtl else "ltr"
        buffer.script = script
        buffer.cluster_level = hb.BufferClusterLevel.MONOTONE_GRAPHEMES
        hb.shape(self._font, buffer)
        em = self._upem
        return [
            ShapedGlyph(info.codepoint, info.cluster, place.x_offset / em, place.y_offset / em, place.x_advance / em)
            for info, place in zip(buffer.glyph_infos, buffer.glyph_positions, strict=True)
        ]

    def ink(self, glyph_id: int) -> Ink:
        """Return the bounds of a glyph's ink; all zero if it has none."""
        if glyph_id not in self._ink:
            self._ink[glyph_id] = self._measure_ink(glyph_id)
        return self._ink[glyph_id]

    def _measure_ink(self, glyph_id: int) -> Ink:
        extents = self._font.get_glyph_extents(glyph_id)
        if extents is None:
            return Ink(0.0, 0.0, 0.0, 0.0)
        left, top = extents.x_bearing / self._upem, extents.y_bearing / self._upem
        return Ink(left, top + extents.height / self._upem, left + extents.width / self._upem, top)

    def draw(self, rasterizer: hb.RasterDraw, glyph_id: int, *, x: float, y: float, size: float) -> None:
        """Add a glyph's outline to a HarfBuzz rasterizer whose y grows downwards; all in pixels."""
        scale = size / self._upem
        rasterizer.transform = (scale, 0.0, 0.0, -scale, x, y)
        rasterizer.draw_glyph(self._font, glyph_id)


class Rasterizer:
    """Converts outlines to coverage, from 0 for an empty pixel to 255 for a full one."""

    def __init__(self) -> None:
        """Create a reusable rasterizer."""
        self._draw = hb.RasterDraw()

    def render(self, glyphs: Iterable[PlacedGlyph], box: Box) -> Coverage:
        """Return the coverage of the box's pixels, rows from top to bottom; ink outside of it is clipped."""
        width, height = box.right - box.left, box.bottom - box.top
        self._draw.clear()
        self._draw.extents = hb.RasterExtents(box.left, box.top, width, height, 0)
        for glyph in glyphs:
            glyph.font.draw(self._draw, glyph.glyph_id, x=glyph.x, y=glyph.y, size=glyph.size)
        image = self._draw.render()
        rows = np.frombuffer(image.buffer, np.uint8).reshape(height, image.extents.stride)
        return rows[:, :width]


@lru_cache(maxsize=1024)
def script_of(character: str) -> str:
    """Return the ISO 15924 code of a character's script; `COMMON_SCRIPT` if many scripts share the character."""
    buffer = hb.Buffer()
    buffer.add_codepoints([ord(character)])
    buffer.guess_segment_properties()
    return str(buffer.script or COMMON_SCRIPT)
