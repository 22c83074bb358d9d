"""Lays out a text: computes its glyphs and their positions in the frame."""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain, pairwise
from typing import Final
from unicodedata import normalize

from services.backends.text.bidi import in_visual_order
from services.backends.text.characters import clean, graphemes
from services.backends.text.fitting import Box, Fitted, Line, fit
from services.backends.text.font_families import Families, find_family, installed_families, similar_family
from services.backends.text.fonts import FontStack
from services.backends.text.harfbuzz import Font, ShapedGlyph
from services.backends.text.paragraphs import Paragraph, Run, hyphen_in, hyphen_of, paragraphs_of, runs_of, shape_run
from services.backends.text.text_warnings import characters_replaced, family_replaced, font_warnings, size_warnings
from services.models import REGULAR_WEIGHT
from services.renders.validation import MARGIN, MIN_TEXT_SIZE

_LEGIBLE_SIZE: Final = 1 / 12  # of the frame's shorter side: text is not shrunk further to keep a word whole


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
class PlacedRun:
    """Neighbouring characters of one line, font and direction; see `models.text_layout.TextRun`."""

    text: str
    font: Font
    glyphs: Sequence[Glyph]
    x: float
    baseline: float
    is_rtl: bool
    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """The whole text at rest: its glyphs, their font size in pixels, and warnings for the render's owner.

    `runs` are the same text as characters, in the order of the lines.
    """

    glyphs: Sequence[Glyph]
    size: float
    grapheme_count: int
    warnings: Sequence[str]
    runs: Sequence[PlacedRun] = ()

    def scaled(self, scale: float) -> "Layout":
        """Return the layout of a frame `scale` times as wide and high, with the same lines and glyphs, without runs."""
        if scale == 1:
            return self
        glyphs = [replace(glyph, x=glyph.x * scale, y=glyph.y * scale) for glyph in self.glyphs]
        return replace(self, glyphs=glyphs, size=self.size * scale, runs=())


@dataclass(frozen=True, slots=True)
class _Measured:
    """A measured text, with the plain forms that replace some of its graphemes."""

    paragraphs: Sequence[Paragraph]
    fonts: FontStack
    plain: Mapping[str, str]


def lay_out(
    text: str,
    *,
    family: str,
    size: float,
    width: int,
    height: int,
    weight: int = REGULAR_WEIGHT,
    italic: bool = False,
    families: Families | None = None,
) -> Layout:
    """Wrap the text within the frame's margins, shrink it until it fits, and centre it.

    `families` are the available ones: those that are installed, by default.
    """
    text = clean(text)
    families = installed_families() if families is None else families
    found = find_family(family, families)
    key = found or similar_family(family)
    open_fonts = partial(FontStack, key, size=size, weight=weight, italic=italic, families=families)
    measured = _measured(text, open_fonts)
    fonts = measured.fonts
    fitted = fit(
        measured.paragraphs,
        Box(
            width=width * (1 - 2 * MARGIN),
            height=height * (1 - 2 * MARGIN),
            size=size,
            legible_size=min(width, height) * _LEGIBLE_SIZE,
            min_size=min(size, height * MIN_TEXT_SIZE),
        ),
    )
    runs = list(_place(fitted, width, height))
    return Layout(
        glyphs=[glyph for run in runs for glyph in run.glyphs],
        runs=runs,
        size=fitted.size,
        grapheme_count=sum(len(paragraph.graphemes) for paragraph in measured.paragraphs),
        warnings=[
            *([] if found else [family_replaced(family, fonts.face.family)]),
            *font_warnings(fonts, weight=weight, italic=italic),
            *([characters_replaced(measured.plain)] if measured.plain else []),
            *size_warnings(size, fitted.size, is_cut=fitted.is_cut),
        ],
    )


