from pathlib import Path

import pytest

from services.backends.text.characters import graphemes
from services.backends.text.font_families import find_family, installed_families
from services.backends.text.fonts import FontStack
from services.backends.text.harfbuzz import Box, Font, PlacedGlyph, Rasterizer
from tests.support.fonts import COLOR_EMOJI, families_with


def stack(text: str = "", family: str = "inter") -> FontStack:
    return FontStack(family, size=72, text=text)


@pytest.mark.parametrize(
    ("css", "family"),
    [
        ("Inter", "inter"),
        ("ROBOTO", "roboto"),
        (" 'Noto  Sans Arabic' ", "noto sans arabic"),
        ("Comic Sans MS, Roboto, Inter", "roboto"),
        ("Georgia, sans-serif", "inter"),
        ("Noto Sans JP", "noto sans jp"),
        ("Comic Sans MS", None),
        ("serif", "noto serif"),
        ("Georgia, ui-monospace", "roboto mono"),
        ("", None),
    ],
)
def test_the_first_installed_family_is_found(css: str, family: str | None) -> None:
    assert find_family(css) == family


def test_every_installed_family_opens_and_draws_its_script() -> None:
    assert len(installed_families()) > 25
    for family in installed_families():
        font = stack(family=family).primary
        assert any(font.covers(ord(sample)) for sample in "aعאहक漢ภ😀ΩԱა가অગਗಗខມമမଗගகగ∑አ")


@pytest.mark.parametrize(
    ("text", "file"),
    [
        ("a", "Inter"),
        ("é", "Inter"),
        ("e\u0301", "Inter"),
        ("Ж", "Inter"),
        ("ع", "NotoSansArabic"),
        ("क्ष", "NotoSansDevanagari"),
        ("ש", "NotoSansHebrew"),
        ("ภ", "NotoSansThai"),
        ("漢", "NotoSansCJK"),
        ("か", "NotoSansCJK"),
        ("한", "NotoSansCJK"),
        ("。", "NotoSansCJK"),
        ("😀", "NotoEmoji"),
        ("👨‍👩‍👧‍👦", "NotoEmoji"),
        ("1️⃣", "NotoEmoji"),
        ("1", "Inter"),
    ],
)
def test_each_grapheme_gets_a_font_with_its_characters(text: str, file: str) -> None:
    fonts = stack(text)
    assert fonts.choose(text, None).name.startswith(file)
    assert fonts.missing == []


def test_the_requested_family_is_tried_first() -> None:
    assert stack(family="roboto").choose("a", None).name.startswith("Roboto")
    assert stack(family="roboto").choose("ع", None).name.startswith("NotoSansArabic")


def test_a_grapheme_that_no_font_has_is_reported_once_and_drawn_by_the_primary_font() -> None:
    fonts = stack()
    for _ in range(3):
        assert fonts.choose("\u0378", None) is fonts.primary
    assert fonts.missing == ["\u0378"]


def test_a_part_of_a_text_is_shaped_as_in_the_whole() -> None:
    text = "ب" * 20
    font = stack().choose("ب", None)
    whole = font.shape(text, 0, 20, rtl=True, script="Arab")
    part = font.shape(text, 8, 12, rtl=True, script="Arab")
    assert part == [glyph for glyph in whole if 8 <= glyph.cluster < 12]


def test_latin_text_opens_one_font_file() -> None:
    fonts = stack()
    for grapheme in graphemes("Plain words, 123!"):
        fonts.choose(grapheme, None)
    assert len(fonts._opened) == 1


def test_han_ideographs_have_the_shapes_of_the_language_around_them() -> None:
    japanese, korean, chinese = (stack(text) for text in ("直かな", "直한글", "直"))
    assert japanese.choose("直", None) is japanese._open("noto sans cjk jp")
    assert korean.choose("直", None) is korean._open("noto sans cjk kr")
    assert chinese.choose("直", None) is chinese._open("noto sans cjk sc")


def test_an_emoji_is_in_colour_if_a_font_has_it_and_a_symbol_beside_it_is_not() -> None:
    fonts = FontStack("inter", size=72, text="", families=families_with(COLOR_EMOJI))
    emoji = fonts.choose("👍🏽", None)
    assert (emoji.has_color, fonts.choose("😀", emoji).has_color) == (True, False)
    assert fonts.outlined_emoji == ["😀"]
    assert not fonts.choose("🚀\ufe0e", emoji).has_color  # a rocket as text
    assert fonts.choose("\u2764\ufe0f", None) is emoji


def test_the_weight_and_slope_of_fallback_fonts_follow_the_request() -> None:
    fonts = FontStack("roboto mono", size=72, text="", weight=900, italic=True)
    assert (fonts.face.nearest_weight(900), fonts.face.italic) == (700, True)
    assert fonts.primary.name == "RobotoMono-Italic[wght].ttf"
    arabic = fonts.choose("ع", None)
    assert (arabic.name, arabic.variations["wght"]) == ("NotoSansArabic[wght].ttf", 900)


def test_cjk_is_as_heavy_as_the_text_around_it() -> None:
    face = installed_families()["noto sans cjk sc"].faces[0]
    thin = Font(Path(face.path), face.index, {})  # the file's default weight is 100
    assert _ink_of(stack("漢").choose("漢", None)) > 1.5 * _ink_of(thin)


def _ink_of(font: Font) -> int:
    [glyph] = font.shape("漢", 0, 1, rtl=False, script="Hani")
    placed = PlacedGlyph(font=font, glyph_id=glyph.glyph_id, x=0, y=100, size=100)
    return int(Rasterizer().render([placed], Box(0, 0, 120, 140)).sum())
