"""Finds line break opportunities: the pairs of the Unicode line breaking algorithm (UAX #14) that captions need.

Korean breaks only at spaces, the usual typographic style. South-East Asian scripts without spaces would need a
dictionary. Instead, Thai and Lao break before vowels that are written before their consonant, where a syllable
certainly starts; the other scripts break between graphemes, unless the second one ends a syllable.
"""

from enum import IntEnum
from functools import lru_cache
from typing import Final

import regex


class Break(IntEnum):
    """Whether a line may end between two graphemes, from worst to best."""

    WITHIN_WORD = 0  # only if the word is wider than a line
    ALLOWED = 1


_CLASSES: Final = regex.compile(
    r"(?P<space>[\p{lb=SP}\p{lb=ZW}])|(?P<glue>[\p{lb=GL}\p{lb=WJ}])"
    r"|(?P<stop>[.,])|(?P<slash>\p{lb=SY})|(?P<opening>\p{lb=OP})|(?P<closing>[\p{lb=CL}\p{lb=CP}\p{lb=EX}\p{lb=IS}\p{lb=NS}\p{lb=CJ}\p{lb=IN}])"
    r"|(?P<quote>\p{lb=QU})|(?P<prefix>\p{lb=PR})|(?P<postfix>\p{lb=PO})|(?P<hyphen>[\p{lb=HY}\p{lb=BA}\p{lb=B2}])"
    r"|(?P<ideograph>[\p{lb=ID}\p{lb=EB}\p{lb=EM}\p{lb=RI}])"
    r"|(?P<leading>\p{Logical_Order_Exception})|(?P<thai>[\p{Thai}\p{Lao}])|(?P<unspaced>\p{lb=SA})"
)
_SOFT_HYPHEN: Final = "\u00ad"

# Vowels and tones after their consonant, which are separate graphemes in Myanmar; a consonant with an asat.
_ENDS_SYLLABLE: Final = regex.compile(r"\p{M}|.*\u103a")
_NEVER_BEFORE: Final = frozenset({"closing", "glue", "hyphen", "slash", "space"})
_NEVER_AFTER: Final = frozenset({"opening", "glue"})


def break_between(before: str, after: str) -> Break:
    """Return whether a line may end between these two neighbouring graphemes."""
    left, right = _class_of(before[-1], before), _class_of(after[0], after)
    if right == "unspaced" and _ENDS_SYLLABLE.match(after):
        return Break.WITHIN_WORD
    if right in _NEVER_BEFORE or left in _NEVER_AFTER:
        return Break.WITHIN_WORD
    allowed = left == "space" or ("quote" not in {left, right} and right != "stop" and _is_allowed(left, right))
    return Break.ALLOWED if allowed else Break.WITHIN_WORD


def _is_allowed(left: str, right: str) -> bool:
    """Return whether a line may end between two classes, none of which is a space, quotation mark or bracket."""
    if left in {"hyphen", "slash"}:
        return right != "number"
    if "ideograph" in {left, right}:
        return left != "prefix" and right != "postfix"
    return (left, right) in {("thai", "leading"), ("unspaced", "unspaced")}


@lru_cache(maxsize=1024)
def _class_of(character: str, grapheme: str) -> str:
    """Return the group of `_CLASSES` for a grapheme's first or last character; marks have the class of their base."""
    if character == _SOFT_HYPHEN:
        return "letter"
    for candidate in (character, grapheme[0]):
        match = _CLASSES.match(candidate)
        if match is not None:
            return str(match.lastgroup)
    return "number" if character.isdecimal() else "letter"
