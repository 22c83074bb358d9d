"""Selects the font of each grapheme: the requested family, then Noto by script. Files are opened on first use."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from itertools import chain
from pathlib import Path
from typing import Final
from unicodedata import normalize

from services.backends.text.characters import is_emoji, is_invisible
from services.backends.text.harfbuzz import Font, script_of

DEFAULT_FAMILY: Final = "Inter"
_EMOJI_FAMILY: Final = "Noto Emoji"
_WEIGHT: Final = 400.0
_PACKAGES: Final = ("fontpkg_inter", "fontpkg_roboto", "manimgx_fonts")

# Generic names of a plain sans serif, for which the default family is used.
_SANS_SERIF: Final = frozenset({"sans-serif", "system-ui", "ui-sans-serif", "-apple-system", "blinkmacsystemfont"})

# The faces of NotoSansCJK-VF.otf.ttc, in the file's order.
_CJK_REGIONS: Final = ("JP", "KR", "SC", "TC", "HK")

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


@dataclass(frozen=True, slots=True)
class FontFile:
    """The file and face index of a family's upright face."""

    path: Path
    index: int = 0


@cache
def installed_families() -> dict[str, FontFile]:
    """Return the available families by casefolded name."""
    families = {_family_of(path).casefold(): FontFile(path) for path in _font_paths() if "Italic" not in path.name}
    collection = _directory("manimgx_fonts_cjk") / "NotoSansCJK-VF.otf.ttc"
    for index, region in enumerate(_CJK_REGIONS):
        families[f"noto sans cjk {region.casefold()}"] = FontFile(collection, index)
        families[f"noto sans {region.casefold()}"] = FontFile(collection, index)
    return families


def find_family(css_families: str) -> str | None:
    """Return the first installed family of a CSS `font-family` list, casefolded; None if none is installed."""
    for name in css_families.split(","):
        family = " ".join(name.strip().strip("\"'").split()).casefold()
        if family in _SANS_SERIF:
            return DEFAULT_FAMILY.casefold()
        if family in installed_families():
            return family
    return None


class FontStack:
    """The fonts of one text, in the order in which they are tried for a grapheme."""

    def __init__(self, family: str, *, size: float, text: str) -> None:
        """Try `family` (casefolded, installed) first; `size` in pixels selects the optical size of fonts with one."""
        self._family = family
        self._variations = {"wght": _WEIGHT, "opsz": size}
        self._cjk_region = _cjk_region_of(text)
        self._opened: dict[str, Font] = {}
        self._chosen: dict[str, Font] = {}
        self.missing: list[str] = []

    @property
    def primary(self) -> Font:
        """The requested font."""
        return self._open(self._family)

    def choose(self, grapheme: str, neighbour: Font | None) -> Font:
        """Return the first font with all of the grapheme's characters; the preceding font `neighbour` is tried second.

        A grapheme has the same font throughout the text. If no font has it, it is added to `missing`, and the primary
        font shows its replacement box.
        """
        if grapheme not in self._chosen:
            self._chosen[grapheme] = self._search(grapheme, neighbour)
        return self._chosen[grapheme]

    def _search(self, grapheme: str, neighbour: Font | None) -> Font:
        required = [character for character in grapheme if not is_invisible(character)]
        composed = [character for character in normalize("NFC", grapheme) if not is_invisible(character)]
        for font in self._candidates(grapheme, neighbour):
            if _covers(font, required) or _covers(font, composed):
                return font
        self.missing.append(grapheme)
        return self.primary

    def _candidates(self, grapheme: str, neighbour: Font | None) -> Iterator[Font]:
        emoji = (_EMOJI_FAMILY.casefold(),) if is_emoji(grapheme) else ()
        yield from (self._open(family) for family in emoji)
        yield self.primary
        if neighbour is not None:
            yield neighbour
        yield from (self._open(family) for family in self._fallbacks(grapheme))

    def _fallbacks(self, grapheme: str) -> Iterator[str]:
        scripts = (script_of(character) for character in grapheme)
        by_script = (_FAMILY_OF_SCRIPT[script].casefold() for script in scripts if script in _FAMILY_OF_SCRIPT)
        general = (
            "noto sans",
            "noto sans symbols",
            f"noto sans cjk {self._cjk_region}",
            _EMOJI_FAMILY.casefold(),
        )
        return chain(by_script, general, installed_families())

    def _open(self, family: str) -> Font:
        if family not in self._opened:
            file = installed_families()[family]
            self._opened[family] = Font(file.path, file.index, self._variations)
        return self._opened[family]


def _covers(font: Font, characters: list[str]) -> bool:
    return all(font.covers(ord(character)) for character in characters)


def _cjk_region_of(text: str) -> str:
    """Return the region of the text's Han ideographs, by its kana, Hangul or bopomofo; else simplified Chinese."""
    for character in text:
        region = _REGION_OF_SCRIPT.get(script_of(character))
        if region is not None:
            return region.casefold()
    return "sc"


def _font_paths() -> list[Path]:
    directories = (_directory(package) for package in _PACKAGES)
    return sorted(path for directory in directories for path in directory.rglob("*.ttf"))


def _directory(package: str) -> Path:
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise RuntimeError(f"The font package {package} is not installed.")
    return Path(spec.submodule_search_locations[0])


def _family_of(path: Path) -> str:
    """Return the family in a file name: `NotoSansArabic[wght].ttf` is Noto Sans Arabic."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", path.name.partition("[")[0])
