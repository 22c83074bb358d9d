from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.backends.text.fonts import FontStack
from services.backends.text.harfbuzz import PlacedGlyph
from services.backends.text.layout import Glyph, Layout, lay_out
from services.renders.validation import LINE_HEIGHT_EM, MARGIN

WIDTH, HEIGHT = 1280, 720
LONG = "The quick brown fox jumps over the lazy dog, and then it went home to sleep for the whole afternoon."


def layout(text: str, *, family: str = "Inter", size: float = 72, width: int = WIDTH, height: int = HEIGHT) -> Layout:
    return lay_out(text, family=family, size=size, width=width, height=height)


def lines(laid_out: Layout) -> list[list[Glyph]]:
    """Return the glyphs by baseline, from top to bottom; marks off the baseline are omitted."""
    baselines: dict[float, list[Glyph]] = {}
    for glyph in laid_out.glyphs:
        baselines.setdefault(round(glyph.y, 2), []).append(glyph)
    return [glyphs for _, glyphs in sorted(baselines.items())]


def ink_bounds(laid_out: Layout) -> tuple[float, float, float, float]:
    edges = [
        PlacedGlyph(font=glyph.font, glyph_id=glyph.glyph_id, x=glyph.x, y=glyph.y, size=laid_out.size).ink_edges()
        for glyph in laid_out.glyphs
    ]
    inked = [edge for edge in edges if edge.left < edge.right]
    return (
        min(edge.left for edge in inked),
        min(edge.top for edge in inked),
        max(edge.right for edge in inked),
        max(edge.bottom for edge in inked),
    )


def test_a_short_text_keeps_its_size_on_one_centred_line() -> None:
    laid_out = layout("HHHH")
    left, _, right, _ = ink_bounds(laid_out)
    assert laid_out.size == 72
    assert len(lines(laid_out)) == 1
    assert (left + right) / 2 == pytest.approx(WIDTH / 2, abs=0.5)


def test_a_long_text_wraps_at_spaces_before_it_shrinks() -> None:
    laid_out = layout(LONG)
    assert laid_out.size == 72
    ends = [max(glyph.grapheme for glyph in line) for line in lines(laid_out)]
    assert [LONG[end + 1] for end in ends[:-1]] == [" ", " ", " "]


def test_lines_of_a_paragraph_are_about_as_long_as_each_other() -> None:
    laid_out = layout("one two three four five six seven eight nine ten")
    widths = [line[-1].x - line[0].x for line in lines(laid_out)]
    assert len(widths) == 2
    assert min(widths) > 0.7 * max(widths)


@pytest.mark.parametrize(
    "text", [LONG, LONG * 4, "W" * 60, "漢字" * 120, "😀" * 200, "مرحبا بالعالم " * 20, "क्षत्रिय " * 40]
)
@pytest.mark.parametrize(("width", "height"), [(1280, 720), (720, 1280), (320, 180)])
def test_text_at_rest_stays_inside_the_margins(text: str, width: int, height: int) -> None:
    left, top, right, bottom = ink_bounds(layout(text, width=width, height=height))
    slack = 4  # a letter's ink may reach a little beyond its advance
    assert left >= width * MARGIN - slack
    assert top >= height * MARGIN - slack
    assert right <= width * (1 - MARGIN) + slack
    assert bottom <= height * (1 - MARGIN) + slack


def test_a_text_that_does_not_fit_shrinks_as_little_as_it_must() -> None:
    short, long = layout(LONG * 2, size=100), layout(LONG * 4, size=100)
    assert long.size < short.size < 100
    _, top, _, bottom = ink_bounds(long)
    assert bottom - top > 0.6 * HEIGHT


def test_a_long_word_shrinks_before_it_breaks() -> None:
    word = "Donaudampfschifffahrtsgesellschaftskapitän"
    laid_out = layout(word)
    assert len(lines(laid_out)) == 1
    assert 36 <= laid_out.size < 72


def test_a_word_too_long_to_keep_whole_breaks_between_graphemes() -> None:
    laid_out = layout("e\u0301" * 120)
    assert len(lines(laid_out)) > 1
    assert laid_out.size == 72


