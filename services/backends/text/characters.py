"""What Unicode says of characters: graphemes, emoji, what is never seen, and how text is cleaned before layout."""

from functools import lru_cache
from typing import Final

import regex

_GRAPHEME: Final = regex.compile(r"\X")
_INVISIBLE: Final = regex.compile(r"[\p{Default_Ignorable_Code_Point}\p{White_Space}\p{Cc}]")

# UAX #14 calls these mandatory breaks; `\r\n` counts once.
_NEWLINE: Final = regex.compile(r"\r\n|[\r\n\x0b\x0c\x85\u2028\u2029]")
_CONTROL: Final = regex.compile(r"[\p{Cc}--\n]", regex.VERSION1)
_SURROGATE: Final = regex.compile(r"[\ud800-\udfff]")

# Unicode Technical Standard #51: shown as emoji by themselves, by a following U+FE0F, as flags, keycaps or tags, by a
# skin tone, or joined to another pictograph.
_EMOJI: Final = regex.compile(
    r"\p{Emoji_Presentation}(?!\ufe0e)|\p{Emoji}\ufe0f|[0-9#*]\u20e3|\p{Emoji}\p{Emoji_Modifier}"
    r"|\p{Extended_Pictographic}\u200d\p{Extended_Pictographic}"
)


def clean(text: str) -> str:
    r"""Return `text` with `\n` as its only line break, tabs as spaces, no other controls and no blank edges.

    Unpaired surrogates, which no font and no UTF-8 can hold, become U+FFFD.
    """
    text = _SURROGATE.sub("\ufffd", _NEWLINE.sub("\n", text)).replace("\t", " ")
    return str(_CONTROL.sub("", text)).strip()


def graphemes(text: str) -> list[str]:
    """Split `text` into what a reader calls characters (UAX #29, extended grapheme clusters)."""
    return [str(grapheme) for grapheme in _GRAPHEME.findall(text)]


@lru_cache(maxsize=1024)
def is_emoji(grapheme: str) -> bool:
    """Whether a grapheme is to be shown as emoji, not as text."""
    return _EMOJI.match(grapheme) is not None


@lru_cache(maxsize=1024)
def is_invisible(character: str) -> bool:
    """Whether a character shows nothing of its own, so that a font may lack it."""
    return _INVISIBLE.match(character) is not None
