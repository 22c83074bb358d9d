"""Transparency, the colours of GIFs, posters, and the warnings about what an output can't show."""

from pathlib import Path

import numpy as np
import pytest

from services.media import FORMATS, OutputFormat, OutputKind
from services.models import AnimationStyle
from tests.services.backends.text.outputs import (
    ANIMATED,
    BACKGROUND,
    FRAMES,
    HEIGHT,
    ROWS,
    TEXT,
    WIDTH,
    WITH_ALPHA,
    at_rest,
    check_alpha,
    corner,
    make,
    middle,
    near,
    rgba,
)
from tests.services.backends.text.rendering import decode_poster


@pytest.mark.parametrize("name", [OutputFormat.GIF, OutputFormat.PNG, OutputFormat.WEBP])
def test_an_image_with_a_transparent_background_is_transparent(tmp_path: Path, name: OutputFormat) -> None:
    check_alpha(make(tmp_path, at_rest(name), background_color="#1e3a8a00", style="fade-in"), name)


@pytest.mark.parametrize("name", [OutputFormat.PNG, OutputFormat.WEBP])
def test_a_still_keeps_translucent_colours(tmp_path: Path, name: OutputFormat) -> None:
    made = make(tmp_path, at_rest(name), background_color="rgb(30 58 138 / 40%)", color="rgb(255 204 0 / 50%)")
    assert corner(made.frames[0]).tolist() == [*BACKGROUND, 102]
    assert middle(made.frames[0])[3] == round(255 * 0.7)


@pytest.mark.parametrize("style", AnimationStyle)
def test_a_transparent_gif_erases_each_frame(tmp_path: Path, style: AnimationStyle) -> None:
    """Without it, text that moves or shrinks would leave a trail."""
    options = {"format": "gif"}
    clear = make(tmp_path, options, background_color="transparent", style=style, text="Wave", duration_in_frames=30)
    solid = make(
        tmp_path, options, background_color="black", color="white", style=style, text="Wave", duration_in_frames=30
    )
    for one, other in zip(clear.frames, solid.frames, strict=True):
        opacity, lightness = rgba(one)[..., 3], rgba(other)[..., 0]
        assert set(np.unique(opacity)) <= {0, 255}
        assert lightness[opacity == 255].min(initial=255) >= 127
        assert lightness[opacity == 0].max(initial=0) <= 128
    assert clear.warnings == ["A GIF has no partial transparency; each pixel is either opaque or transparent."]


@pytest.mark.parametrize("style", AnimationStyle)
def test_a_gif_has_all_mixtures_of_both_colours_in_every_frame(tmp_path: Path, style: AnimationStyle) -> None:
    made = make(tmp_path, {"format": "gif"}, style=style, text="Wave", font_size=12.0, width=96, height=48)
    line = np.subtract(TEXT, BACKGROUND)
    for frame in made.frames:
        pixels = rgba(frame)[..., :3].reshape(-1, 3)
        share = (pixels - BACKGROUND) @ line / (line @ line)
        assert np.abs(pixels - (BACKGROUND + share[:, None] * line)).max() <= 1
    assert len(np.unique(rgba(made.frames[-1]).reshape(-1, 4), axis=0)) > 40


@pytest.mark.parametrize(
    "name", [name for name in ROWS if name not in WITH_ALPHA or FORMATS[name].kind is OutputKind.VIDEO]
)
def test_a_translucent_background_is_drawn_over_black_with_a_warning(tmp_path: Path, name: OutputFormat) -> None:
    made = make(tmp_path, at_rest(name), background_color="rgb(60 116 255 / 50%)")
    assert near(corner(made.frames[-1]), (30, 58, 128), name)
    assert ["over black" in warning for warning in made.warnings] == [True]


@pytest.mark.parametrize(
    ("color", "background", "warned"),
    [
        ("#777", "#888", True),
        ("#777", "#fff", False),
        ("rgb(255 255 255 / 5%)", "#000", True),
        ("#111", "#0000", False),
    ],
)
def test_text_without_contrast_is_a_warning(tmp_path: Path, color: str, background: str, *, warned: bool) -> None:
    made = make(tmp_path, {"format": "png", "frame": -1}, color=color, background_color=background)
    assert [warning.startswith("The text can hardly be seen") for warning in made.warnings] == [True] * warned


def test_a_gif_with_more_frames_per_second_than_browsers_show_has_a_warning(tmp_path: Path) -> None:
    made = make(tmp_path, {"format": "gif"}, fps=60)
    assert ["at most 50 frames per second" in warning for warning in made.warnings] == [True]
    assert [frame.time for frame in made.frames] == pytest.approx([number / 50 for number in range(FRAMES)])
    assert make(tmp_path, {"format": "gif", "every_nth_frame": 2}, fps=60).warnings == []


@pytest.mark.parametrize("name", ANIMATED)
def test_a_poster_shows_the_last_frame_without_transparency(tmp_path: Path, name: OutputFormat) -> None:
    transparent = {"transparent": True} if "transparent" in FORMATS[name].options else {}
    made = make(tmp_path, at_rest(name, scale=2, **transparent), background_color=None)
    poster = decode_poster(made.poster)
    assert (poster.width, poster.height) == (2 * WIDTH, 2 * HEIGHT)
    assert near(middle(poster), TEXT, OutputFormat.JPEG)
    assert near(corner(poster), (0, 0, 0), OutputFormat.JPEG)
