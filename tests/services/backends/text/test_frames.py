from typing import cast

import numpy as np
import pytest

from services.backends.text.frames import Painter
from services.backends.text.layout import Layout, lay_out
from services.backends.text.mixture import Colors
from services.backends.text.pictures import Picture, Sampling, new_picture, subsampled
from services.backends.text.styles import AT_REST, Pose
from services.backends.text.ycbcr import BT709
from services.renders.colors import Color, parse_color
from tests.services.backends.text.rendering import Plane, Planes

WIDTH, HEIGHT = 320, 180
WHITE, BLACK = parse_color("white"), parse_color("black")
MIXED = "Hi مرحبا क्षत्रिय 漢 😀"


def new(color: Color = WHITE, background: Color = BLACK, *, size: tuple[int, int] = (WIDTH, HEIGHT)) -> Picture:
    colors = Colors(text=color, background=background)
    return new_picture(*size, pixel_format="yuv420p", colors=colors, coding=BT709)


def planes(picture: Picture) -> Planes:
    """Return the planes of a picture, which share its memory."""
    return Planes(*(cast("Plane", component.pixels) for component in picture.components))


def layout(text: str = "Hello", *, size: float = 40) -> Layout:
    return lay_out(text, family="Inter", size=size, width=WIDTH, height=HEIGHT)


def painted(*poses: Pose, text: str = "Hello", color: Color = WHITE, background: Color = BLACK) -> Planes:
    """Return a picture after painting the poses one after another."""
    result = new(color, background)
    painter = Painter(result, layout(text))
    for pose in poses:
        painter.paint(pose)
    return planes(result)


def same(one: Planes, other: Planes) -> bool:
    return all(
        np.array_equal(a, b) for a, b in zip((one.y, one.cb, one.cr), (other.y, other.cb, other.cr), strict=True)
    )


def test_a_fresh_picture_is_all_background() -> None:
    fresh = painted(background=parse_color("red"))
    assert [np.unique(plane).tolist() for plane in (fresh.y, fresh.cb, fresh.cr)] == [[63], [102], [240]]


def test_full_coverage_shows_the_texts_colour() -> None:
    shown = painted(AT_REST, text="HHH", color=parse_color("lime"), background=parse_color("red"))
    assert shown.y.max() == 173
    assert shown.cb.min() == 42


def test_an_opacity_of_one_half_is_the_mean_of_both_colours() -> None:
    whole, half = painted(AT_REST), painted(Pose(opacity=0.5))
    assert np.abs((whole.y.astype(int) + 16) / 2 - half.y).max() <= 1


def test_translucent_text_shows_the_background() -> None:
    assert same(painted(AT_REST, color=parse_color("rgb(255 255 255 / 50%)")), painted(Pose(opacity=0.5)))


def test_a_translucent_background_shows_black() -> None:
    assert np.unique(painted(background=parse_color("rgb(255 255 255 / 0%)")).y).tolist() == [16]


@pytest.mark.parametrize(
    "before",
    [
        *(Pose(opacity=0), Pose(opacity=0.3), Pose(shown=2)),
        *(Pose(scale=0.4), Pose(scale=3), Pose(scale=1.7)),
        *(Pose(drop=11.3), Pose(drop=-11.3), Pose(drop=80), Pose(drop=-40, scale=2), Pose(drop=500)),
    ],
)
def test_a_pose_is_independent_of_earlier_poses(before: Pose) -> None:
    assert same(painted(before, AT_REST, text=MIXED), painted(AT_REST, text=MIXED))


def test_typing_ends_in_the_picture_of_the_whole_text() -> None:
    count = layout(MIXED).grapheme_count
    typed = painted(*(Pose(shown=shown) for shown in range(count)), AT_REST, text=MIXED)
    whole = painted(AT_REST, text=MIXED)
    assert np.abs(typed.y.astype(int) - whole.y).max() <= 3  # joined letters are rounded separately
    assert np.abs(typed.cb.astype(int) - whole.cb).max() <= 3


def test_typing_never_changes_a_glyph_that_is_shown() -> None:
    laid_out = layout(MIXED, size=36)
    picture = new()
    painter = Painter(picture, laid_out)
    result = planes(picture)
    before = result.y.copy()
    for shown in range(laid_out.grapheme_count + 1):
        painter.paint(Pose(shown=shown))
        assert (result.y >= before).all()
        before = result.y.copy()
    assert before.max() == 235


@pytest.mark.parametrize("scale", [0.001, 0.3, 1.05, 40])
@pytest.mark.parametrize("drop", [-500.0, 0.0, 77.7, 500.0])
def test_text_may_lie_partly_or_wholly_outside_the_frame(scale: float, drop: float) -> None:
    assert painted(Pose(scale=scale, drop=drop)).y.min() == 16


def test_movement_by_a_fraction_of_a_pixel_shows() -> None:
    rest, moved = painted(AT_REST), painted(Pose(drop=0.25))
    difference = np.abs(rest.y.astype(int) - moved.y)
    assert 20 < difference.max() < 120


def test_scaled_text_is_as_sharp_as_text_at_rest() -> None:
    def steepest(shown: Planes) -> int:
        return int(np.abs(np.diff(shown.y.astype(int), axis=1)).max())

    assert steepest(painted(Pose(scale=0.8), text="III")) > 0.8 * steepest(painted(AT_REST, text="III"))


def test_invisible_text_paints_nothing() -> None:
    assert np.unique(painted(AT_REST, text="\u200d").y).tolist() == [16]


def test_chroma_is_sampled_on_even_columns_between_rows() -> None:
    both = Sampling(2, 2)
    coverage = np.zeros((2, 8), np.uint8)
    coverage[:, 3] = 200
    assert subsampled(coverage, both).tolist() == [[0, 50, 50, 0]]
    coverage = np.zeros((2, 8), np.uint8)
    coverage[0, 4] = 200
    assert subsampled(coverage, both).tolist() == [[0, 0, 50, 0]]
    assert subsampled(np.full((4, 6), 255, np.uint8), both).tolist() == [[255] * 3] * 2


def test_chroma_of_every_row_is_sampled_on_even_columns() -> None:
    coverage = np.zeros((2, 8), np.uint8)
    coverage[0, 3] = 200
    coverage[1, 4] = 200
    assert subsampled(coverage, Sampling(2, 1)).tolist() == [[0, 50, 50, 0], [0, 0, 100, 0]]
    assert subsampled(np.full((3, 4), 255, np.uint8), Sampling(2, 1)).tolist() == [[255] * 2] * 3


@pytest.mark.parametrize("size", [(319, 179), (317, 180), (320, 177), (1, 1), (3, 5)])
def test_a_picture_of_odd_size_is_painted_up_to_its_edges(size: tuple[int, int]) -> None:
    picture = new(parse_color("lime"), parse_color("red"), size=size)
    width, height = size
    painter = Painter(picture, lay_out("█", family="Inter", size=40, width=width, height=height))
    painter.paint(Pose(scale=400))
    assert [np.unique(component.pixels).tolist() for component in picture.components] == [[173], [42], [26]]
