import numpy as np
import pytest

from services.backends.text.mixture import Colors
from services.renders.colors import parse_color

WHITE = parse_color("white")


def test_over_an_opaque_background_coverage_is_the_share_and_all_is_opaque() -> None:
    mixture = Colors(text=WHITE, background=parse_color("red")).mixture(1.0)
    assert np.allclose(mixture.share, np.arange(256) / 255)
    assert (mixture.alpha == 1).all()


def test_without_a_background_coverage_is_the_opacity_and_the_colour_is_the_texts() -> None:
    mixture = Colors(text=WHITE, background=parse_color("transparent")).mixture(0.5)
    assert np.allclose(mixture.alpha, np.arange(256) / 510)
    assert (mixture.share == 1).all()


@pytest.mark.parametrize("opacity", [0.0, 0.25, 1.0])
def test_translucent_colours_are_composited_without_premultiplication(opacity: float) -> None:
    """The expected values are those of Compositing and Blending Level 1, section 5.1."""
    text, background = parse_color("rgb(200 0 0 / 80%)"), parse_color("rgb(100 0 0 / 40%)")
    mixture = Colors(text=text, background=background).mixture(opacity)
    source = np.arange(256) / 255 * text.alpha * opacity
    alpha = source + background.alpha * (1 - source)
    premultiplied = 200 * source + 100 * background.alpha * (1 - source)
    assert np.allclose(mixture.alpha, alpha)
    assert np.allclose((100 + 100 * mixture.share) * mixture.alpha, premultiplied)


def test_a_translucent_background_can_be_shown_over_black() -> None:
    colors = Colors(text=WHITE, background=parse_color("rgb(200 100 50 / 50%)")).over_black()
    assert (colors.background.red, colors.background.green, colors.background.blue) == (100, 50, 25)
    assert (colors.mixture(1.0).alpha == 1).all()
