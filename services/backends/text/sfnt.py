"""Reads what a font file says about itself: family, weights, slope, colours and characters. Nothing is drawn.

It is Python only, so that a damaged or hostile file of the operator's folder raises an error and does nothing else.
The formats are those of the OpenType specification 1.9.1: collections, `name`, `OS/2`, `fvar` and `cmap`.
"""

import struct
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

MAX_FACES: Final = 64  # of a collection
_MAX_TABLES: Final = 256
_MAX_TABLE_BYTES: Final = 4 * 1024 * 1024  # of those that are read; the largest `cmap` in use has 0.4 MB
_MAX_CMAPS: Final = 64
_MAX_RANGES: Final = 100_000  # of a `cmap`; Noto Sans CJK has 17,000
_MAX_NAME_LENGTH: Final = 100

_FLAVORS: Final = {b"\x00\x01\x00\x00", b"OTTO", b"true"}
_GLYPH_TABLES: Final = ("glyf", "CFF ", "CFF2", "CBDT", "sbix")
_COLOR_TABLES: Final = ("COLR", "CBDT", "sbix")
_TYPOGRAPHIC_FAMILY: Final = 16
_FAMILY: Final = 1
_ITALIC_BITS: Final = 0b10_0000_0001  # of `OS/2.fsSelection`: italic, oblique
_REGULAR: Final = 400
_OLD_WEIGHTS: Final = {250: 100, 275: 200}  # of Thin and ExtraLight in fonts that Windows' GDI was to accept
_END: Final = 0xFFFF  # the last segment of a `cmap` in format 4

Ranges = Sequence[tuple[int, int]]


class NotAFont(ValueError):  # noqa: N818 - named for what happened
    """The file is not a font, or is damaged. The message completes the sentence "The file …"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FaceInfo:
    """A face of a font file. The weights are 1 to 1000; `characters` are inclusive ranges in ascending order."""

    family: str
    index: int
    min_weight: int
    max_weight: int
    italic: bool
    has_color: bool
    characters: Ranges

    def covers(self, character: str) -> bool:
        """Return whether the font has a glyph for the character."""
        found = bisect_right(self.characters, (ord(character), 0x110000)) - 1
        return found >= 0 and self.characters[found][1] >= ord(character)


def read_faces(path: Path) -> list[FaceInfo]:
    """Return the faces of a TTF, OTF or TTC file. Raises `NotAFont`, and `OSError` if it can't be read."""
    with path.open("rb") as file:
        try:
            return [_face(_Tables(file, offset), index) for index, offset in enumerate(_offsets(file))]
        except (struct.error, IndexError, UnicodeDecodeError) as error:
            raise NotAFont("is damaged") from error


def _offsets(file: BinaryIO) -> Sequence[int]:
    """Return where the faces of the file start."""
    head = file.read(12)
    if head[:4] in _FLAVORS:
        return [0]
    if head[:4] != b"ttcf":
        raise NotAFont("is not a TrueType or OpenType font")
    (count,) = struct.unpack_from(">I", head, 8)
    if not 0 < count <= MAX_FACES:
        raise NotAFont("is damaged")
    return struct.unpack(f">{count}I", file.read(4 * count))


class _Tables:
    """The tables of one face."""

    def __init__(self, file: BinaryIO, offset: int) -> None:
        self._file = file
        file.seek(0, 2)
        size = file.tell()
        file.seek(offset)
        flavor, count = struct.unpack(">4sH6x", file.read(12))
        if flavor not in _FLAVORS or not 0 < count <= _MAX_TABLES:
            raise NotAFont("is damaged")
        records = struct.iter_unpack(">4s4xII", file.read(16 * count))
        self._places = {tag.decode("latin-1"): (start, length) for tag, start, length in records}
        if len(self._places) != count or any(start + length > size for start, length in self._places.values()):
            raise NotAFont("is damaged")

    def __contains__(self, tag: str) -> bool:
        return tag in self._places

    def read(self, tag: str) -> bytes:
        """Return a table; empty if there is none."""
        start, length = self._places.get(tag, (0, 0))
        if length > _MAX_TABLE_BYTES:
            raise NotAFont("is damaged")
        self._file.seek(start)
        return self._file.read(length)


