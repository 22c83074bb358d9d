"""Paints frames: converts the coverage of the text to the values of a picture's components.

Blending in Y'CbCr equals blending in sRGB, as browsers do it, since one is a linear map of the other. Both colours are
constant over the frame, so a component's value depends on coverage alone: a table of 256 values per opacity.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np

from services.backends.text.color_layer import ColorLayer
from services.backends.text.harfbuzz import Box, Coverage, Ink, PlacedGlyph, Rasterizer
from services.backends.text.layout import Glyph, Layout
from services.backends.text.pictures import FULL, Picture, Sampling, subsampled, with_many_colors
from services.backends.text.styles import AT_REST, Pose

_PADDING: Final = 2  # pixels around the ink: one for antialiasing, one for the chroma filter


class Painter:
    """Paints one pose after another into the same picture, and changes only pixels that differ."""

    def __init__(self, picture: Picture, layout: Layout) -> None:
        """Fill the picture with the background."""
        has_color = any(glyph.font.has_color for glyph in layout.glyphs)
        self._picture = with_many_colors(picture) if has_color else picture
        self._colored = ColorLayer(picture.colors.text) if has_color else None
        self._layout = layout
        self._ink_at_rest = _ink_around(self._placed(layout.glyphs, AT_REST))
        self._rasterizer = Rasterizer()
        self._pose: Pose | None = None
        # Even, so that the coverage of subsampled chroma at the edges of pictures with odd sizes is known too.
        self._frame = Box(0, 0, picture.width + picture.width % 2, picture.height + picture.height % 2)
        self._background = picture.colors.mixture(0.0)
        self._box = Box(0, 0, 0, 0)
        self._coverage: Coverage = np.zeros((0, 0), np.uint8)
        self._erase(self._frame)

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
        """Compute the box for the new pose, and erase the text outside of it: inside, all pixels will be written."""
        before = self._box
        x, y = self._offset(pose)
        left, bottom, right, top = self._ink_at_rest
        scale = pose.scale
        self._box = self._bounds(Ink(x + scale * left, y + scale * bottom, x + scale * right, y + scale * top))
        for part in before.outside(self._box):
            self._erase(part)
        self._coverage = np.zeros((self._box.bottom - self._box.top, self._box.right - self._box.left), np.uint8)
        if self._colored:
            self._colored.clear(self._box)

    def _add(self, glyphs: Sequence[Glyph], pose: Pose) -> Box:
        """Add glyphs to the coverage and return the box that changed. Joined glyphs show no seam."""
        placed = self._placed(glyphs, pose)
        is_whole = len(placed) == len(self._layout.glyphs)
        box = self._box if is_whole else self._bounds(_ink_around(placed))
        if not box.is_empty:
            added = self._rasterizer.render([glyph for glyph in placed if not glyph.font.has_color], box)
            if is_whole:
                self._coverage = added
            else:
                target = _cropped(self._coverage, self._box, box)
                target += np.minimum(added, 255 - target)
            if self._colored:
                self._colored.add([glyph for glyph in placed if glyph.font.has_color])
        return box

    def _placed(self, glyphs: Iterable[Glyph], pose: Pose) -> list[PlacedGlyph]:
        x, y = self._offset(pose)
        scale, size = pose.scale, self._layout.size * pose.scale
        return [PlacedGlyph(each.font, each.glyph_id, x + scale * each.x, y + scale * each.y, size) for each in glyphs]

    def _offset(self, pose: Pose) -> tuple[float, float]:
        """Return where the frame's upper left corner is in this pose, in pixels of the frame."""
        width, height = self._picture.width, self._picture.height
        return width / 2 * (1 - pose.scale), height / 2 * (1 - pose.scale) + pose.drop

    def _bounds(self, ink: Ink) -> Box:
        """Return the box around ink, within the frame, on even coordinates."""
        if ink.left >= ink.right:
            return Box(0, 0, 0, 0)
        box = Box(
            max(0, math.floor(ink.left - _PADDING) // 2 * 2),
            max(0, math.floor(ink.top - _PADDING) // 2 * 2),
            min(self._frame.right, -(-math.ceil(ink.right + _PADDING) // 2) * 2),
            min(self._frame.bottom, -(-math.ceil(ink.bottom + _PADDING) // 2) * 2),
        )
        return Box(0, 0, 0, 0) if box.is_empty else box

    def _write(self, box: Box, *, opacity: float) -> None:
        """Write a part of the text's box to the picture."""
        if opacity == 0:
            self._erase(box)
            return
        if box.is_empty:
            return
        mixture = self._picture.colors.mixture(opacity)
        components = self._picture.components
        coverage = {sampling: self._sampled(box, sampling) for sampling in {each.sampling for each in components}}
        for component in components:
            component.write(box, coverage[component.sampling], mixture)
        if self._colored:
            self._colored.write(self._picture, box, coverage, mixture, opacity=opacity)

    def _erase(self, box: Box) -> None:
        """Write the background to a part of the picture."""
        if box.is_empty:
            return
        for component in self._picture.components:
            component.fill(box, self._background)

    def _sampled(self, box: Box, sampling: Sampling) -> Coverage:
        """Return a box's coverage in this sampling; the filter of chroma reads one pixel to its left."""
        if sampling == FULL:
            return _cropped(self._coverage, self._box, box)
        margin = 2 if box.left > self._box.left else 0
        context = _cropped(self._coverage, self._box, box._replace(left=box.left - margin))
        return subsampled(context, sampling)[:, margin // 2 :]


def _ink_around(glyphs: Iterable[PlacedGlyph]) -> Ink:
    """Return the bounds of the ink of all these glyphs, as `PlacedGlyph.ink_edges`; all zero if they have none."""
    edges = [glyph.ink_edges() for glyph in glyphs]
    inked = [ink for ink in edges if ink.left < ink.right]
    if not inked:
        return Ink(0.0, 0.0, 0.0, 0.0)
    left, bottom, right, top = zip(*inked, strict=True)
    return Ink(min(left), max(bottom), max(right), min(top))


def _newly_shown(glyphs: Sequence[Glyph], before: Pose | None, pose: Pose) -> list[Glyph]:
    """Return the glyphs that `pose` shows and `before` does not."""
    first, end = 0 if before is None else _shown(before), _shown(pose)
    return [glyph for glyph in glyphs if first <= glyph.grapheme < end]


def _shown(pose: Pose) -> float:
    return math.inf if pose.shown is None else pose.shown


def _cropped(coverage: Coverage, outer: Box, inner: Box) -> Coverage:
    """Return the part of `outer`'s coverage within `inner`, as a view."""
    return coverage[
        inner.top - outer.top : inner.bottom - outer.top, inner.left - outer.left : inner.right - outer.left
    ]
