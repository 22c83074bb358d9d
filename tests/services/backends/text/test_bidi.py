import pytest

from services.backends.text.bidi import embedding_levels, in_visual_order, is_rtl


def digits(levels: list[int]) -> str:
    return "".join(map(str, levels))


@pytest.mark.parametrize(
    ("text", "levels"),
    [
        ("abc", "000"),
        ("", ""),
        ("אב", "11"),
        ("ab אב 12", "00011122"),  # digits run from left to right inside Hebrew
        ("אב ab 12", "11122222"),
        ("a (ב) ג", "0001001"),  # N0: these brackets follow the paragraph
        ("א (b) ג", "1112111"),
        ("א\u2066b\u2069", "1121"),  # an isolate
        ("😀אé", "112"),  # levels count characters, not bytes
        ('א "levels: [" Level(7)', "1112222222222222222222"),  # the words of the library's printed form
    ],
)
def test_levels(text: str, levels: str) -> None:
    assert digits(embedding_levels(text)) == levels


def test_the_paragraph_takes_the_direction_of_its_first_strong_character() -> None:
    assert is_rtl("123 שלום abc")
    assert not is_rtl("123 abc שלום")
    assert not is_rtl("123")
    assert not is_rtl("")


@pytest.mark.parametrize(
    ("levels", "order"),
    [
        ([], []),
        ([0], [0]),
        ([0, 0], [0, 1]),
        ([0, 1, 0], [0, 1, 2]),
        ([1, 2, 1], [2, 1, 0]),
        ([0, 1, 2, 1, 0], [0, 3, 2, 1, 4]),
        ([2, 1, 2], [2, 1, 0]),
        ([1, 2, 2], [1, 2, 0]),
    ],
)
def test_runs_are_ordered_by_their_levels(levels: list[int], order: list[int]) -> None:
    assert in_visual_order(list(range(len(levels))), levels) == order