def _face(tables: _Tables, index: int) -> FaceInfo:
    if "head" not in tables or not any(tag in tables for tag in _GLYPH_TABLES):
        raise NotAFont("has no glyphs")
    weight, italic = _style(tables.read("OS/2"))
    min_weight, max_weight = _weight_axis(tables.read("fvar")) or (weight, weight)
    return FaceInfo(
        family=_family(tables.read("name")),
        index=index,
        min_weight=min_weight,
        max_weight=max_weight,
        italic=italic,
        has_color=any(tag in tables for tag in _COLOR_TABLES),
        characters=_characters(tables.read("cmap")),
    )


def _style(os2: bytes) -> tuple[int, bool]:
    """Return the weight and whether the face is italic. Fonts made for macOS may have no such table."""
    if not os2:
        return _REGULAR, False
    (weight,) = struct.unpack_from(">H", os2, 4)
    (selection,) = struct.unpack_from(">H", os2, 62)
    return _OLD_WEIGHTS.get(weight, min(max(weight, 1), 1000)), bool(selection & _ITALIC_BITS)


def _weight_axis(fvar: bytes) -> tuple[int, int] | None:
    """Return the weights of a variable font; None if it has no such axis."""
    if not fvar:
        return None
    start, count, size = struct.unpack_from(">4xH2xHH", fvar)
    for number in range(count):
        tag, lowest, highest = struct.unpack_from(">4si4xi", fvar, start + number * size)
        if tag == b"wght":
            return round(lowest / 65536), round(highest / 65536)
    return None


def _family(name: bytes) -> str:
    """Return the name of the family, in English if there is one."""
    count, storage = struct.unpack_from(">2xHH", name)
    found: dict[tuple[bool, bool], str] = {}
    for number in range(count):
        platform, _, language, kind, length, offset = struct.unpack_from(">6H", name, 6 + 12 * number)
        if kind in {_FAMILY, _TYPOGRAPHIC_FAMILY}:
            encoding = "mac-roman" if platform == 1 else "utf-16-be"
            text = name[storage + offset : storage + offset + length].decode(encoding)
            found.setdefault((kind == _TYPOGRAPHIC_FAMILY, language in {0, 0x409}), text)
    family = " ".join(found[max(found)].split()) if found else ""
    if not family.isprintable() or not 0 < len(family) <= _MAX_NAME_LENGTH:
        raise NotAFont("has no family name")
    return family


def _characters(cmap: bytes) -> Ranges:
    """Return the characters of the largest Unicode table."""
    (count,) = struct.unpack_from(">2xH", cmap)
    if count > _MAX_CMAPS:
        raise NotAFont("is damaged")
    offsets = {struct.unpack_from(">I", cmap, 8 + 8 * number)[0] for number in range(count)}
    return max((list(_ranges(cmap, offset)) for offset in offsets), key=_size, default=[])


def _size(ranges: Ranges) -> int:
    return sum(last - first + 1 for first, last in ranges)


def _ranges(cmap: bytes, offset: int) -> Iterator[tuple[int, int]]:
    """Return the characters of a table in format 4 or 12, which all fonts have; none of one in another format."""
    (kind,) = struct.unpack_from(">H", cmap, offset)
    if kind == 4:  # noqa: PLR2004  # the format's number
        (doubled,) = struct.unpack_from(">H", cmap, offset + 6)
        ends = struct.unpack_from(f">{doubled // 2}H", cmap, offset + 14)
        starts = struct.unpack_from(f">{doubled // 2}H", cmap, offset + 16 + doubled)
        yield from ((first, last) for first, last in zip(starts, ends, strict=True) if first <= last < _END)
    elif kind == 12:  # noqa: PLR2004  # the format's number
        (count,) = struct.unpack_from(">I", cmap, offset + 12)
        if count > _MAX_RANGES:
            raise NotAFont("is damaged")
        groups = struct.unpack_from(f">{3 * count}I", cmap, offset + 16)
        yield from ((first, last) for first, last in zip(groups[0::3], groups[1::3], strict=True) if first <= last)
