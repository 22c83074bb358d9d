import json
from pathlib import Path

import pytest

from services.backends.text.font_families import (
    Family,
    FontFace,
    find_family,
    installed_families,
    similar_family,
    with_faces,
)


def face(*, weight: int | tuple[int, int] = 400, italic: bool = False, family: str = "A", path: str = "") -> FontFace:
    lowest, highest = (weight, weight) if isinstance(weight, int) else weight
    return FontFace(family=family, path=path, min_weight=lowest, max_weight=highest, italic=italic)


@pytest.mark.parametrize(
    ("weights", "wanted", "chosen"),  # CSS Fonts Module Level 4, section 5.2
    [
        ((300, 500, 700), 400, 500),
        ((300, 700), 400, 300),
        ((600, 700), 400, 600),
        ((400, 700), 500, 400),
        ((300, 600), 500, 300),
        ((200, 400, 700), 300, 200),
        ((400, 700), 300, 400),
        ((400, 800, 900), 700, 800),
        ((300, 400), 700, 400),
        ((100, 900), 900, 900),
    ],
)
def test_the_nearest_weight_is_chosen_as_in_css(weights: tuple[int, ...], wanted: int, chosen: int) -> None:
    family = Family("A", tuple(face(weight=weight) for weight in weights))
    assert family.face(wanted, italic=False).min_weight == chosen


def test_a_variable_face_has_all_weights_of_its_range() -> None:
    family = Family("A", (face(weight=800), face(weight=(200, 700))))
    assert family.face(450, italic=False).nearest_weight(450) == 450
    assert family.face(900, italic=False).nearest_weight(900) == 800
    assert family.face(100, italic=False).nearest_weight(100) == 200


def test_an_italic_face_is_chosen_only_on_request_and_if_there_is_one() -> None:
    both = Family("A", (face(italic=True), face(weight=700)))
    assert both.face(400, italic=True).italic
    assert not both.face(400, italic=False).italic
    assert not Family("A", (face(),)).face(400, italic=True).italic


def test_own_faces_replace_a_family_of_the_same_name_and_come_first() -> None:
    families = with_faces(installed_families(), [face(family="INTER", path="/own.ttf"), face(family="Zzz")])
    assert list(families)[:2] == ["inter", "zzz"]
    assert [each.path for each in families["inter"].faces] == ["/own.ttf"]
    assert families["roboto"] == installed_families()["roboto"]
    assert find_family("Nothing, zzz", families) == "zzz"
    assert find_family("zzz") is None


def test_an_own_family_may_have_the_name_of_a_generic_one_and_commas() -> None:
    families = with_faces(installed_families(), [face(family="Serif"), face(family="Black, White")])
    assert find_family("No, 'serif'", families) == "serif"
    assert find_family("Black, white", families) == "black, white"
    assert find_family("serif") == "noto serif"


@pytest.mark.parametrize(
    ("css", "similar"),
    [
        ("Georgia", "noto serif"),
        ("Times New Roman", "noto serif"),
        ("PT Serif", "noto serif"),
        ("Sans Serif Pro", "inter"),
        ("MS Sans Serif", "inter"),
        ("Courier New", "roboto mono"),
        ("Source Code Pro", "roboto mono"),
        ("Papyrus", "inter"),
        ("", "inter"),
    ],
)
def test_a_family_that_is_not_installed_is_replaced_by_a_similar_one(css: str, similar: str) -> None:
    assert similar_family(css) == similar


def test_each_installed_package_is_a_family(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "fontpkg_some_font"
    package.mkdir()
    axes = [{"tag": "wdth", "min": 75.0, "max": 100.0}, {"tag": "wght", "min": 300.0, "max": 800.0}]
    files = [
        {"path": "files/Some[wdth,wght].ttf", "style": "normal", "weight": None, "variable": True},
        {"path": "files/Some-BoldItalic.ttf", "style": "italic", "weight": 700, "variable": False},
    ]
    (package / "metadata.json").write_text(json.dumps({"family": "Some Font", "axes": axes, "files": files}))
    monkeypatch.syspath_prepend(tmp_path)
    installed_families.cache_clear()
    try:
        family = installed_families()["some font"]
    finally:
        installed_families.cache_clear()
    upright, italic = family.faces
    assert (upright.min_weight, upright.max_weight, upright.italic) == (300, 800, False)
    assert (italic.min_weight, italic.max_weight, italic.italic) == (700, 700, True)
    assert upright.path == str(package / "files/Some[wdth,wght].ttf")


def test_every_face_of_the_installed_packages_has_its_file() -> None:
    faces = [face for family in installed_families().values() for face in family.faces]
    assert len(faces) > 30
    assert all(Path(face.path).is_file() for face in faces)
