"""Measures paragraphs before they are broken into lines: graphemes with their fonts, scripts, levels and widths."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, groupby, pairwise

from services.backends.text.bidi import embedding_levels, is_rtl
from services.backends.text.characters import graphemes
from services.backends.text.fonts import FontStack
from services.backends.text.harfbuzz import COMMON_SCRIPT, Font, ShapedGlyph, script_of
from services.backends.text.linebreaks import Break, break_between


@dataclass(frozen=True, slots=True)
class Grapheme:
    """A user-perceived character; `start` and `end` are indices into the paragraph's text."""

    text: str
    start: int
    end: int
    font: Font
    script: str
    level: int

    @property
    def is_space(self) -> bool:
        """Whether it is white space, which is ignored at a line's end."""
        return self.text.isspace()


@dataclass(frozen=True, slots=True)
class Extent:
    """The size of a grapheme in em: its advance, and its ink above and below the baseline."""

    advance: float = 0.0
    above: float = 0.0
    below: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Paragraph:
    """The text between two line breaks, measured as a single line.

    `breaks[i]` is whether a line may end after grapheme `i`; `first` is the index of its first grapheme in the whole
    text.
    """

    text: str
    first: int
    is_rtl: bool
    graphemes: Sequence[Grapheme]
    extents: Sequence[Extent]
    breaks: Sequence[Break]


@dataclass(frozen=True, slots=True)
class Run:
    """Neighbouring graphemes, `start` to `end` of their paragraph, that share font, script and level."""

    start: int
    end: int
    font: Font
    script: str
    level: int


def paragraphs_of(text: str, fonts: FontStack) -> list[Paragraph]:
    """Measure the paragraphs of a text that `characters.clean` has cleaned."""
    paragraphs: list[Paragraph] = []
    first = 0
    for line in text.split("\n"):
        paragraphs.append(_measure(line, first, fonts))
        first += len(paragraphs[-1].graphemes)
    return paragraphs


def runs_of(graphemes_: Sequence[Grapheme], start: int, end: int) -> list[Run]:
    """Split graphemes `start` to `end` into runs, in logical order."""
    runs: list[Run] = []
    indices = range(start, end)
    for (font, script, level), members in groupby(
        indices, lambda index: (graphemes_[index].font, graphemes_[index].script, graphemes_[index].level)
    ):
        length = len(list(members))
        first = runs[-1].end if runs else start
        runs.append(Run(first, first + length, font, script, level))
    return runs


def shape_run(paragraph: Paragraph, run: Run, *, context: tuple[int, int]) -> list[ShapedGlyph]:
    """Shape one run in the context of the graphemes `context` of its paragraph; clusters index the paragraph's text."""
    origin, limit = paragraph.graphemes[context[0]].start, paragraph.graphemes[context[1] - 1].end
    start, end = paragraph.graphemes[run.start].start, paragraph.graphemes[run.end - 1].end
    glyphs = run.font.shape(
        paragraph.text[origin:limit], start - origin, end - origin, rtl=run.level % 2 == 1, script=run.script
    )
    return [
        ShapedGlyph(glyph.glyph_id, glyph.cluster + origin, glyph.x_offset, glyph.y_offset, glyph.advance)
        for glyph in glyphs
    ]


def _measure(text: str, first: int, fonts: FontStack) -> Paragraph:
    items = list(_itemise(text, fonts))
    unmeasured = Paragraph(
        text=text,
        first=first,
        is_rtl=is_rtl(text),
        graphemes=items,
        extents=(),
        breaks=[break_between(before.text, after.text) for before, after in pairwise(items)],
    )
    return replace(unmeasured, extents=_extents(unmeasured))


def _itemise(text: str, fonts: FontStack) -> Iterator[Grapheme]:
    parts = graphemes(text)
    ends = list(accumulate(len(part) for part in parts))
    levels = embedding_levels(text)
    font: Font | None = None
    for part, script, end in zip(parts, _scripts(parts), ends, strict=True):
        start = end - len(part)
        font = fonts.choose(part, font)
        yield Grapheme(part, start, end, font, script, levels[start])


def _scripts(parts: Sequence[str]) -> list[str]:
    """Return each grapheme's script; common characters have the script of the text before them, else after them."""
    own = [_own_script(part) for part in parts]
    current = next((script for script in own if script != COMMON_SCRIPT), COMMON_SCRIPT)
    result: list[str] = []
    for script in own:
        current = current if script == COMMON_SCRIPT else script
        result.append(current)
    return result


def _own_script(grapheme: str) -> str:
    scripts = (script_of(character) for character in grapheme)
    return next((script for script in scripts if script != COMMON_SCRIPT), COMMON_SCRIPT)


def _extents(paragraph: Paragraph) -> list[Extent]:
    count = len(paragraph.graphemes)
    grapheme_at = [index for index, item in enumerate(paragraph.graphemes) for _ in item.text]
    extents = [Extent()] * count
    for run in runs_of(paragraph.graphemes, 0, count):
        for glyph in shape_run(paragraph, run, context=(0, count)):
            index = grapheme_at[glyph.cluster]
            extents[index] = _enlarged(extents[index], glyph, run.font)
    return extents


def _enlarged(extent: Extent, glyph: ShapedGlyph, font: Font) -> Extent:
    ink = font.ink(glyph.glyph_id)
    return Extent(
        extent.advance + glyph.advance,
        max(extent.above, ink.top + glyph.y_offset),
        max(extent.below, -ink.bottom - glyph.y_offset),
    )
