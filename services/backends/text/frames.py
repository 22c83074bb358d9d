"""Paints frames: converts the coverage of the text to the values of a picture's components.

Blending in Y'CbCr equals blending in sRGB, as browsers do it, since one is a linear map of the other. Both colours are
constant over the frame, so a component's value depends on coverage alone: a table of 256 values per opacity.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np

from services.backends.text.harfbuzz import Box, Coverage, PlacedGlyph, Rasterizer
from services.backends.text.layout import Glyph, Layout
from services.backends.text.pictures import FULL, Picture, Sampling
from services.backends.text.styles import Pose

_PADDING: Final = 2  # pixels around the ink: one for antialiasing, one for the chroma filter


class Painter:
    """Paints one pose after another into the same picture, and changes only pixels that differ."""

    def __init__(self, picture: Picture, layout: Layout) -> None:
        """Fill the picture with the background."""
        self._picture = picture
        self._layout = layout
        self._rasterizer = Rasterizer()
        self._pose: Pose | None = None
        # Even, so that the coverage of subsampled chroma at the edges of pictures with odd sizes is known too.
        self._frame = Box(0, 0, picture.width + picture.width % 2, picture.height + picture.height % 2)
        self._box = self._frame
        self._coverage = np.zeros((self._frame.bottom, self._frame.right), np.uint8)
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
        width, height = self._picture.width, self._picture.height
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
        box = Box(
            max(0, math.floor(min(ink.left for ink in inked) - _PADDING) // 2 * 2),
            max(0, math.floor(min(ink.top for ink in inked) - _PADDING) // 2 * 2),
            min(self._frame.right, -(-math.ceil(max(ink.right for ink in inked) + _PADDING) // 2) * 2),
            min(self._frame.bottom, -(-math.ceil(max(ink.bottom for ink in inked) + _PADDING) // 2) * 2),
        )
        return Box(0, 0, 0, 0) if box.is_empty else box

    def _write(self, box: Box, *, opacity: float) -> None:
        """Write a part of the text's box to the picture."""
        if box.is_empty:
            return
        mixture = self._picture.colors.mixture(opacity)
        components = self._picture.components
        coverage = {sampling: self._sampled(box, sampling) for sampling in {each.sampling for each in components}}
        for component in components:
            component.write(box, coverage[component.sampling], mixture)

    def _sampled(self, box: Box, sampling: Sampling) -> Coverage:
        """Return a box's coverage in this sampling; the filter of chroma reads one pixel to its left."""
        if sampling == FULL:
            return _cropped(self._coverage, self._box, box)
        margin = 2 if box.left > self._box.left else 0
        context = _cropped(self._coverage, self._box, box._replace(left=box.left - margin))
        return subsampled(context, sampling)[:, margin // 2 :]


def subsampled(coverage: Coverage, sampling: Sampling) -> Coverage:
    """Halve coverage horizontally or in both directions, for chroma samples on even columns, between two rows.

    That is the position in MPEG-2 and the default of H.264 (ITU-T H.264, figure E-1, type 0); hence the weights 1, 2, 1
    over columns and 1, 1 over rows.
    """
    rows = coverage[0 :: sampling.rows].astype(np.uint16)
    if sampling.rows > 1:
        rows += coverage[1::2]
    even, right = rows[:, 0::2], rows[:, 1::2]
    left = np.concatenate((even[:, :1], right[:, :-1]), axis=1)
    shift = 1 + sampling.rows  # the weights' sum is 4 or 8
    return ((2 * even + left + right + (1 << shift - 1)) >> shift).astype(np.uint8)


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
