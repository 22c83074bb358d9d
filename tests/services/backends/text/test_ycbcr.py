import pytest

from services.backends.text.ycbcr import BT601, BT709, JFIF, Coding
from services.renders.colors import parse_color


@pytest.mark.parametrize(
    ("coding", "css", "expected"),
    [
        (BT709, "black", (16, 128, 128)),
        (BT709, "white", (235, 128, 128)),
        (BT709, "red", (63, 102, 240)),
        (BT709, "lime", (173, 42, 26)),
        (BT709, "blue", (32, 240, 118)),
        (BT601, "white", (235, 128, 128)),
        (BT601, "red", (81, 90, 240)),
        (BT601, "lime", (145, 54, 34)),
        (BT601, "blue", (41, 240, 110)),
        (JFIF, "black", (0, 128, 128)),
        (JFIF, "white", (255, 128, 128)),
        (JFIF, "red", (76, 85, 256)),  # 255.5, which 8 bits can't store
        (JFIF, "lime", (150, 44, 21)),
    ],
)
def test_colours_have_the_values_of_the_standards(coding: Coding, css: str, expected: tuple[int, int, int]) -> None:
    assert tuple(round(value) for value in coding.encode(parse_color(css))) == expected
