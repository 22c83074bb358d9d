import contextlib
import struct
from pathlib import Path

import pytest

from services.backends.text.font_families import FontFace, installed_families
from services.backends.text.sfnt import NotAFont, read_faces
from tests.support.fonts import BITMAP_EMOJI, COLOR_EMOJI

EMOJI = Path(COLOR_EMOJI.path)


@pytest.mark.parametrize(
    "family", ["inter", "roboto", "noto sans", "noto emoji", "noto sans arabic", "noto sans cjk kr"]
)
def test_a_file_describes_its_faces_as_the_packages_do(family: str) -> None:
    for known in installed_families()[family].faces:
        face = read_faces(Path(known.path))[known.index]
        described = (face.family.casefold(), face.min_weight, face.max_weight, face.italic, face.has_color)
        assert described == (family, known.min_weight, known.max_weight, known.italic, False)


@pytest.mark.parametrize(
    ("family", "covered", "not_covered"),
    [("inter", "aЖω", "ع漢😀"), ("noto sans arabic", "عآ", "aЖ"), ("noto sans cjk jp", "aか漢한", "ع😀")],
)
def test_the_characters_of_a_face_are_known(family: str, covered: str, not_covered: str) -> None:
    known = installed_families()[family].faces[0]
    face = read_faces(Path(known.path))[known.index]
    assert all(face.covers(character) for character in covered)
    assert not any(face.covers(character) for character in not_covered)


@pytest.mark.parametrize("known", [COLOR_EMOJI, BITMAP_EMOJI])
def test_a_font_with_colours_is_known_as_such(known: FontFace) -> None:
    [face] = read_faces(Path(known.path))
    assert (face.family, face.has_color) == (known.family, True)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is not a TrueType or OpenType font"),
        (b"<html>Not found</html>", "is not a TrueType or OpenType font"),
        (b"wOF2" + bytes(100), "is not a TrueType or OpenType font"),
        (b"\0\1\0\0", "is damaged"),
        (b"\0\1\0\0\0\0" + bytes(6), "is damaged"),
        (b"\0\1\0\0\xff\xff" + bytes(6), "is damaged"),
        (b"ttcf\0\1\0\0" + struct.pack(">I", 2**32 - 1), "is damaged"),
        (b"ttcf\0\1\0\0" + struct.pack(">II", 1, 2**31), "is damaged"),
        (b"\0\1\0\0\0\1" + bytes(6) + struct.pack(">4s4xII", b"head", 0, 10), "has no glyphs"),
        (EMOJI.read_bytes()[:20_000], "is damaged"),
    ],
)
def test_another_file_is_rejected_with_the_reason(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "font.ttf"
    path.write_bytes(content)
    with pytest.raises(NotAFont, match=message):
        read_faces(path)


def test_no_damage_of_a_font_causes_another_error(tmp_path: Path) -> None:
    whole = Path(BITMAP_EMOJI.path).read_bytes()
    path = tmp_path / "font.ttf"
    for position in range(0, len(whole), 7):
        damaged = bytearray(whole)
        damaged[position] ^= 0xFF
        path.write_bytes(damaged)
        with contextlib.suppress(NotAFont):
            read_faces(path)
