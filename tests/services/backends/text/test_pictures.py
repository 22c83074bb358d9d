import numpy as np
import pytest

from services.backends.text.harfbuzz import Box
from services.backends.text.mixture import Colors
from services.backends.text.pictures import FULL, Picture, Sampling, looked_up, new_picture
from services.backends.text.ycbcr import BT709, JFIF
from services.renders.colors import parse_color

COVERAGE = np.array([[0, 85, 170, 255]], np.uint8)
RED_ON_BLUE = Colors(text=parse_color("red"), background=parse_color("blue"))
RED = Colors(text=parse_color("red"), background=parse_color("transparent"))


def filled(pixel_format: str, colors: Colors, *, opacity: float = 1.0) -> Picture:
    """Return a picture of 4 pixels with increasing coverage, the same for each sampling."""
    picture = new_picture(4, 1, pixel_format=pixel_format, colors=colors, coding=BT709)
    for component in picture.components:
        columns, rows = component.sampling
        part = COVERAGE[:, ::columns]
        component.write(Box(0, 0, 4, rows), part, picture.colors.mixture(opacity))
    return picture


def values(picture: Picture) -> list[list[int]]:
    return [component.pixels[0].tolist() for component in picture.components]


@pytest.mark.parametrize(
    "other",
    [
        *(Box(0, 0, 20, 20), Box(6, 6, 8, 8), Box(0, 6, 20, 8), Box(6, 0, 8, 20), Box(0, 0, 6, 6), Box(8, 8, 20, 20)),
        *(Box(12, 4, 20, 10), Box(0, 0, 0, 0), Box(4, 10, 10, 20)),
    ],
)
def test_the_boxes_outside_of_a_box_cover_each_pixel_once(other: Box) -> None:
    box = Box(4, 4, 10, 10)
    counts = np.zeros((20, 20), int)
    for part in (*box.outside(other), box.common(other)):
        counts[part.top : part.bottom, part.left : max(part.left, part.right)] += 1
    assert counts[4:10, 4:10].min() == counts.max() == 1
    assert counts.sum() == 36


@pytest.mark.parametrize(
    ("pixel_format", "samplings"),
    [
        ("yuv420p", [FULL, Sampling(2, 2), Sampling(2, 2)]),
        ("yuva420p", [FULL, Sampling(2, 2), Sampling(2, 2), FULL]),
        ("yuv422p10le", [FULL, Sampling(2, 1), Sampling(2, 1)]),
        ("yuva444p10le", [FULL] * 4),
        ("rgba", [FULL] * 4),
        ("pal8", [FULL]),
    ],
)
@pytest.mark.parametrize("size", [(4, 4), (5, 3)])
def test_a_component_has_a_value_for_each_of_its_samples(
    pixel_format: str, samplings: list[Sampling], size: tuple[int, int]
) -> None:
    width, height = size
    picture = new_picture(width, height, pixel_format=pixel_format, colors=RED, coding=BT709)
    assert [component.sampling for component in picture.components] == samplings
    for component in picture.components:
        columns, rows = component.sampling
        assert component.pixels.shape == (-(-height // rows), -(-width // columns))


def test_ten_bits_have_four_times_the_values() -> None:
    luma, cb, cr, alpha = values(filled("yuva444p10le", RED))
    assert set(luma) == {round((16 + 219 * 0.2126) * 4)}
    assert (set(cb), set(cr)) == ({409}, {960})
    assert alpha == [0, 341, 682, 1023]


def test_rgb_is_mixed_exactly() -> None:
    assert values(filled("rgb24", RED_ON_BLUE)) == [[0, 85, 170, 255], [0] * 4, [255, 170, 85, 0]]
    assert values(filled("bgra", RED_ON_BLUE)) == [[255, 170, 85, 0], [0] * 4, [0, 85, 170, 255], [255] * 4]
    assert values(filled("rgba", RED, opacity=0.6)) == [[255] * 4, [0] * 4, [0] * 4, [0, 51, 102, 153]]


def test_formats_without_transparency_show_the_background_over_black() -> None:
    assert values(filled("rgb24", RED)) == [[0, 85, 170, 255], [0] * 4, [0] * 4]


def test_full_range_values_are_limited_to_a_byte() -> None:
    picture = new_picture(1, 1, pixel_format="yuvj444p", colors=RED_ON_BLUE, coding=JFIF)
    for component in picture.components:
        component.write(Box(0, 0, 1, 1), np.zeros((1, 1), np.uint8), picture.colors.mixture(1.0))
    assert [component.pixels[0, 0] for component in picture.components] == [29, 255, 107]


def test_a_palette_has_all_mixtures_and_a_transparent_colour() -> None:
    colors = Colors(text=parse_color("#ffcc00"), background=parse_color("#1e3a8a"))
    picture = filled("pal8", colors)
    palette = np.frombuffer(bytes(picture.frame.planes[1]), np.uint32)
    assert (palette[0], palette[254], palette[255]) == (0xFF1E3A8A, 0xFFFFCC00, 0)
    for shift, start, end in ((16, 0x1E, 0xFF), (8, 0x3A, 0xCC), (0, 0x8A, 0)):
        shown = (palette[picture.components[0].pixels[0]] >> shift & 0xFF).tolist()
        assert shown == pytest.approx((start + (end - start) * COVERAGE[0].astype(float) / 255).tolist(), abs=1)


def test_pixels_of_a_palette_below_half_the_opacity_are_transparent() -> None:
    assert values(filled("pal8", RED)) == [[255, 255, 254, 254]]


def test_values_are_looked_up_by_coverage() -> None:
    falling = np.arange(256)[::-1]
    for values_by_coverage in (falling.astype(np.uint8), falling.astype(np.uint16)):
        found = looked_up(values_by_coverage, COVERAGE)
        assert found.dtype == values_by_coverage.dtype
        assert found.tolist() == [[255, 170, 85, 0]]
