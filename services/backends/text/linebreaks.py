"""Finds where a line may end: by the Unicode line breaking algorithm (UAX #14) with ICU's dictionaries, through icu4py.

Thai, Lao, Khmer and Burmese break between words. Chinese, Japanese and Korean break between phrases, as their captions
are set: a subset of the opportunities that UAX #14 gives them.
"""

from enum import IntEnum
from itertools import accumulate
from typing import Final

import regex
from icu4py.breakers import LineBreaker


class Break(IntEnum):
    """Whether a line may end at a place, from worst to best."""

    NEVER = 0  # the next line would begin, or this one end, with a character that can't
    WITHIN_WORD = 1  # only if the word is wider than a line
    SYLLABLE = 2  # likewise, with a hyphen
    ALLOWED = 3


# `lb-strict`: no line begins with a small kana or a prolonged sound mark. `lw-phrase` selects the dictionaries of
# Chinese and Japanese, and keeps Korean words whole; it ignores `lb`, so both are asked.
_STRICT: Final = "ja-u-lb-strict"
_PHRASES: Final = "ja-u-lw-phrase"

# A word breaks as if its letters were ideographs (as by `word-break: break-all` in CSS), except around characters that
# begin or end a syllable: these are treated as an opening bracket or as an iteration mark.
_IDEOGRAPH: Final = "漢"
_OPENING: Final = "「"
_CLOSING: Final = "々"
_LETTERS: Final = regex.compile(
    r"(?P<opening>\p{Logical_Order_Exception})"
    r"|(?P<closing>(?<=\p{InSC=Invisible_Stacker})\p{L}|\p{L}(?=[\u103a\u17cb])|[ฯຯๆໆៗ]"
    r"|[[\p{InSC=Vowel_Dependent}\p{InSC=Consonant_Medial}]&&\p{L}])"
    r"|(?P<letter>[[\p{lb=AL}\p{lb=AI}\p{lb=HL}\p{lb=NU}\p{lb=SA}\p{lb=XX}]--\p{M}])",
    regex.VERSION1,
)

# Even after a space: punctuation that ends a sentence or clause, small kana, and signs that repeat a word.
_NEVER_FIRST: Final = regex.compile(r"[\p{Terminal_Punctuation}\p{lb=CJ}ๆໆៗ]")


def line_breaks(text: str) -> list[Break]:
    """Return for each character of one paragraph whether a line may end before it."""
    within = _segment_ends(_LETTERS.sub(_as_ideograph, text), _STRICT)
    between = _segment_ends(text, _STRICT) & _segment_ends(text, _PHRASES)
    breaks = [Break.NEVER] * len(text)
    for kind, ends in ((Break.WITHIN_WORD, within), (Break.ALLOWED, between)):
        for index in ends - {len(text)}:
            if not _NEVER_FIRST.match(text[index]):
                breaks[index] = kind
    return breaks


def _segment_ends(text: str, locale: str) -> set[int]:
    return set(accumulate(len(segment) for segment in LineBreaker(text, locale)))


def _as_ideograph(match: regex.Match[str]) -> str:
    return {"opening": _OPENING, "closing": _CLOSING}.get(str(match.lastgroup), _IDEOGRAPH)
