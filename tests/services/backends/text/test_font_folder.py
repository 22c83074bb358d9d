import os
import shutil
from pathlib import Path

import pytest

from services.backends.text.font_families import installed_families
from services.backends.text.font_folder import MAX_FILE_BYTES, read_font_folder
from services.errors import StartupError
from tests.support.fonts import BITMAP_EMOJI, COLOR_EMOJI

INTER = [Path(face.path) for face in installed_families()["inter"].faces]


def test_the_fonts_of_a_folder_and_its_subfolders_are_described(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    shutil.copy(BITMAP_EMOJI.path, tmp_path / "a.TTF")
    for path in INTER:
        shutil.copy(path, tmp_path / "sub")
    (tmp_path / "LICENSE.txt").write_text("not a font")
    emoji, italic, upright = read_font_folder(tmp_path)
    assert (emoji.family, emoji.has_color, emoji.path) == ("Bitmap Emoji", True, str(tmp_path / "a.TTF"))
    assert [(face.family, face.min_weight, face.max_weight) for face in (italic, upright)] == [("Inter", 100, 900)] * 2
    assert (italic.italic, upright.italic) == (True, False)


def test_files_that_links_lead_to_are_read_as_kubernetes_mounts_them(tmp_path: Path) -> None:
    versioned = tmp_path / "..2026_11_29"
    versioned.mkdir()
    shutil.copy(COLOR_EMOJI.path, versioned / "emoji.ttf")
    (tmp_path / "..data").symlink_to("..2026_11_29", target_is_directory=True)
    (tmp_path / "emoji.ttf").symlink_to("..data/emoji.ttf")
    (tmp_path / "loop").symlink_to(".", target_is_directory=True)
    assert [face.path for face in read_font_folder(tmp_path)] == [str(tmp_path / "emoji.ttf")]


def test_an_empty_folder_has_no_fonts(tmp_path: Path) -> None:
    assert read_font_folder(tmp_path) == []


def not_a_font(path: Path) -> None:
    path.write_bytes(b"<html>404</html>")


def huge(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(MAX_FILE_BYTES + 1)


def broken_link(path: Path) -> None:
    path.symlink_to("missing.ttf")


def link_to_itself(path: Path) -> None:
    path.symlink_to(path)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (not_a_font, "is not a TrueType or OpenType font"),
        (Path.touch, "is not a TrueType or OpenType font"),
        (huge, "has more than 256 MB"),
        (os.mkfifo, "is not a file"),
        (broken_link, "can't be read: No such file or directory"),
        (link_to_itself, "can't be read: Too many levels of symbolic links"),
    ],
)
def test_a_file_that_is_no_font_is_named_in_one_sentence(tmp_path: Path, make: object, reason: str) -> None:
    assert callable(make)
    path = tmp_path / "font.ttf"
    make(path)
    with pytest.raises(StartupError) as rejected:
        read_font_folder(tmp_path)
    assert str(rejected.value).startswith(f"The file {path} in RENDERCAST_FONTS_DIR {reason}.")
    assert "\n" not in str(rejected.value)


def test_a_web_font_is_named(tmp_path: Path) -> None:
    (tmp_path / "font.woff2").write_bytes(b"wOF2")
    with pytest.raises(StartupError, match="is a web font, but only TTF, OTF and TTC files are used"):
        read_font_folder(tmp_path)


def test_a_folder_that_is_missing_or_a_file_is_named(tmp_path: Path) -> None:
    for path in (tmp_path / "missing", Path(__file__)):
        with pytest.raises(StartupError, match=f"RENDERCAST_FONTS_DIR is {path}, which is not a folder"):
            read_font_folder(path)
