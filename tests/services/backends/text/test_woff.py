import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from services.backends.text.harfbuzz import Font
from services.backends.text.woff import unpack_woff
from tests.support.fonts import COLOR_EMOJI, THUMBS


def packed(font: bytes, *, unused: bytes = b"<svg/>") -> bytes:
    """Return a WOFF file of an OpenType font, with a table of SVG pictures."""
    (count,) = struct.unpack_from(">H", font, 4)
    records = [struct.unpack_from(">4sIII", font, 12 + 16 * number) for number in range(count)]
    tables = [(tag, font[start : start + size]) for tag, _, start, size in records] + [(b"SVG ", unused)]
    directory, contents, place = b"", b"", 44 + 20 * len(tables)
    for tag, content in tables:
        stored = min(content, zlib.compress(content), key=len)  # uncompressed unless that is larger
        directory += struct.pack(">4sIIII", tag, place + len(contents), len(stored), len(content), 0)
        contents += stored + bytes(-len(stored) % 4)
    header = struct.pack(">4s4sIHHI", b"wOFF", font[:4], place + len(contents), len(tables), 0, 0)
    return header.ljust(44, b"\0") + directory + contents


def test_a_font_is_the_same_after_packing_and_unpacking_without_its_svg_pictures(tmp_path: Path) -> None:
    path = tmp_path / "emoji.woff"
    path.write_bytes(packed(Path(COLOR_EMOJI.path).read_bytes()))
    assert b"<svg/>" not in unpack_woff(path.read_bytes())
    fonts = [Font(each, 0, {}) for each in (path, Path(COLOR_EMOJI.path))]
    shaped = [font.shape(THUMBS[1], 0, 2, rtl=False, script="Zyyy") for font in fonts]
    assert shaped[0] == shaped[1]
    assert fonts[0].ink(shaped[0][0].glyph_id) == fonts[1].ink(shaped[0][0].glyph_id)
    assert all(font.has_color for font in fonts)


@pytest.mark.parametrize("change", [lambda data: data[:60], lambda data: b"wOF2" + data[4:], lambda data: data[:-900]])
def test_a_damaged_file_is_an_error(change: Callable[[bytes], bytes]) -> None:
    data = packed(Path(COLOR_EMOJI.path).read_bytes())
    with pytest.raises(ValueError, match="WOFF file"):
        unpack_woff(change(data))


@pytest.mark.parametrize("data", [b"", b"short", b"OTTO" + bytes(60)])
def test_another_file_is_no_damaged_woff_file(data: bytes) -> None:
    with pytest.raises(ValueError, match="is not a WOFF file"):
        unpack_woff(data)
