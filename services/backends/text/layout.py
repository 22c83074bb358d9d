"""Lays out a text: computes its glyphs and their positions in the frame."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

from services.backends.text.bidi import in_visual_order
from services.backends.text.characters import clean, is_invisible
from services.backends.text.fitting import Fitted, Line, fit
from services.backends.text.fonts import DEFAULT_FAMILY, FontStack, find_family
from services.backends.text.harfbuzz import Font, ShapedGlyph
from services.backends.text.paragraphs import Run, paragraphs_of, runs_of, shape_run

MARGIN: Final = 0.075  # of the frame's width and height, on each side
_MIN_SIZE: Final = 1 / 45  # of the frame's height: text is not shrunk further
_MAX_LISTED: Final = 5  # missing characters named in a warning


@dataclass(frozen=True, slots=True)
class Glyph:
    """A glyph at rest: its origin in pixels of the frame, y downwards.

    `grapheme` is the index of its grapheme in the whole text; for a ligature, of the last one.
    """

    font: Font
    glyph_id: int
    x: float
    y: float
    grapheme: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """The whole text at rest: its glyphs, their font size in pixels, and warnings for the render's owner."""

    glyphs: Sequence[Glyph]
    size: float
    grapheme_count: int
    warnings: Sequence[str]

    def scaled(self, scale: float) -> "Layout":
        """Return the layout of a frame `scale` times as wide and high, with the same lines and glyphs."""
        if scale == 1:
            return self
        glyphs = [replace(glyph, x=glyph.x * scale, y=glyph.y * scale) for glyph in self.glyphs]
        return replace(self, glyphs=glyphs, size=self.size * scale)


def lay_out(text: str, *, family: str, size: float, width: int, height: int) -> Layout:
    """Wrap the text within the frame's margins, shrink it until it fits, and centre it."""
    text = clean(text)
    found = find_family(family)
    fonts = FontStack(found or DEFAULT_FAMILY.casefold(), size=size, text=text)
    paragraphs = paragraphs_of(text, fonts)
    fitted = fit(
        paragraphs,
        size=size,
        min_size=min(size, height * _MIN_SIZE),
        width=width * (1 - 2 * MARGIN),
        height=height * (1 - 2 * MARGIN),
    )
    return Layout(
        glyphs=list(_place(fitted, width, height)),
        size=fitted.size,
        grapheme_count=sum(len(paragraph.graphemes) for paragraph in paragraphs),
        warnings=list(_warnings(family if found is None else None, fonts.missing, fitted)),
    )


def _place(fitted: Fitted, width: int, height: int) -> Iterator[Glyph]:
    top = (height - sum(line.height for line in fitted.lines) * fitted.size) / 2
    for line in fitted.lines:
        yield from _place_line(line, fitted.size, centre=width / 2, baseline=top + line.above * fitted.size)
        top += line.height * fitted.size


def _place_line(line: Line, size: float, *, centre: float, baseline: float) -> Iterator[Glyph]:
    runs = runs_of(line.paragraph.graphemes, line.start, line.end)
    shaped = [(run, shape_run(line.paragraph, run, context=(line.start, line.end))) for run in runs]
    advance = sum(glyph.advance for _, glyphs in shaped for glyph in glyphs)
    x = centre - advance * size / 2
    for run, glyphs in in_visual_order(shaped, [run.level for run in runs]):
        grapheme_of = _last_graphemes(line, run, glyphs)
        for glyph in glyphs:
            place = (x + glyph.x_offset * size, baseline - glyph.y_offset * size)
            yield Glyph(run.font, glyph.glyph_id, *place, grapheme_of[glyph.cluster])
            x += glyph.advance * size


def _last_graphemes(line: Line, run: Run, glyphs: Sequence[ShapedGlyph]) -> dict[int, int]:
    """Return the last grapheme of each cluster of a run, as an index into the whole text."""
    items = line.paragraph.graphemes[run.start : run.end]
    starts = [item.start for item in items]
    clusters = [*sorted({glyph.cluster for glyph in glyphs}), items[-1].end]
    offset = line.paragraph.first + run.start
    return {cluster: offset + bisect_right(starts, after - 1) - 1 for cluster, after in pairwise(clusters)}


def _warnings(unknown_family: str | None, missing: Sequence[str], fitted: Fitted) -> Iterator[str]:
    if unknown_family is not None:
        yield f"The font family {unknown_family} is not installed; {DEFAULT_FAMILY} was used instead."
    if missing:
        yield f"No installed font has a glyph for {_listed(missing)}; boxes are shown instead."
    if fitted.is_cut:
        yield "The text does not fit the frame even at the minimum font size; its end is omitted."


def _listed(missing: Sequence[str]) -> str:
    names = [_named(grapheme) for grapheme in missing]
    more = f" and {len(names) - _MAX_LISTED} more" if len(names) > _MAX_LISTED else ""
    return ", ".join(names[:_MAX_LISTED]) + more


def _named(grapheme: str) -> str:
    return " ".join(f"U+{ord(character):04X}" for character in grapheme if not is_invisible(character))
