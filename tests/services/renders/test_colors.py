import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.renders.colors import Color, parse_color


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("#fff", (255, 255, 255, 1)),
        ("#FF8800", (255, 136, 0, 1)),
        ("#f008", (255, 0, 0, 136 / 255)),
        ("#11223380", (17, 34, 51, 128 / 255)),
        ("  rebeccapurple ", (102, 51, 153, 1)),
        ("TRANSPARENT", (0, 0, 0, 0)),
        ("rgb(255, 136, 0)", (255, 136, 0, 1)),
        ("rgb(255 136 0 / 25%)", (255, 136, 0, 0.25)),
        ("rgb(300 -20 none)", (255, 0, 0, 1)),
        ("hsl(120deg 100% 25%)", (0, 128, 0, 1)),
        ("hwb(120 10% 20%)", (26, 204, 26, 1)),
        ("lab(54.29 80.82 69.89)", (255, 0, 0, 1)),
        ("lch(54.29 106.84 40.86)", (255, 0, 0, 1)),
        ("oklab(0.628 0.2249 0.1258)", (255, 0, 0, 1)),
        ("oklch(62.8% 0.2577 29.23)", (255, 0, 0, 1)),
        ("color(srgb 1 0.5 0)", (255, 128, 0, 1)),
        ("color(srgb-linear 1 0.2140 0)", (255, 127, 0, 1)),
        ("color(display-p3 1 1 1)", (255, 255, 255, 1)),
        ("color(display-p3 0 1 0)", (0, 255, 0, 1)),
        ("color(xyz 0.95046 1 1.08906)", (255, 255, 255, 1)),
    ],
)
def test_css_colours_are_converted_to_srgb(text: str, expected: tuple[int, int, int, float]) -> None:
    color = parse_color(text)
    assert (color.red, color.green, color.blue) == pytest.approx(expected[:3], abs=1)
    assert color.alpha == pytest.approx(expected[3])


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "#12345",
        "notacolour",
        "rgb(1 2)",
        "rgb(",
        "color()",
        "color(prophoto-rgb 1 0 0)",
        "red blue",
        "ButtonText",
        "\x00",
        "red\x00",
        "\ud800",
        "url(x)",
        "#" * 10_000,
        "rgb(" * 10_000,
        "lch(50% 1e308 1e308)",
    ],
)
def test_an_invalid_colour_is_rejected_with_a_message(text: str) -> None:
    with pytest.raises(ValueError, match=r"^[^\n\x00]{1,120}\.$") as rejection:
        parse_color(text)
    assert str(rejection.value).encode()


@pytest.mark.parametrize("text", ["currentcolor", "CurrentColor"])
def test_currentcolor_is_rejected(text: str) -> None:
    with pytest.raises(ValueError, match="currentcolor is not supported"):
        parse_color(text)


@given(st.text(max_size=60) | st.from_regex(r"(rgb|hsl|hwb|lab|lch|oklab|oklch|color)\([a-z0-9 ,.%/e+-]{0,40}\)"))
def test_any_text_returns_a_colour_or_raises_value_error(text: str) -> None:
    with suppress(ValueError):
        color = parse_color(text)
        assert all(0 <= channel <= 255 for channel in (color.red, color.green, color.blue))
        assert 0 <= color.alpha <= 1


def test_a_translucent_background_is_composited_over_black() -> None:
    assert parse_color("rgb(200 100 50 / 50%)").over_black() == Color(red=100, green=50, blue=25)
    assert parse_color("transparent").over_black() == Color(red=0, green=0, blue=0)


def test_importing_the_module_imports_no_renderer() -> None:
    code = (
        "import sys, services.renders.colors; print(any(name in sys.modules for name in ('av', 'numpy', 'uharfbuzz')))"
    )
    root = Path(__file__).parents[3]
    assert subprocess.check_output([sys.executable, "-c", code], cwd=root).strip() == b"False"
