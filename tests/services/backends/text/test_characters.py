import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.backends.text.characters import clean, graphemes, is_emoji, is_invisible


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("  a b \n", "a b"),
        ("a\r\nb\rc\u2028d\x0be", "a\nb\nc\nd\ne"),
        ("a\tb", "a b"),
        ("a\x00\x07b", "ab"),
        ("a\ud800b", "a\ufffdb"),
        ("\n\n\n", ""),
        ("a\u200db", "a\u200db"),
    ],
)
def test_clean(text: str, cleaned: str) -> None:
    assert clean(text) == cleaned


@given(st.text(max_size=500))
def test_graphemes_are_the_text_in_pieces(text: str) -> None:
    assert "".join(graphemes(text)) == text


@pytest.mark.parametrize(
    "grapheme",
    [
        "😀",
        "👍🏽",
        "👨‍👩‍👧‍👦",
        "🇫🇷",
        "1️⃣",
        "#️⃣",
        "❤️",
        "🏳️‍🌈",
        "☝🏽",
        "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
    ],
)
def test_an_emoji_is_one_grapheme_and_known_as_emoji(grapheme: str) -> None:
    assert graphemes(grapheme) == [grapheme]
    assert is_emoji(grapheme)


@pytest.mark.parametrize("grapheme", ["1", "#", "©", "❤", "😀\ufe0e", "a", "漢"])
def test_text_is_not_an_emoji(grapheme: str) -> None:
    assert not is_emoji(grapheme)


def test_conjuncts_are_one_grapheme() -> None:
    assert graphemes("क्षत्रिय") == ["क्ष", "त्रि", "य"]


def test_joiners_selectors_and_spaces_are_invisible() -> None:
    assert all(is_invisible(character) for character in "\u200d\ufe0f\u2067 \u3000\u00ad")
    assert not any(is_invisible(character) for character in "a漢\u0301\ue000")
