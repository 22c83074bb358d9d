"""Breaks paragraphs into lines and finds the font size at which they fit their box. Lengths are in em."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from services.backends.text.hyphenation import syllable_starts
from services.backends.text.linebreaks import Break
from services.backends.text.paragraphs import Paragraph

# A line's height is 1.2 em, as in browsers for most fonts. Taller ink increases it, up to a limit, so that a stack of
# combining marks doesn't shrink the rest of the text.
_ABOVE: Final = 0.95
_BELOW: Final = 0.25
_MIN_GAP: Final = 0.03  # between a line's ink and its edge
_MAX_ABOVE: Final = 1.6
_MAX_BELOW: Final = 1.0

# Where words needn't be legible to be kept whole: the text is small anyway, by request or by its length.
_MIN_SHARE_FOR_WHOLE_WORDS: Final = 0.75
_SEARCH_STEPS: Final = 14


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """The box that the lines must fit, and the font sizes that are tried, all in pixels.

    Words are kept whole, or syllables if that fails, where the font size need not go below `legible_size` for it.
    """

    width: float
    height: float
    size: float
    legible_size: float
    min_size: float


@dataclass(frozen=True, slots=True)
class Line:
    """Graphemes `start` to `end` of a paragraph, without trailing spaces; heights in em.

    `ends_at` is the kind of place at which the line ends; the end of a paragraph is `ALLOWED`.
    """

    paragraph: Paragraph
    start: int
    end: int
    above: float
    below: float
    ends_at: Break

    @property
    def height(self) -> float:
        """The line's height."""
        return self.above + self.below

    @property
    def has_hyphen(self) -> bool:
        """Whether a hyphen is drawn after the last grapheme."""
        return 0 < self.end < len(self.paragraph.graphemes) and self.paragraph.hyphens[self.end - 1] > 0


@dataclass(frozen=True, slots=True)
class Fitted:
    """Lines that fit a box at a font size in pixels; `is_cut` if some are omitted even at the minimum size."""

    size: float
    lines: Sequence[Line]
    is_cut: bool = False


def fit(paragraphs: Sequence[Paragraph], box: Box) -> Fitted:
    """Return the lines at the largest font size up to `box.size` at which they fit, with the best breaks.

    Whole words are better than syllables, syllables than other parts of words. A line begins or ends with a character
    that can't only if that is so at the minimum size too.
    """
    for worst in sorted(Break, reverse=True):
        if worst is Break.SYLLABLE:
            paragraphs = _hyphenated(paragraphs)
        search = _Search(paragraphs, box, worst)
        size = search.largest_size()
        if size is not None:
            return Fitted(size, [line for each in paragraphs for line in _balanced(each, box.width / size)])
    return _cut(Fitted(box.min_size, _lines(paragraphs, box.width / box.min_size)), box.height)


@dataclass(frozen=True, slots=True)
class _Search:
    """The search for the largest font size at which no line ends at a place worse than `worst`."""

    paragraphs: Sequence[Paragraph]
    box: Box
    worst: Break

    def largest_size(self) -> float | None:
        """Return the size, None if the lines don't even fit at the smallest one."""
        low = self.box.min_size
        if not self.fits(low):
            return None
        largest = _max_holding(self.fits, low, self.box.size)
        if self.worst <= Break.WITHIN_WORD:
            return largest
        return largest if largest >= self._smallest_for_whole_words() else None

    def _smallest_for_whole_words(self) -> float:
        broken = replace(self, worst=Break.WITHIN_WORD)
        largest = _max_holding(broken.fits, self.box.min_size, self.box.size)
        return min(self.box.legible_size, largest * _MIN_SHARE_FOR_WHOLE_WORDS)

    def fits(self, size: float) -> bool:
        """Return whether the lines fit at this font size."""
        lines = _lines(self.paragraphs, self.box.width / size)
        is_short = sum(line.height for line in lines) * size <= self.box.height
        return is_short and min(line.ends_at for line in lines) >= self.worst


def _hyphenated(paragraphs: Sequence[Paragraph]) -> list[Paragraph]:
    """Return the paragraphs with the syllables of their words."""
    whole_text = "\n".join(paragraph.text for paragraph in paragraphs)
    return [
        paragraph.with_syllables(frozenset(syllable_starts(paragraph.text, whole_text=whole_text)))
        for paragraph in paragraphs
    ]


def _lines(paragraphs: Sequence[Paragraph], width: float) -> list[Line]:
    return [line for paragraph in paragraphs for line in break_lines(paragraph, width)]


def break_lines(paragraph: Paragraph, width: float) -> list[Line]:
    """Fill one line after another; a word is broken only if it is wider than a line."""
    lines: list[Line] = []
    start = 0
    while start < len(paragraph.graphemes):
        end, ends_at = _line_end(paragraph, start, width)
        lines.append(_line(paragraph, start, end, ends_at))
        start = end
    return lines or [Line(paragraph, 0, 0, _ABOVE, _BELOW, Break.ALLOWED)]


def _line_end(paragraph: Paragraph, start: int, width: float) -> tuple[int, Break]:
    """Return the end of the line that starts at `start`, and the kind of this place."""
    count = len(paragraph.graphemes)
    used = 0.0
    ends: dict[Break, int] = {}  # the last place of each kind
    for index in range(start, count):
        used += paragraph.extents[index].advance
        if used > width and not paragraph.graphemes[index].is_space and index > start:
            best = max(ends, default=Break.NEVER)
            return ends.get(best, index), best
        hyphen = paragraph.hyphens[index]
        if paragraph.breaks[index] is not Break.NEVER and (hyphen == 0 or used + hyphen <= width):
            ends[paragraph.breaks[index]] = index + 1
    return count, Break.ALLOWED


def _line(paragraph: Paragraph, start: int, end: int, ends_at: Break) -> Line:
    while end > start and paragraph.graphemes[end - 1].is_space:
        end -= 1
    above = max((extent.above for extent in paragraph.extents[start:end]), default=0.0)
    below = max((extent.below for extent in paragraph.extents[start:end]), default=0.0)
    return Line(
        paragraph,
        start,
        end,
        min(max(above + _MIN_GAP, _ABOVE), _MAX_ABOVE),
        min(max(below + _MIN_GAP, _BELOW), _MAX_BELOW),
        ends_at,
    )


def _balanced(paragraph: Paragraph, width: float) -> list[Line]:
    """Break into as few lines as `width` allows, then make these lines as even as possible."""
    lines = break_lines(paragraph, width)
    if len(lines) == 1:
        return lines
    worst = min(line.ends_at for line in lines)

    def suffices(tried: float) -> bool:
        narrower = break_lines(paragraph, tried)
        return len(narrower) <= len(lines) and min(line.ends_at for line in narrower) >= worst

    min_width = -_max_holding(lambda tried: suffices(-tried), -width, -width / len(lines))
    return break_lines(paragraph, min_width)


def _max_holding(holds: Callable[[float], bool], low: float, high: float) -> float:
    """Return approximately the largest value for which `holds` is true, by bisection; it must be true for `low`."""
    if holds(high):
        return high
    for _ in range(_SEARCH_STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low


def _cut(fitted: Fitted, height: float) -> Fitted:
    return Fitted(fitted.size, list(_first_lines(fitted, height)), is_cut=True)


def _first_lines(fitted: Fitted, height: float) -> Iterator[Line]:
    used = 0.0
    for line in fitted.lines:
        used += line.height * fitted.size
        if used > height:
            return
        yield line