def _measured(text: str, open_fonts: Callable[..., FontStack]) -> "_Measured":
    """Measure the text. Graphemes that no font has are replaced by their plain form, if fonts have that."""
    fonts = open_fonts(text=text)
    paragraphs = paragraphs_of(text, fonts)
    plain = _plain_forms(fonts.missing, open_fonts(text=text)) if fonts.missing else {}
    if not plain:
        return _Measured(paragraphs, fonts, plain)
    text = "".join(plain.get(part, part) for part in graphemes(text))
    fonts = open_fonts(text=text)
    return _Measured(paragraphs_of(text, fonts), fonts, plain)


def _plain_forms(missing: Sequence[str], fonts: FontStack) -> dict[str, str]:
    """Return the forms by compatibility composition (UAX #15, NFKC) that the fonts have."""
    forms = {part: normalize("NFKC", part) for part in missing}
    for each in chain.from_iterable(map(graphemes, forms.values())):
        fonts.choose(each, None)
    without_font = set(fonts.missing)
    return {part: form for part, form in forms.items() if form and without_font.isdisjoint(graphemes(form))}


def _place(fitted: Fitted, width: int, height: int) -> Iterator[PlacedRun]:
    top = (height - sum(line.height for line in fitted.lines) * fitted.size) / 2
    for line in fitted.lines:
        yield from _place_line(line, fitted.size, centre=width / 2, baseline=top + line.above * fitted.size)
        top += line.height * fitted.size


def _place_line(line: Line, size: float, *, centre: float, baseline: float) -> Iterator[PlacedRun]:
    runs = runs_of(line.paragraph.graphemes, line.start, line.end)
    shaped = [(run, shape_run(line.paragraph, run, context=(line.start, line.end))) for run in runs]
    if line.has_hyphen:
        shaped[-1] = _with_hyphen(*shaped[-1])
    x = centre - size * sum(glyph.advance for _, glyphs in shaped for glyph in glyphs) / 2
    for run, glyphs in in_visual_order(shaped, [run.level for run in runs]):
        after = x + size * sum(glyph.advance for glyph in glyphs)
        is_rtl = run.level % 2 == 1
        yield PlacedRun(
            text=_text_of(line, run),
            font=run.font,
            glyphs=list(_place_run(line, run, glyphs, size=size, x=x, baseline=baseline)),
            x=after if is_rtl else x,
            baseline=baseline,
            is_rtl=is_rtl,
            start=line.paragraph.first + run.start,
            end=line.paragraph.first + run.end,
        )
        x = after


def _place_run(
    line: Line, run: Run, glyphs: Sequence[ShapedGlyph], *, size: float, x: float, baseline: float
) -> Iterator[Glyph]:
    grapheme_of = _last_graphemes(line, run, glyphs)
    for glyph in glyphs:
        place = (x + glyph.x_offset * size, baseline - glyph.y_offset * size)
        yield Glyph(run.font, glyph.glyph_id, *place, grapheme_of[glyph.cluster])
        x += glyph.advance * size


def _text_of(line: Line, run: Run) -> str:
    items = line.paragraph.graphemes
    text = line.paragraph.text[items[run.start].start : items[run.end - 1].end]
    return text + hyphen_in(run.font) if line.has_hyphen and run.end == line.end else text


def _with_hyphen(run: Run, glyphs: Sequence[ShapedGlyph]) -> tuple[Run, list[ShapedGlyph]]:
    """Add a hyphen after the run's last character; glyphs are ordered from left to right."""
    if run.level % 2:
        return run, [replace(hyphen_of(run.font), cluster=glyphs[0].cluster), *glyphs]
    return run, [*glyphs, replace(hyphen_of(run.font), cluster=glyphs[-1].cluster)]


def _last_graphemes(line: Line, run: Run, glyphs: Sequence[ShapedGlyph]) -> dict[int, int]:
    """Return the last grapheme of each cluster of a run, as an index into the whole text."""
    items = line.paragraph.graphemes[run.start : run.end]
    starts = [item.start for item in items]
    clusters = [*sorted({glyph.cluster for glyph in glyphs}), items[-1].end]
    offset = line.paragraph.first + run.start
    return {cluster: offset + bisect_right(starts, after - 1) - 1 for cluster, after in pairwise(clusters)}