def test_line_breaks_are_kept_and_blank_lines_too() -> None:
    above, below = lines(layout("A\n\nB"))
    assert below[0].y - above[0].y == pytest.approx(2 * LINE_HEIGHT_EM * 72)


def test_text_that_does_not_fit_at_the_minimum_size_is_cut_with_a_warning() -> None:
    laid_out = layout("\n".join("a" * 250))
    assert laid_out.size == HEIGHT / 45
    assert 0 < len(laid_out.glyphs) < 250
    assert any("end is omitted" in warning for warning in laid_out.warnings)


def test_a_font_size_below_the_minimum_is_kept() -> None:
    assert layout("Hi", size=5).size == 5


@pytest.mark.parametrize("scale", [0.25, 1.0, 2.0])
def test_a_scaled_layout_has_the_same_lines_and_glyphs(scale: float) -> None:
    layout = lay_out("Some words on two lines", family="Inter", size=40, width=320, height=180)
    scaled = layout.scaled(scale)
    assert scaled.size == layout.size * scale
    assert [(glyph.x, glyph.y) for glyph in scaled.glyphs] == [
        (glyph.x * scale, glyph.y * scale) for glyph in layout.glyphs
    ]
    assert [(glyph.font, glyph.glyph_id) for glyph in scaled.glyphs] == [
        (glyph.font, glyph.glyph_id) for glyph in layout.glyphs
    ]


def test_an_unknown_family_falls_back_with_a_warning() -> None:
    laid_out = layout("Hi", family="Papyrus")
    assert {glyph.font.name for glyph in laid_out.glyphs} == {"Inter[opsz,wght].ttf"}
    assert laid_out.warnings == ["The font family Papyrus is not installed; Inter was used instead."]


def test_characters_that_no_font_has_are_a_warning() -> None:
    laid_out = layout("a\u0378\u0379")
    assert laid_out.warnings == [
        "No installed font has a glyph for \u0378 (U+0378), \u0379 (U+0379); boxes are shown instead."
    ]
    assert sum(glyph.glyph_id == 0 for glyph in laid_out.glyphs) == 2


def test_characters_that_no_font_has_are_drawn_in_their_plain_form() -> None:
    laid_out, plain = layout("𝓗𝓮𝓵𝓵𝓸 𝓗͸"), layout("Hello H͸")
    assert [glyph.glyph_id for glyph in laid_out.glyphs] == [glyph.glyph_id for glyph in plain.glyphs]
    assert laid_out.warnings == [
        *plain.warnings,
        "No installed font has some characters; they are drawn in their plain form: 𝓗 as H, 𝓮 as e, 𝓵 as l, 𝓸 as o.",
    ]
    assert laid_out.grapheme_count == plain.grapheme_count


def test_a_reduced_font_size_is_a_warning() -> None:
    laid_out = layout("Supercalifragilísticoespialidoso", size=500)
    assert laid_out.warnings == [
        f"The font size was reduced from 500 to {laid_out.size:.1f} pixels so that the text fits the frame."
    ]


def test_arabic_letters_join_and_run_from_right_to_left() -> None:
    word = layout("عربي").glyphs
    apart = {layout(letter).glyphs[0].glyph_id for letter in "عرب"}
    assert word[0].grapheme == 3  # the last letter is leftmost
    assert len({glyph.glyph_id for glyph in word} & apart) <= 1
    assert all(left.x <= right.x + 72 for left, right in pairwise(word))


def test_a_wrapped_arabic_line_is_shaped_by_itself() -> None:
    broken = lines(layout("ح" * 120, size=200))
    assert len(broken) > 1
    alone = layout("ح" * 3, size=200).glyphs
    assert alone[0].glyph_id == broken[0][0].glyph_id  # the final form at a line's end, the initial at its start
    assert alone[-1].glyph_id == broken[1][-1].glyph_id


