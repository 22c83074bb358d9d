"""Unicode properties of text: graphemes, emoji, invisible characters; and the cleaning of text before layout."""

from functools import lru_cache
from typing import Final

import regex

_GRAPHEME: Final = regex.compile(r"\X")
_INVISIBLE: Final = regex.compile(r"[\p{Default_Ignorable_Code_Point}\p{White_Space}\p{Cc}]")

# The mandatory breaks of UAX #14; `\r\n` counts once.
_NEWLINE: Final = regex.compile(r"\r\n|[\r\n\x0b\x0c\x85\u2028\u2029]")
_CONTROL: Final = regex.compile(r"[\p{Cc}--\n]", regex.VERSION1)
_SURROGATE: Final = regex.compile(r"[\ud800-\udfff]")

# Unicode Technical Standard #51: characters shown as emoji by default, or because of a following U+FE0F, as flags,
# keycaps or tags, with a skin tone, or joined to another pictograph.
_EMOJI: Final = regex.compile(
    r"\p{Emoji_Presentation}(?!\ufe0e)|\p{Emoji}\ufe0f|[0-9#*]\u20e3|\p{Emoji}\p{Emoji_Modifier}"
    r"|\p{Extended_Pictographic}\u200d\p{Extended_Pictographic}"
)


def clean(text: str) -> str:
    r"""Return `text` with `\n` as its only line break, tabs as spaces, without other controls and stripped.

    Unpaired surrogates, which neither fonts nor UTF-8 support, become U+FFFD.
    """
    text = _SURROGATE.sub("\ufffd", _NEWLINE.sub("\n", text)).replace("\t", " ")
    return str(_CONTROL.sub("", text)).strip()


def graphemes(text: str) -> list[str]:
    """Split `text` into user-perceived characters (UAX #29, extended grapheme clusters)."""
    return [str(grapheme) for grapheme in _GRAPHEME.findall(text)]


@lru_cache(maxsize=1024)
def is_emoji(grapheme: str) -> bool:
    """Return whether a grapheme is shown as emoji, not as text."""
    return _EMOJI.match(grapheme) is not None


@lru_cache(maxsize=1024)
def is_invisible(character: str) -> bool:
    """Return whether a character has no visible glyph, so that a font need not have it."""
    return _INVISIBLE.match(character) is not None
