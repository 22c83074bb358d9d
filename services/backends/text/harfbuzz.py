"""Fonts, shaping and rasterising with HarfBuzz. Lengths are in em unless pixels are mentioned."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final, NamedTuple
from unicodedata import normalize

import numpy as np
import numpy.typing as npt
import uharfbuzz as hb

from services.backends.text.bitmaps import draw_bitmap
from services.backends.text.woff import unpack_woff
from services.renders.colors import Color

Coverage = npt.NDArray[np.uint8]

COMMON_SCRIPT: Final = "Zyyy"
_CONTEXT: Final = 5  # characters before and after a run that shaping reads: CONTEXT_LENGTH in HarfBuzz's hb-buffer.hh


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

    def common(self, other: "Box") -> "Box":
        """Return the part that both boxes share, which may be empty."""
        highest = (max(one, another) for one, another in zip(self[:2], other[:2], strict=True))
        lowest = (min(one, another) for one, another in zip(self[2:], other[2:], strict=True))
        return Box(*highest, *lowest)

    def outside(self, other: "Box") -> Iterator["Box"]:
        """Yield boxes that together are the part outside of the other box."""
        common = self.common(other)
        if common.is_empty:
            yield self
            return
        yield self._replace(bottom=common.top)
        yield self._replace(top=common.bottom)
        yield common._replace(left=self.left, right=common.left)
        yield common._replace(left=common.right, right=self.right)

    def around(self, other: "Box") -> "Box":
        """Return the smallest box with both boxes."""
        lowest = (min(one, another) for one, another in zip(self[:2], other[:2], strict=True))
        highest = (max(one, another) for one, another in zip(self[2:], other[2:], strict=True))
        return Box(*lowest, *highest)


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


class PlacedGlyph(NamedTuple):
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

    def pixels(self) -> Box:
        """Return the box around its ink, with the pixels at its edges, on even coordinates."""
        ink = self.ink_edges()
        return Box(
            math.floor(ink.left - 1) // 2 * 2,
            math.floor(ink.top - 1) // 2 * 2,
            -(-math.ceil(ink.right + 1) // 2) * 2,
            -(-math.ceil(ink.bottom + 1) // 2) * 2,
        )


class Font:
    """One face of a font file at the given variations; the file is memory-mapped, unless it is a WOFF file.

    `has_color` is whether it has glyphs of several colours, as layers (COLR) or bitmaps (CBDT, sbix).
    """

    def __init__(self, path: Path, index: int, variations: dict[str, float]) -> None:
        """Open face `index` of the file at `path`."""
        face = hb.Face(_unpacked(path) if path.suffix == ".woff" else hb.Blob.from_file_path(str(path)), index)
        self.name = path.name
        self.path, self.index, self.variations = path, index, variations
        has_vectors = bool(face.has_color_layers or face.has_color_paint)
        self.has_color = has_vectors or bool(face.has_color_png)
        self._has_bitmaps = self.has_color and not has_vectors
        self._font = hb.Font(face)
        self._upem = float(face.upem)
        axes = {axis.tag: axis for axis in face.axis_infos}
        self._location = {
            tag: min(max(value, axes[tag].min_value), axes[tag].max_value)
            for tag, value in variations.items()
            if tag in axes
        }
        self._font.set_variations(self._location)
        self._ink: dict[int, Ink] = {}

    def covers(self, codepoint: int) -> bool:
        """Return whether the font has a glyph for this character alone."""
        return self._font.get_nominal_glyph(codepoint) is not None

    def subset(self, text: str) -> bytes:
        """Return a font file with the glyphs of these characters only, at this font's variations.

        The glyph of a letter and its marks may be that of the composed character.
        """
        request = hb.SubsetInput()
        request.unicode_set.update(map(ord, text + normalize("NFC", text)))
        request.flags = hb.SubsetFlags.NOTDEF_OUTLINE
        for tag, value in self._location.items():
            request.pin_axis_location(self._font.face, tag, value)
        return bytes(hb.subset(self._font.face, request).blob.data)

    def shape(self, text: str, start: int, end: int, *, rtl: bool, script: str) -> list[ShapedGlyph]:
        """Return the glyphs of `text[start:end]` from left to right; the rest of `text` is context for shaping."""
        first = max(0, start - _CONTEXT)
        buffer = hb.Buffer()
        buffer.add_codepoints([ord(each) for each in text[first : end + _CONTEXT]], start - first, end - start)
        buffer.direction = "rtl" if rtl else "ltr"
        buffer.script = script
        buffer.cluster_level = hb.BufferClusterLevel.MONOTONE_GRAPHEMES
        hb.shape(self._font, buffer)
        em = self._upem
        return [
            ShapedGlyph(
                info.codepoint, first + info.cluster, place.x_offset / em, place.y_offset / em, place.x_advance / em
            )
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

    def paint(self, painter: hb.RasterPaint, glyph_id: int, *, x: float, y: float, size: float) -> None:
        """Paint a glyph in its colours, or in the painter's if it has none; as `draw`."""
        scale = size / self._upem
        painter.transform = (scale, 0.0, 0.0, -scale, x, y)
        painter.paint_glyph(self._font, glyph_id)

    def bitmap(self, glyph_id: int) -> bytes | None:
        """Return the largest PNG image of a glyph that is drawn so; None if it is an outline or has layers."""
        blob = self._font.get_glyph_color_png(glyph_id) if self._has_bitmaps else None
        return bytes(blob.data) if blob is not None and len(blob) else None


@lru_cache(maxsize=2)
def _unpacked(path: Path) -> hb.Blob:
    return hb.Blob(unpack_woff(path.read_bytes()))


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


class ColorRasterizer:
    """Paints glyphs of fonts with colours."""

    def __init__(self, foreground: Color) -> None:
        """Create a reusable rasterizer. Glyphs without colours of their own get the colour `foreground`, opaque."""
        self._paint = hb.RasterPaint()
        self._paint.foreground = hb.Color(foreground.red, foreground.green, foreground.blue, 255)

    def render(self, glyph: PlacedGlyph, box: Box) -> Coverage:
        """Return the box's pixels: rows from top to bottom of blue, green and red, premultiplied, and opacity."""
        width, height = box.right - box.left, box.bottom - box.top
        if (png := glyph.font.bitmap(glyph.glyph_id)) is not None:
            ink = glyph.ink_edges()
            edges = (ink.left - box.left, ink.top - box.top, ink.right - box.left, ink.bottom - box.top)
            return draw_bitmap(png, edges=edges, width=width, height=height)
        self._paint.clear()
        self._paint.extents = hb.RasterExtents(box.left, box.top, width, height, 0)
        glyph.font.paint(self._paint, glyph.glyph_id, x=glyph.x, y=glyph.y, size=glyph.size)
        image = self._paint.render()
        rows = np.frombuffer(image.buffer, np.uint8).reshape(height, image.extents.stride)
        return rows[:, : 4 * width].reshape(height, width, 4)


@lru_cache(maxsize=1024)
def script_of(character: str) -> str:
    """Return the ISO 15924 code of a character's script; `COMMON_SCRIPT` if many scripts share the character."""
    buffer = hb.Buffer()
    buffer.add_codepoints([ord(character)])
    buffer.guess_segment_properties()
    return str(buffer.script or COMMON_SCRIPT)