def test_the_paragraphs_direction_orders_mixed_text() -> None:
    hebrew_first = layout("שלום abc").glyphs
    latin_first = layout("abc שלום").glyphs
    assert hebrew_first[0].font.name.startswith("Inter")
    assert latin_first[0].font.name.startswith("Inter")
    assert [glyph.grapheme for glyph in hebrew_first] == [5, 6, 7, 4, 3, 2, 1, 0]
    assert [glyph.grapheme for glyph in latin_first] == [0, 1, 2, 3, 7, 6, 5, 4]


def test_brackets_are_mirrored_in_right_to_left_text() -> None:
    rtl, ltr = layout("א(ב").glyphs, layout("a)b").glyphs
    assert rtl[1].glyph_id == ltr[1].glyph_id


def test_devanagari_conjuncts_are_formed_and_belong_to_one_grapheme() -> None:
    laid_out = layout("क्ष")
    assert laid_out.grapheme_count == 1
    assert len(laid_out.glyphs) == 1
    assert laid_out.glyphs[0].glyph_id not in {glyph.glyph_id for glyph in layout("क ष").glyphs}


@pytest.mark.parametrize(
    "text", ["日本語のテキスト", "汉字简体", "繁體中文", "한국어", "မြန်မာ", "ខ្មែរ", "தமிழ்", "ภาษาไทย"]
)
def test_scripts_beyond_latin_have_real_glyphs(text: str) -> None:
    laid_out = layout(text)
    assert laid_out.warnings == []
    assert all(glyph.glyph_id for glyph in laid_out.glyphs)


@pytest.mark.parametrize("emoji", ["😀", "👨‍👩‍👧‍👦", "🇫🇷", "1️⃣", "👍🏽", "❤️", "🏳️‍🌈", "🧑🏿‍🚀"])
def test_an_emoji_is_one_grapheme_in_the_emoji_font(emoji: str) -> None:
    laid_out = layout(f"a{emoji}b")
    middle = [glyph for glyph in laid_out.glyphs if glyph.grapheme == 1]
    assert laid_out.grapheme_count == 3
    assert laid_out.warnings == [f"Emoji are drawn in outline, as no font with colour emoji is installed: {emoji}."]
    assert all(glyph.glyph_id and glyph.font.name.startswith("NotoEmoji") for glyph in middle)
    left, _, right, _ = ink_bounds(Layout(glyphs=middle, size=72, grapheme_count=1, warnings=[]))
    assert 0.4 * 72 < right - left < 1.6 * 72


def test_a_ligature_belongs_to_the_last_of_its_graphemes() -> None:
    assert [glyph.grapheme for glyph in layout("ffi a", family="Roboto").glyphs] == [2, 3, 4]


def test_optical_size_follows_the_font_size() -> None:
    small, large = FontStack("inter", size=14, text="").primary, FontStack("inter", size=72, text="").primary
    [narrow], [wide] = (font.shape("a", 0, 1, rtl=False, script="Latn") for font in (large, small))
    assert narrow.advance < wide.advance


UNUSUAL_TEXT = st.sampled_from(
    list("\n\t \u0301\u200d\ufe0f\u20e3\u202e\u2067\u2069\u061cعبאक्ष्ภ漢😀👍🏽🇫\U000e0001\u0378\ue000\udc00\x00")
)


@settings(max_examples=150)
@given(
    st.text(max_size=120) | st.text(UNUSUAL_TEXT, max_size=500),
    st.sampled_from([1.0, 72.0, 5000.0]),
    st.sampled_from([(320, 180), (1280, 720), (16, 16)]),
)
def test_any_text_can_be_laid_out(text: str, size: float, frame: tuple[int, int]) -> None:
    laid_out = layout(text, size=size, width=frame[0], height=frame[1])
    assert 0 < laid_out.size <= size
    assert all(0 <= glyph.grapheme < laid_out.grapheme_count for glyph in laid_out.glyphs)


@pytest.mark.parametrize(
    "text", ["\n" * 500, "😀" * 500, "\t" * 500, "\u0301" * 500, "ﷺ" * 500, "\x00", "", "\ud800" * 500]
)
def test_five_hundred_unusual_characters_can_be_laid_out(text: str) -> None:
    assert layout(text).size > 0
