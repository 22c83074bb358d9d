import shutil
from pathlib import Path

import pytest

from services.backends.text.font_library import EMOJI_FILE
from services.errors import StartupError
from services.runtime.adapters import open_embedded
from services.runtime.fonts import read_fonts
from services.settings import default_settings
from tests.support.fonts import BITMAP_EMOJI


def test_the_fonts_are_those_of_the_operators_folder_and_then_colour_emoji(tmp_path: Path) -> None:
    assert read_fonts(default_settings(web_dir=tmp_path)).own_faces == ()
    (tmp_path / EMOJI_FILE).parent.mkdir(parents=True)
    (tmp_path / EMOJI_FILE).touch()
    folder = tmp_path / "fonts"
    folder.mkdir()
    shutil.copy(BITMAP_EMOJI.path, folder)
    fonts = read_fonts(default_settings(web_dir=tmp_path, fonts_dir=folder))
    assert [face.family for face in fonts.own_faces] == ["Bitmap Emoji", "Noto Color Emoji"]
    assert fonts.families["bitmap emoji"].faces == fonts.own_faces[:1]


async def test_a_file_that_is_not_a_font_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "font.ttf").touch()
    settings = default_settings(fonts_dir=tmp_path, data_dir=tmp_path / "data")
    with pytest.raises(StartupError, match=r"font\.ttf in RENDERCAST_FONTS_DIR is not a TrueType or OpenType font\."):
        async with open_embedded(settings):
            pass
