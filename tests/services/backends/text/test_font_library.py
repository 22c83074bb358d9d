from pathlib import Path

from services.backends.text.font_families import FontFace
from services.backends.text.font_library import EMOJI_FILE, FontLibrary, emoji_faces
from services.models.fonts import FontFamily
from tests.support.fonts import COLOR_EMOJI


async def test_the_families_are_described_in_alphabetical_order_each_file_once() -> None:
    described = await FontLibrary([COLOR_EMOJI]).describe()
    names = [family.family for family in described]
    assert names == sorted(set(names), key=str.casefold)
    by_name = {family.family: family for family in described}
    assert by_name["Inter"] == FontFamily(
        family="Inter", weights=tuple(range(100, 901, 100)), italic=True, scripts=("Latn", "Grek", "Cyrl")
    )
    assert by_name["Noto Sans Arabic"].scripts == ("Arab",)
    assert by_name["Noto Color Emoji"].weights == (400,)
    assert {"Hira", "Hani"} <= set(by_name["Noto Sans JP"].scripts)
    assert "Noto Sans CJK JP" not in by_name


async def test_the_weights_are_those_of_all_faces() -> None:
    faces = [
        FontFace(family="A", path=COLOR_EMOJI.path, min_weight=weight, max_weight=highest)
        for weight, highest in ((250, 250), (340, 620), (950, 950))
    ]
    [family] = [each for each in await FontLibrary(faces).describe() if each.family == "A"]
    assert family.weights == (250, 400, 500, 600, 900)


async def test_a_font_that_has_been_removed_has_no_scripts(tmp_path: Path) -> None:
    removed = FontFace(family="A", path=str(tmp_path / "removed.ttf"))
    [family] = [each for each in await FontLibrary([removed]).describe() if each.family == "A"]
    assert family.scripts == ()


def test_colour_emoji_are_found_beside_the_packages_of_the_pages(tmp_path: Path) -> None:
    assert emoji_faces(tmp_path) == []
    (tmp_path / EMOJI_FILE).parent.mkdir(parents=True)
    (tmp_path / EMOJI_FILE).touch()
    [face] = emoji_faces(tmp_path)
    assert (face.family, face.has_color) == ("Noto Color Emoji", True)
