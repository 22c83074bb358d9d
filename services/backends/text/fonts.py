"""Selects the font of each grapheme: the requested family, then Noto by script. Files are opened on first use."""

from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Final
from unicodedata import normalize

from services.backends.text.characters import is_emoji, is_invisible
from services.backends.text.font_families import OUTLINE_EMOJI_FAMILY, Families, FontFace, installed_families
from services.backends.text.harfbuzz import Font, script_of
from services.models import REGULAR_WEIGHT

_FAMILY_OF_SCRIPT: Final = {
    "Arab": "Noto Sans Arabic",
    "Armn": "Noto Sans Armenian",
    "Beng": "Noto Sans Bengali",
    "Deva": "Noto Sans Devanagari",
    "Ethi": "Noto Sans Ethiopic",
    "Geor": "Noto Sans Georgian",
    "Gujr": "Noto Sans Gujarati",
    "Guru": "Noto Sans Gurmukhi",
    "Hebr": "Noto Sans Hebrew",
    "Khmr": "Noto Sans Khmer",
    "Knda": "Noto Sans Kannada",
    "Laoo": "Noto Sans Lao",
    "Mlym": "Noto Sans Malayalam",
    "Mymr": "Noto Sans Myanmar",
    "Orya": "Noto Sans Oriya",
    "Sinh": "Noto Sans Sinhala",
    "Taml": "Noto Sans Tamil",
    "Telu": "Noto Sans Telugu",
    "Thai": "Noto Sans Thai",
}
_REGION_OF_SCRIPT: Final = {"Hang": "KR", "Hira": "JP", "Kana": "JP", "Bopo": "TC"}


class FontStack:
    """The fonts of one text, in the order in which they are tried for a grapheme."""

    def __init__(
        self,
        family: str,
        *,
        size: float,
        text: str,
        weight: int = REGULAR_WEIGHT,
        italic: bool = False,
        families: Families | None = None,
    ) -> None:
        """Try `family`, a key of `families`, first; `size` in pixels selects the optical size of fonts with one.

        `families` are those that are installed by default. The other fonts get the same weight and slope as far as
        they have it.
        """
        self._families = installed_families() if families is None else families
        self._family = family
        self._weight = weight
        self._italic = italic
        self._size = size
        self._cjk_region = _cjk_region_of(text)
        self._color_families = [key for key, family in self._families.items() if family.faces[0].has_color]
        self._opened: dict[str, Font] = {}
        self._chosen: dict[str, Font] = {}
        self.missing: list[str] = []
        self.outlined_emoji: list[str] = []

    @property
    def primary(self) -> Font:
        """The requested font."""
        return self._open(self._family)

    @property
    def face(self) -> FontFace:
        """The face of the requested font. Its weights may not include the requested one, and it may be upright."""
        return self._families[self._family].face(self._weight, italic=self._italic)

    def choose(self, grapheme: str, neighbour: Font | None) -> Font:
        """Return the first font with all of the grapheme's characters; the preceding font `neighbour` is tried second.

        A grapheme has the same font throughout the text. If no font has it, it is added to `missing`, and the primary
        font shows its replacement box. An emoji that has no colours is added to `outlined_emoji`.
        """
        if grapheme not in self._chosen:
            font = self._chosen[grapheme] = self._search(grapheme, neighbour)
            if is_emoji(grapheme) and not font.has_color and grapheme not in self.missing:
                self.outlined_emoji.append(grapheme)
        return self._chosen[grapheme]

    def _search(self, grapheme: str, neighbour: Font | None) -> Font:
        forms = {_visible(grapheme), _visible(normalize("NFC", grapheme))}
        for font in self._candidates(grapheme, neighbour):
            if any(_covers(font, form) for form in forms):
                return font
        self.missing.append(grapheme)
        return self.primary

    def _candidates(self, grapheme: str, neighbour: Font | None) -> Iterator[Font]:
        if is_emoji(grapheme):
            yield from (self._open(family) for family in (*self._color_families, OUTLINE_EMOJI_FAMILY.casefold()))
        yield self.primary
        if neighbour is not None and not neighbour.has_color:
            yield neighbour
        yield from (self._open(family) for family in self._fallbacks(grapheme))

    def _fallbacks(self, grapheme: str) -> Iterator[str]:
        scripts = (script_of(character) for character in grapheme)
        by_script = (_FAMILY_OF_SCRIPT[script].casefold() for script in scripts if script in _FAMILY_OF_SCRIPT)
        general = (
            "noto sans",
            "noto sans symbols",
            f"noto sans cjk {self._cjk_region}",
            OUTLINE_EMOJI_FAMILY.casefold(),
        )
        return chain(by_script, general, self._families)

    def _open(self, family: str) -> Font:
        if family not in self._opened:
            face = self._families[family].face(self._weight, italic=self._italic)
            variations = {"wght": float(self._weight), "opsz": self._size}
            self._opened[family] = Font(Path(face.path), face.index, variations)
        return self._opened[family]


def _visible(grapheme: str) -> str:
    return "".join(character for character in grapheme if not is_invisible(character))


def _covers(font: Font, characters: str) -> bool:
    return all(font.covers(ord(character)) for character in characters)


def _cjk_region_of(text: str) -> str:
    """Return the region of the text's Han ideographs, by its kana, Hangul or bopomofo; else simplified Chinese."""
    for character in text:
        region = _REGION_OF_SCRIPT.get(script_of(character))
        if region is not None:
            return region.casefold()
    return "sc"
