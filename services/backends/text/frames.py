"""Paints frames: blends the text's coverage with the background, directly in Y'CbCr planes.

Blending in Y'CbCr equals blending in sRGB, as browsers do it, since one is a linear map of the other. Both colours are
constant over the frame, so a plane's value depends on coverage alone: a table of 256 values per opacity.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from services.backends.text.bt709 import to_ycbcr
from services.backends.text.harfbuzz import Box, Coverage, PlacedGlyph, Rasterizer
from services.backends.text.layout import Glyph, Layout
from services.backends.text.styles import Pose
from services.renders.colors import Color

Plane = npt.NDArray[np.uint8]

_PADDING: Final = 2  # pixels around the ink: one for antialiasing, one for the chroma filter


@dataclass(frozen=True, slots=True)
class Picture:
    """The planes of one 4:2:0 frame, which the encoder reads; chroma has half the width and half the height."""

    y: Plane
    cb: Plane
    cr: Plane


class Painter:
    """Paints one pose after another into the same picture, and changes only pixels that differ."""

    def __init__(self, picture: Picture, layout: Layout, *, text: Color, background: Color) -> None:
        """Fill the picture with the background, over black if it is translucent."""
        self._picture = picture
        self._layout = layout
        self._alpha = text.alpha
        self._from = to_ycbcr(background.over_black())
        self._to = to_ycbcr(Color(red=text.red, green=text.green, blue=text.blue))
        self._rasterizer = Rasterizer()
        self._pose: Pose | None = None
        self._box = Box(0, 0, picture.y.shape[1], picture.y.shape[0])
        self._coverage = np.zeros(picture.y.shape, np.uint8)
        self._write(self._box, opacity=0.0)

    def paint(self, pose: Pose) -> None:
        """Paint this pose into the picture."""
        if pose == self._pose:
            return
        before, self._pose = self._pose, pose
        if before is None or (before.scale, before.drop) != (pose.scale, pose.drop):
            self._move(pose)
            before = None
        new = _newly_shown(self._layout.glyphs, before, pose)
        changed = self._add(new, pose)
        whole = before is None or before.opacity != pose.opacity
        self._write(self._box if whole else changed, opacity=pose.opacity)

    def _move(self, pose: Pose) -> None:
        """Erase the text and compute the box for the new pose."""
        self._write(self._box, opacity=0.0)
        self._box = self._bounds(self._placed(self._layout.glyphs, pose))
        self._coverage = np.zeros((self._box.bottom - self._box.top, self._box.right - self._box.left), np.uint8)

    def _add(self, glyphs: Sequence[Glyph], pose: Pose) -> Box:
        """Add glyphs to the coverage and return the box that changed. Joined glyphs show no seam."""
        placed = self._placed(glyphs, pose)
        box = self._bounds(placed)
        if not box.is_empty:
            target = _cropped(self._coverage, self._box, box)
            target += np.minimum(self._rasterizer.render(placed, box), 255 - target)
        return box

    def _placed(self, glyphs: Iterable[Glyph], pose: Pose) -> list[PlacedGlyph]:
        height, width = self._picture.y.shape
        x, y = width / 2 * (1 - pose.scale), height / 2 * (1 - pose.scale) + pose.drop
        size = self._layout.size * pose.scale
        return [
            PlacedGlyph(
                font=glyph.font,
                glyph_id=glyph.glyph_id,
                x=x + pose.scale * glyph.x,
                y=y + pose.scale * glyph.y,
                size=size,
            )
            for glyph in glyphs
        ]

    def _bounds(self, glyphs: Sequence[PlacedGlyph]) -> Box:
        """Return the box around the glyphs' ink, within the frame, on even coordinates."""
        edges = [glyph.ink_edges() for glyph in glyphs]
        inked = [ink for ink in edges if ink.left < ink.right]
        if not inked:
            return Box(0, 0, 0, 0)
        height, width = self._picture.y.shape
        box = Box(
            max(0, math.floor(min(ink.left for ink in inked) - _PADDING) // 2 * 2),
            max(0, math.floor(min(ink.top for ink in inked) - _PADDING) // 2 * 2),
            min(width, -(-math.ceil(max(ink.right for ink in inked) + _PADDING) // 2) * 2),
            min(height, -(-math.ceil(max(ink.bottom for ink in inked) + _PADDING) // 2) * 2),
        )
        return Box(0, 0, 0, 0) if box.is_empty else box

    def _write(self, box: Box, *, opacity: float) -> None:
        """Write a part of the text's box to the planes."""
        if box.is_empty:
            return
        luma = _cropped(self._coverage, self._box, box)
        chroma = self._chroma_coverage(box)
        half = Box(*(edge // 2 for edge in box))
        picture, opacity = self._picture, opacity * self._alpha
        for plane, area, values, start, end in (
            (picture.y, box, luma, self._from.y, self._to.y),
            (picture.cb, half, chroma, self._from.cb, self._to.cb),
            (picture.cr, half, chroma, self._from.cr, self._to.cr),
        ):
            plane[area.top : area.bottom, area.left : area.right] = mixed(values, start, end, opacity=opacity)

    def _chroma_coverage(self, box: Box) -> Coverage:
        """Return the chroma samples' coverage of a box; the filter reads one pixel to its left."""
        margin = 2 if box.left > self._box.left else 0
        context = _cropped(self._coverage, self._box, box._replace(left=box.left - margin))
        return subsampled(context)[:, margin // 2 :]


def mixed(coverage: Coverage, start: float, end: float, *, opacity: float) -> Plane:
    """Return a plane's values, from `start` without coverage to `end` with full coverage at opacity 1."""
    table = np.rint(start + (end - start) * opacity * np.arange(256) / 255).astype(np.uint8)
    values = coverage.tobytes().translate(table.tobytes())
    return np.frombuffer(values, np.uint8).reshape(coverage.shape)


def subsampled(coverage: Coverage) -> Coverage:
    """Halve coverage in both directions, for chroma samples on even columns, between two rows.

    That is the position in MPEG-2 and the default of H.264 (ITU-T H.264, figure E-1, type 0); hence the weights 1, 2, 1
    over columns and 1, 1 over rows.
    """
    rows = coverage[0::2].astype(np.uint16) + coverage[1::2]
    even, right = rows[:, 0::2], rows[:, 1::2]
    left = np.concatenate((even[:, :1], right[:, :-1]), axis=1)
    return ((2 * even + left + right + 4) >> 3).astype(np.uint8)


def upsampled(chroma: Plane) -> Plane:
    """Scale chroma to the height and width of luma, from the nearest samples at the positions of `subsampled`."""
    padded = np.pad(chroma, 1, mode="edge").astype(np.uint16)
    above, here, below = padded[:-2, 1:], padded[1:-1, 1:], padded[2:, 1:]
    rows = np.stack((3 * here + above, 3 * here + below), axis=1).reshape(2 * chroma.shape[0], -1)
    columns = np.stack((2 * rows[:, :-1], rows[:, :-1] + rows[:, 1:]), axis=2)
    return ((columns.reshape(len(rows), -1) + 4) >> 3).astype(np.uint8)


def _newly_shown(glyphs: Sequence[Glyph], before: Pose | None, pose: Pose) -> list[Glyph]:
    """Return the glyphs that `pose` shows and `before` does not."""
    first = 0 if before is None else _shown(before)
    return [glyph for glyph in glyphs if first <= glyph.grapheme < _shown(pose)]


def _shown(pose: Pose) -> float:
    return math.inf if pose.shown is None else pose.shown


def _cropped(coverage: Coverage, outer: Box, inner: Box) -> Coverage:
    """Return the part of `outer`'s coverage within `inner`, as a view."""
    return coverage[
        inner.top - outer.top : inner.bottom - outer.top, inner.left - outer.left : inner.right - outer.left
    ]
