"""The font families that are installed, and the face of a family for a weight and slope. Opens no font file.

Families are those of the installed `fontpkg-*` packages, each of which describes its files in `metadata.json`, of the
Noto packages, and those that the caller adds: the operator's.
"""

import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from msgspec import Struct

from services.models import REGULAR_WEIGHT

DEFAULT_FAMILY: Final = "Inter"
OUTLINE_EMOJI_FAMILY: Final = "Noto Emoji"
_SERIF: Final = "Noto Serif"
_MONOSPACE: Final = "Roboto Mono"

# CSS Fonts Module Level 4, section 2.1.2, and names that pages use for the system's font.
_GENERIC: Final = {
    **dict.fromkeys(
        ("sans-serif", "system-ui", "ui-sans-serif", "-apple-system", "blinkmacsystemfont"), DEFAULT_FAMILY
    ),
    **dict.fromkeys(("serif", "ui-serif"), _SERIF),
    **dict.fromkeys(("monospace", "ui-monospace"), _MONOSPACE),
}
# What replaces a family that is not installed, by its name.
_SIMILAR: Final = {
    _MONOSPACE: re.compile(r"mono|code|courier|consol|menlo|typewriter"),
    _SERIF: re.compile(r"(?<!sans[ -])(?<!sans)serif|slab|times|georgia|garamond|palatino|cambria|baskerville|bodoni"),
}

# The faces of NotoSansCJK-VF.otf.ttc, in the file's order, and the weights of both packages' files.
_CJK_REGIONS: Final = ("JP", "KR", "SC", "TC", "HK")
_CJK_WEIGHTS: Final = (100, 900)
_NOTO_WEIGHTS: Final = (400, 700)
_NOTO_EMOJI_WEIGHTS: Final = (300, 700)

_MEDIUM: Final = 500


class FontFace(Struct, frozen=True, kw_only=True):
    """A face of a font file: face `index` of the file `path`, for the weights from `min_weight` to `max_weight`."""

    family: str
    path: str
    index: int = 0
    min_weight: int = REGULAR_WEIGHT
    max_weight: int = REGULAR_WEIGHT
    italic: bool = False
    has_color: bool = False

    def nearest_weight(self, weight: int) -> int:
        """Return the weight of this face that is nearest to `weight`."""
        return min(max(weight, self.min_weight), self.max_weight)


class Family(Struct, frozen=True):
    """A family and its faces, of which there is at least one."""

    name: str
    faces: tuple[FontFace, ...]

    def face(self, weight: int, *, italic: bool) -> FontFace:
        """Return the face for a weight, by the rules of CSS; an upright one if the family has no italic."""
        faces = [face for face in self.faces if face.italic == italic] or self.faces
        return min(faces, key=lambda face: _distance(weight, face.nearest_weight(weight)))


Families = Mapping[str, Family]


def _distance(wanted: int, weight: int) -> tuple[int, int]:
    """Return an order of weights: CSS Fonts Module Level 4, section 5.2, step 4 of the matching."""
    if wanted <= weight <= _MEDIUM and wanted >= REGULAR_WEIGHT:
        return 0, weight - wanted
    is_preferred = weight >= wanted if wanted > _MEDIUM else weight <= wanted
    return 1 if is_preferred else 2, abs(weight - wanted)


@cache
def installed_families() -> Families:
    """Return the families of the installed packages by casefolded name, in this order."""
    return with_faces({}, (*_package_faces(), *_noto_faces(), *_cjk_faces()))


def with_faces(families: Families, faces: Iterable[FontFace]) -> Families:
    """Return the families with those of `faces`, which replace others of the same name, and come first."""
    grouped: dict[str, list[FontFace]] = {}
    for face in faces:
        grouped.setdefault(face.family.casefold(), []).append(face)
    own = {name: Family(members[0].family, tuple(members)) for name, members in grouped.items()}
    return own | {name: family for name, family in families.items() if name not in own}


def find_family(css_families: str, families: Families | None = None) -> str | None:
    """Return the first available family of a CSS `font-family` list, casefolded; None if there is none.

    A family of the operator's may have commas in its name, or the name of a generic family, which it then replaces.
    """
    families = installed_families() if families is None else families
    for listed in (css_families, *css_families.split(",")):
        name = " ".join(listed.strip().strip("\"'").split()).casefold()
        for family in (name, _GENERIC.get(name, name).casefold()):
            if family in families:
                return family
    return None


def similar_family(css_families: str) -> str:
    """Return the installed family, casefolded, that replaces families that are not: a serif font for Georgia."""
    name = css_families.casefold()
    similar = (family.casefold() for family, names in _SIMILAR.items() if names.search(name))
    return next((family for family in similar if family in installed_families()), DEFAULT_FAMILY.casefold())


def _package_faces() -> Iterator[FontFace]:
    """Return the faces of the installed `fontpkg-*` packages."""
    # Not `importlib.metadata.entry_points`: its import and search take 40 ms of CPU time in each renderer process.
    described = (path for folder in sys.path for path in Path(folder).glob("fontpkg_*/metadata.json"))
    for path in sorted(described, key=lambda path: path.parent.name):
        metadata = json.loads(path.read_bytes())
        axes = {axis["tag"]: (round(axis["min"]), round(axis["max"])) for axis in metadata["axes"]}
        for file in metadata["files"]:
            fixed = file["weight"] or REGULAR_WEIGHT
            min_weight, max_weight = axes.get("wght", (fixed, fixed)) if file["variable"] else (fixed, fixed)
            yield FontFace(
                family=metadata["family"],
                path=str(path.parent / file["path"]),
                min_weight=min_weight,
                max_weight=max_weight,
                italic=file["style"] == "italic",
            )


def _noto_faces() -> Iterator[FontFace]:
    """Return the faces of a package whose files have names such as `NotoSansArabic[wght].ttf`."""
    for path in sorted(_directory("manimgx_fonts").glob("*.ttf")):
        stem, _, slope = path.name.partition("[")[0].partition("-")
        family = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", stem)
        min_weight, max_weight = _NOTO_EMOJI_WEIGHTS if family == OUTLINE_EMOJI_FAMILY else _NOTO_WEIGHTS
        yield FontFace(
            family=family, path=str(path), min_weight=min_weight, max_weight=max_weight, italic=slope == "Italic"
        )


def _cjk_faces() -> Iterator[FontFace]:
    """Return the faces of Noto Sans CJK, each under both of its names."""
    path = str(_directory("manimgx_fonts_cjk") / "NotoSansCJK-VF.otf.ttc")
    min_weight, max_weight = _CJK_WEIGHTS
    for index, region in enumerate(_CJK_REGIONS):
        for family in (f"Noto Sans {region}", f"Noto Sans CJK {region}"):
            yield FontFace(family=family, path=path, index=index, min_weight=min_weight, max_weight=max_weight)


def _directory(package: str) -> Path:
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise RuntimeError(f"The font package {package} is not installed.")
    return Path(spec.submodule_search_locations[0])
