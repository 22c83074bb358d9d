"""Breaks paragraphs into lines and finds the font size at which they fit their box. Lengths are in em."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from services.backends.text.linebreaks import Break
from services.backends.text.paragraphs import Paragraph

# A line's height is 1.2 em, as in browsers for most fonts. Taller ink increases it, up to a limit, so that a stack of
# combining marks doesn't shrink the rest of the text.
_ABOVE: Final = 0.95
_BELOW: Final = 0.25
_MIN_GAP: Final = 0.03  # between a line's ink and its edge
_MAX_ABOVE: Final = 1.6
_MAX_BELOW: Final = 1.0

# Words are kept whole unless the font size would fall below this share of the size with broken words.
_MIN_SHARE_FOR_WHOLE_WORDS: Final = 0.5
_SEARCH_STEPS: Final = 14


@dataclass(frozen=True, slots=True)
class Line:
    """Graphemes `start` to `end` of a paragraph, without trailing spaces; heights in em."""

    paragraph: Paragraph
    start: int
    end: int
    above: float
    below: float
    breaks_word: bool

    @property
    def height(self) -> float:
        """The line's height."""
        return self.above + self.below


@dataclass(frozen=True, slots=True)
class Fitted:
    """Lines that fit a box at a font size in pixels; `is_cut` if some are omitted even at the minimum size."""

    size: float
    lines: Sequence[Line]
    is_cut: bool = False


def fit(paragraphs: Sequence[Paragraph], *, size: float, min_size: float, width: float, height: float) -> Fitted:
    """Return the lines at the largest font size up to `size` at which they fit; `width` and `height` in pixels."""

    def lines_at(tried: float) -> list[Line]:
        return [line for paragraph in paragraphs for line in break_lines(paragraph, width / tried)]

    def fits(tried: float) -> bool:
        return sum(line.height for line in lines_at(tried)) * tried <= height

    def keeps_words(tried: float) -> bool:
        return fits(tried) and not any(line.breaks_word for line in lines_at(tried))

    if not fits(min_size):
        return _cut(Fitted(min_size, lines_at(min_size)), height)
    max_fitting = _max_holding(fits, min_size, size)
    floor = max(min_size, max_fitting * _MIN_SHARE_FOR_WHOLE_WORDS)
    best = _max_holding(keeps_words, floor, max_fitting) if keeps_words(floor) else max_fitting
    return Fitted(best, [line for paragraph in paragraphs for line in _balanced(paragraph, width / best)])


def break_lines(paragraph: Paragraph, width: float) -> list[Line]:
    """Fill one line after another; a word is broken only if it is wider than a line."""
    lines: list[Line] = []
    start = 0
    while start < len(paragraph.graphemes):
        end, breaks_word = _line_end(paragraph, start, width)
        lines.append(_line(paragraph, start, end, breaks_word=breaks_word))
        start = end
    return lines or [Line(paragraph, 0, 0, _ABOVE, _BELOW, breaks_word=False)]


def _line_end(paragraph: Paragraph, start: int, width: float) -> tuple[int, bool]:
    """Return the end of the line that starts at `start`, and whether it is inside a word."""
    count = len(paragraph.graphemes)
    used = 0.0
    opportunity = start
    for index in range(start, count):
        used += paragraph.extents[index].advance
        if used > width and not paragraph.graphemes[index].is_space and index > start:
            return (opportunity, False) if opportunity > start else (index, True)
        if index + 1 < count and paragraph.breaks[index] is Break.ALLOWED:
            opportunity = index + 1
    return count, False


def _line(paragraph: Paragraph, start: int, end: int, *, breaks_word: bool) -> Line:
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
        breaks_word,
    )


def _balanced(paragraph: Paragraph, width: float) -> list[Line]:
    """Break into as few lines as `width` allows, then make these lines as even as possible."""
    lines = break_lines(paragraph, width)
    if len(lines) == 1:
        return lines
    words_broken = any(line.breaks_word for line in lines)

    def suffices(tried: float) -> bool:
        narrower = break_lines(paragraph, tried)
        return len(narrower) <= len(lines) and any(line.breaks_word for line in narrower) == words_broken

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
