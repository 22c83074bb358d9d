"""The Unicode Bidirectional Algorithm (UAX #9) through python-bidi, and the visual order of a line's runs."""

import re
from collections.abc import Sequence
from typing import Final, TypeVar
from unicodedata import bidirectional

from bidi import get_base_level, get_display

_RTL_CLASSES: Final = frozenset({"R", "AL", "AN", "RLE", "RLO", "RLI", "FSI"})
_LEVEL: Final = re.compile(r"Level\(\s*(\d+),?\s*\)")

Run = TypeVar("Run")


def embedding_levels(paragraph: str) -> list[int]:
    """Return the embedding level of each character of one paragraph; odd levels run from right to left.

    The paragraph's direction is that of its first strong character (rules P2 and P3).
    """
    if all(bidirectional(character) not in _RTL_CLASSES for character in paragraph):
        return [0] * len(paragraph)
    by_byte = _levels_by_byte(paragraph)
    levels: list[int] = []
    position = 0
    for character in paragraph:
        levels.append(by_byte[position])
        position += len(character.encode())
    return levels


def is_rtl(paragraph: str) -> bool:
    """Whether a paragraph's first strong character runs from right to left."""
    return bool(paragraph) and get_base_level(paragraph) == 1


def in_visual_order(runs: Sequence[Run], levels: Sequence[int]) -> list[Run]:
    """Return the runs of one line from left to right (rule L2), given the level of each."""
    ordered = list(range(len(runs)))
    odd = [level for level in levels if level % 2]
    for threshold in range(max(levels, default=0), min(odd, default=1) - 1, -1):
        ordered = _reversed_where(ordered, [levels[index] >= threshold for index in ordered])
    return [runs[index] for index in ordered]


def _reversed_where(order: list[int], selected: list[bool]) -> list[int]:
    """Reverse each maximal range of `order` whose items are all selected."""
    result: list[int] = []
    selected_range: list[int] = []
    for index, is_selected in zip(order, selected, strict=True):
        if is_selected:
            selected_range.append(index)
            continue
        result += [*reversed(selected_range), index]
        selected_range = []
    return result + selected_range[::-1]


def _levels_by_byte(paragraph: str) -> list[int]:
    """Return the level of each byte of the paragraph in UTF-8.

    python-bidi returns levels only in the printed form of the Rust crate's result, which starts with the text, its line
    breaks escaped.
    """
    printed = str(get_display(paragraph, debug=True))
    start = printed.rindex("\n    levels: [")
    levels = [int(level) for level in _LEVEL.findall(printed, start, printed.rindex("\n    paragraphs: ["))]
    if len(levels) != len(paragraph.encode()):
        raise RuntimeError("python-bidi printed its levels in an unknown format.")
    return levels
