"""Measures paragraphs before they are broken into lines: graphemes with their fonts, scripts, levels and widths."""

from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import accumulate, groupby, zip_longest
from typing import Final

from services.backends.text.bidi import embedding_levels, is_rtl
from services.backends.text.characters import graphemes
from services.backends.text.fonts import FontStack
from services.backends.text.harfbuzz import COMMON_SCRIPT, Font, ShapedGlyph, script_of
from services.backends.text.linebreaks import Break, line_breaks

_HYPHENATED_SCRIPTS: Final = frozenset({"Cyrl", "Grek", "Latn"})
_HYPHENS: Final = "\u2010-"  # the first that a font has
_SOFT_HYPHEN: Final = "\u00ad"


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

    @property
    def is_hyphenated(self) -> bool:
        """Whether it is a letter of a script that divides words with a hyphen."""
        return self.script in _HYPHENATED_SCRIPTS and self.text[0].isalpha()


@dataclass(frozen=True, slots=True)
class Extent:
    """The size of a grapheme in em: its advance, and its ink above and below the baseline."""

    advance: float = 0.0
    above: float = 0.0
    below: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Paragraph:
    """The text between two line breaks, measured as a single line.

    `breaks[i]` is whether a line may end after grapheme `i`; `hyphens[i]` is the advance in em of the hyphen that is
    drawn if it does, or 0. `first` is the index of the paragraph's first grapheme in the whole text.
    """

    text: str
    first: int
    is_rtl: bool
    graphemes: Sequence[Grapheme]
    extents: Sequence[Extent]
    breaks: Sequence[Break]
    hyphens: Sequence[float]

    def with_syllables(self, starts: Container[int]) -> "Paragraph":
        """Return the paragraph with `SYLLABLE` before the characters `starts`, where a word could be broken anyway."""
        breaks = [
            Break.SYLLABLE if kind is Break.WITHIN_WORD and item.end in starts else kind
            for kind, item in zip(self.breaks, self.graphemes, strict=True)
        ]
        return replace(self, breaks=breaks)


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
    before = [*line_breaks(text), Break.NEVER]
    breaks = [before[item.end] for item in items]
    unmeasured = Paragraph(
        text=text,
        first=first,
        is_rtl=is_rtl(text),
        graphemes=items,
        extents=(),
        breaks=breaks,
        hyphens=list(_hyphens(items, breaks)),
    )
    return replace(unmeasured, extents=_extents(unmeasured))


def _hyphens(items: Sequence[Grapheme], breaks: Sequence[Break]) -> Iterator[float]:
    """Return the hyphen's advance after each grapheme: at a soft hyphen, and between two letters of a word."""
    advance = cache(lambda font: hyphen_of(font).advance)
    for (item, after), kind in zip(zip_longest(items, items[1:]), breaks, strict=True):
        divides = kind is Break.WITHIN_WORD and item.is_hyphenated and after is not None and after.is_hyphenated
        is_soft = kind is Break.ALLOWED and item.text == _SOFT_HYPHEN
        yield advance(item.font) if divides or is_soft else 0.0


def hyphen_of(font: Font) -> ShapedGlyph:
    """Return the glyph of the font that is drawn where a word is broken."""
    return font.shape(hyphen_in(font), 0, 1, rtl=False, script="Latn")[0]


def hyphen_in(font: Font) -> str:
    """Return the character whose glyph that is."""
    return next((each for each in _HYPHENS if font.covers(ord(each))), _HYPHENS[-1])


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
