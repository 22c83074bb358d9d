from itertools import combinations

import numpy as np
import numpy.typing as npt
import pytest

from services.backends.text.font_families import FontFace
from services.backends.text.fonts import FontStack
from services.backends.text.frames import Painter
from services.backends.text.layout import Glyph, Layout
from services.backends.text.mixture import Colors
from services.backends.text.pictures import Picture, new_picture
from services.backends.text.styles import AT_REST, Pose
from services.backends.text.ycbcr import BT709
from services.renders.colors import parse_color
from tests.services.backends.text.rendering import rgb
from tests.support.fonts import BITMAP_EMOJI, COLOR_EMOJI, THUMBS, families_with

SIZE = 64
FORMATS = ("yuv420p", "yuva420p", "yuv422p10le", "yuva444p10le", "rgb24", "rgba", "bgra", "pal8")
RED, BLUE = (255, 0, 0), (0, 0, 255)


def layout(text: str, *faces: FontFace, at: float = 0) -> Layout:
    """Return the layout of one emoji in a frame of its size, `at` pixels further to the right."""
    fonts = FontStack("inter", size=SIZE, text=text, families=families_with(*faces))
    font = fonts.choose(text, None)
    shaped = font.shape(text, 0, len(text), rtl=False, script="Zyyy")
    glyphs = [Glyph(font, glyph.glyph_id, at, SIZE * 0.8, 0) for glyph in shaped]
    return Layout(glyphs=glyphs, size=SIZE, grapheme_count=1, warnings=())


def painted(
    laid_out: Layout, *poses: Pose, pixel_format: str = "rgb24", color: str = "white", background: str = "black"
) -> Picture:
    colors = Colors(text=parse_color(color), background=parse_color(background))
    picture = new_picture(2 * SIZE, SIZE, pixel_format=pixel_format, colors=colors, coding=BT709)
    painter = Painter(picture, laid_out)
    for pose in poses or (AT_REST,):
        painter.paint(pose)
    return picture


def shown(picture: Picture) -> npt.NDArray[np.int16]:
    """Return the colours of a picture, without the opacity."""
    frame = picture.frame
    if frame.format.name.startswith("yuv"):
        frame.colorspace, frame.color_range = 1, 1
        frame = frame.reformat(format=frame.format.name.replace("yuva", "yuv"))
    return rgb(frame)


@pytest.mark.parametrize("pixel_format", ["yuv420p", "pal8"])
def test_the_skin_tones_of_an_emoji_are_different(pixel_format: str) -> None:
    pictures = [shown(painted(layout(text, COLOR_EMOJI), pixel_format=pixel_format)) for text in THUMBS]
    for one, other in combinations(pictures, 2):
        assert np.abs(one - other).mean() > 1
    outlines = [shown(painted(layout(text))) for text in THUMBS[1:]]
    assert all(np.array_equal(outlines[0], each) for each in outlines)


@pytest.mark.parametrize("text", ["❤️", "👩‍🚀", "🇨🇭", "👍🏽"])
def test_a_sequence_is_one_picture(text: str) -> None:
    [glyph] = [each for each in layout(text, COLOR_EMOJI).glyphs if each.font.ink(each.glyph_id).right > 0]
    assert glyph.font.has_color


@pytest.mark.parametrize("pixel_format", FORMATS)
def test_each_pixel_format_shows_an_emojis_colours(pixel_format: str) -> None:
    pixels = shown(painted(layout("😀", BITMAP_EMOJI), pixel_format=pixel_format))
    for color, columns in ((RED, slice(4, 28)), (BLUE, slice(36, 60))):
        assert np.abs(pixels[10:50, columns] - color).max() <= 4
    assert np.abs(pixels[:, SIZE + 4 :]).max() <= 1


@pytest.mark.parametrize("pixel_format", FORMATS[:-1])
def test_an_emoji_is_translucent_like_the_text(pixel_format: str) -> None:
    half = painted(layout("😀", BITMAP_EMOJI), Pose(opacity=0.5), pixel_format=pixel_format, background="white")
    assert np.abs(shown(half)[10:50, 4:28] - (255, 128, 128)).max() <= 4
    translucent = painted(
        layout("😀", BITMAP_EMOJI), pixel_format=pixel_format, color="rgb(0 0 0 / 50%)", background="white"
    )
    assert np.array_equal(shown(half), shown(translucent))


def test_without_a_background_the_colours_are_not_premultiplied() -> None:
    picture = painted(layout("😀", BITMAP_EMOJI), Pose(opacity=0.5), pixel_format="rgba", background="transparent")
    pixels = picture.frame.to_ndarray().astype(int)
    assert pixels[20, 10].tolist() == [255, 0, 0, 128]
    assert pixels[20, SIZE + 20].tolist() == [255, 255, 255, 0]


def test_a_gif_without_a_background_is_transparent_around_an_emoji() -> None:
    picture = painted(layout("😀", BITMAP_EMOJI), pixel_format="pal8", background="transparent")
    assert picture.frame.to_ndarray(format="rgba")[20, :, 3].tolist() == [255] * 64 + [0] * 64


def test_painting_step_by_step_is_the_same_as_painting_at_once() -> None:
    laid_out = layout("👍🏽", COLOR_EMOJI, at=10)
    poses = [Pose(shown=0), Pose(opacity=0.3), Pose(scale=0.5), Pose(drop=7.5), AT_REST]
    assert np.array_equal(shown(painted(laid_out, *poses)), shown(painted(laid_out, AT_REST)))


def test_a_small_bitmap_has_the_mean_colour_of_its_parts() -> None:
    tiny = Pose(scale=1 / SIZE)
    pixels = shown(painted(layout("😀", BITMAP_EMOJI, at=SIZE / 2), tiny))
    assert 100 < pixels.sum(axis=(0, 1))[0] <= 130
    assert pixels.sum(axis=(0, 1)).tolist()[1] == 0


def test_an_emoji_at_the_frames_edge_is_clipped() -> None:
    whole, clipped = (shown(painted(layout("👍🏽", COLOR_EMOJI, at=at))) for at in (20, 20 - SIZE))
    assert np.array_equal(whole[:, SIZE : 2 * SIZE], clipped[:, :SIZE])
