"""The fonts of this installation: those of packages, of the operator's folder, and the npm package of colour emoji."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Final

from services.backends.text.font_families import Families, Family, FontFace, installed_families, with_faces
from services.backends.text.sfnt import FaceInfo, NotAFont, read_faces
from services.models import REGULAR_WEIGHT
from services.models.fonts import FontFamily
from services.renders.validation import MAX_FONT_WEIGHT, MIN_FONT_WEIGHT

EMOJI_FILE: Final = "@fontsource/noto-color-emoji/files/noto-color-emoji-emoji-400-normal.woff"
_EMOJI_FAMILY: Final = "Noto Color Emoji"

# Scripts (ISO 15924) with a character that a font for them has, mostly the first letter. `Zsye` are emoji.
_SAMPLES: Final[Mapping[str, int]] = {
    "Latn": 0x0061, "Grek": 0x03B1, "Cyrl": 0x0436, "Armn": 0x0561, "Hebr": 0x05D0, "Arab": 0x0628,
    "Syrc": 0x0710, "Thaa": 0x078B, "Nkoo": 0x07CA, "Deva": 0x0915, "Beng": 0x0995, "Guru": 0x0A15,
    "Gujr": 0x0A95, "Orya": 0x0B15, "Taml": 0x0B95, "Telu": 0x0C15, "Knda": 0x0C95, "Mlym": 0x0D15,
    "Sinh": 0x0D9A, "Thai": 0x0E01, "Laoo": 0x0E81, "Tibt": 0x0F40, "Mymr": 0x1000, "Geor": 0x10D0,
    "Ethi": 0x12A0, "Cher": 0x13A0, "Cans": 0x1401, "Khmr": 0x1780, "Mong": 0x1820, "Hira": 0x3042,
    "Kana": 0x30A2, "Bopo": 0x3105, "Hang": 0xAC00, "Hani": 0x4E00, "Zsye": 0x1F600,
}  # fmt: skip

log = logging.getLogger(__name__)


class FontLibrary:
    """The families, read once. `own_faces` are those besides the ones of installed packages."""

    def __init__(self, own_faces: Sequence[FontFace] = ()) -> None:
        self.own_faces = tuple(own_faces)
        self._lock = asyncio.Lock()
        self._described: tuple[FontFamily, ...] | None = None

    @cached_property
    def families(self) -> Families:
        """The families by casefolded name."""
        return with_faces(installed_families(), self.own_faces)

    async def describe(self) -> tuple[FontFamily, ...]:
        """Return all families in alphabetical order. The first call reads their files, in a thread: 0.1 s."""
        async with self._lock:
            if self._described is None:
                self._described = await asyncio.to_thread(self._describe)
            return self._described

    def _describe(self) -> tuple[FontFamily, ...]:
        once = {(family.faces[0].path, family.faces[0].index): family for family in reversed([*self.families.values()])}
        return tuple(_described(family) for family in sorted(once.values(), key=lambda family: family.name.casefold()))


def emoji_faces(web_dir: Path) -> list[FontFace]:
    """Return the face of the npm package `@fontsource/noto-color-emoji`; none if it is not installed in `web_dir`."""
    path = web_dir / EMOJI_FILE
    return [FontFace(family=_EMOJI_FAMILY, path=str(path), has_color=True)] if path.is_file() else []


def _described(family: Family) -> FontFamily:
    return FontFamily(
        family=family.name,
        weights=_weights(family.faces),
        italic=any(face.italic for face in family.faces),
        scripts=_scripts(family),
    )


def _weights(faces: Sequence[FontFace]) -> tuple[int, ...]:
    hundreds = range(MIN_FONT_WEIGHT, MAX_FONT_WEIGHT + 1, 100)
    weights = {weight for face in faces for weight in hundreds if face.nearest_weight(weight) == weight}
    fixed = {face.min_weight for face in faces if face.min_weight == face.max_weight}
    return tuple(sorted({min(max(weight, MIN_FONT_WEIGHT), MAX_FONT_WEIGHT) for weight in weights | fixed}))


def _scripts(family: Family) -> tuple[str, ...]:
    face = family.face(REGULAR_WEIGHT, italic=False)
    if face.path.endswith(".woff"):
        return ("Zsye",)
    try:
        info: FaceInfo = read_faces(Path(face.path))[face.index]
    except (NotAFont, OSError, IndexError) as error:
        log.warning("the characters of the font %s are not known: %s", face.path, error)
        return ()
    return tuple(script for script, sample in _SAMPLES.items() if info.covers(chr(sample)))
