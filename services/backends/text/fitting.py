"""Breaking paragraphs into lines, and the font size at which the lines fit their box. Lengths are in em."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from services.backends.text.linebreaks import Break
from services.backends.text.paragraphs import Paragraph

# A line's height is 1.2 em, as browsers give it for most fonts; taller ink makes its own line taller, up to a limit
# that keeps a stack of combining marks from shrinking everything else.
_ABOVE: Final = 0.95
_BELOW: Final = 0.25
_AIR: Final = 0.03  # between the ink of two lines, at least, for each of them
_HIGHEST_ABOVE: Final = 1.6
_DEEPEST_BELOW: Final = 1.0

# Words are kept whole as long as that costs no more than half of the font size.
_WHOLE_WORDS_WORTH: Final = 0.5
_STEPS: Final = 14


@dataclass(frozen=True, slots=True)
class Line:
    """Graphemes `start` to `end` of a paragraph, without the spaces that hang over its end; heights in em."""

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
    """Lines that fit a box at a font size in pixels; `is_cut` where even the smallest size left some out."""

    size: float
    lines: Sequence[Line]
    is_cut: bool = False


def fit(paragraphs: Sequence[Paragraph], *, size: float, smallest: float, width: float, height: float) -> Fitted:
    """Return the lines at the largest font size up to `size` at which they fit; `width` and `height` in pixels."""

    def lines_at(tried: float) -> list[Line]:
        return [line for paragraph in paragraphs for line in break_lines(paragraph, width / tried)]

    def fits(tried: float) -> bool:
        return sum(line.height for line in lines_at(tried)) * tried <= height

    def keeps_words(tried: float) -> bool:
        return fits(tried) and not any(line.breaks_word for line in lines_at(tried))

    if not fits(smallest):
        return _cut(Fitted(smallest, lines_at(smallest)), height)
    largest = _largest(fits, smallest, size)
    floor = max(smallest, largest * _WHOLE_WORDS_WORTH)
    best = _largest(keeps_words, floor, largest) if keeps_words(floor) else largest
    return Fitted(best, [line for paragraph in paragraphs for line in _balanced(paragraph, width / best)])


def break_lines(paragraph: Paragraph, width: float) -> list[Line]:
    """Fill one line after another; a word breaks only where it is wider than a line by itself."""
    lines: list[Line] = []
    start = 0
    while start < len(paragraph.graphemes):
        end, breaks_word = _line_end(paragraph, start, width)
        lines.append(_line(paragraph, start, end, breaks_word=breaks_word))
        start = end
    return lines or [Line(paragraph, 0, 0, _ABOVE, _BELOW, breaks_word=False)]


def _line_end(paragraph: Paragraph, start: int, width: float) -> tuple[int, bool]:
    """Return where the line that starts at `start` ends, and whether that is inside a word."""
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
        min(max(above + _AIR, _ABOVE), _HIGHEST_ABOVE),
        min(max(below + _AIR, _BELOW), _DEEPEST_BELOW),
        breaks_word,
    )


def _balanced(paragraph: Paragraph, width: float) -> list[Line]:
    """Break into as few lines as `width` allows, then make them as even as those allow."""
    lines = break_lines(paragraph, width)
    if len(lines) == 1:
        return lines
    words_broken = any(line.breaks_word for line in lines)

    def suffices(tried: float) -> bool:
        narrower = break_lines(paragraph, tried)
        return len(narrower) <= len(lines) and any(line.breaks_word for line in narrower) == words_broken

    narrowest = -_largest(lambda tried: suffices(-tried), -width, -width / len(lines))
    return break_lines(paragraph, narrowest)


def _largest(holds: Callable[[float], bool], low: float, high: float) -> float:
    """Return about the largest value for which `holds`, by halving the interval; it must hold for `low`."""
    if holds(high):
        return high
    for _ in range(_STEPS):
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
