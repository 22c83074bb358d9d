import struct
from pathlib import Path

import numpy as np
import pytest

from services.backends.text.encode_still import encode_still, new_still, write_file
from services.backends.text.frames import Painter
from services.backends.text.layout import lay_out
from services.backends.text.mixture import Colors
from services.backends.text.pictures import Picture
from services.backends.text.styles import AT_REST
from services.media import FORMATS, Media, OutputFormat, OutputKind
from services.renders.colors import parse_color
from tests.services.backends.text.rendering import decode_still, rgb

MEDIA = Media(frames=1, fps=30, width=128, height=72)
STILLS = [name for name, row in FORMATS.items() if row.kind is OutputKind.STILL and name is not OutputFormat.PDF]
BLUE, YELLOW = parse_color("#1e3a8a"), parse_color("#ffcc00")


def painted(name: OutputFormat, *, text: str = "Hello", colors: Colors, has_alpha: bool = False) -> Picture:
    picture = new_still(name, media=MEDIA, colors=colors, has_alpha=has_alpha)
    layout = lay_out(text, family="Inter", size=30, width=128, height=72)
    Painter(picture, layout).paint(AT_REST)
    return picture


@pytest.mark.parametrize(
    "color", ["#000", "#fff", "#f00", "#0f0", "#00f", "#ff0", "#0ff", "#f0f", "#1e3a8a", "#e11d48"]
)
@pytest.mark.parametrize("name", STILLS)
def test_a_background_has_the_requested_colour(name: OutputFormat, color: str) -> None:
    wanted = parse_color(color)
    picture = painted(name, text="\u200d", colors=Colors(text=YELLOW, background=wanted))
    shown = rgb(decode_still(encode_still(name, picture)))
    tolerance = 2 if name is OutputFormat.JPEG else 0
    assert np.abs(shown - (wanted.red, wanted.green, wanted.blue)).max() <= tolerance


@pytest.mark.parametrize("name", [name for name in STILLS if name is not OutputFormat.JPEG])
def test_a_lossless_image_has_exactly_the_painted_pixels(name: OutputFormat) -> None:
    colors = Colors(text=parse_color("rgb(255 204 0 / 70%)"), background=parse_color("rgb(30 58 138 / 30%)"))
    picture = painted(name, colors=colors, has_alpha=True)
    shown = decode_still(encode_still(name, picture)).to_ndarray(format="rgba")
    expected = picture.frame.to_ndarray(format="rgba")
    assert np.array_equal(shown, expected)
    assert np.unique(shown[..., 3]).tolist()[0] == round(0.3 * 255)


def test_a_png_states_that_its_colours_are_srgb() -> None:
    data = encode_still(OutputFormat.PNG, painted(OutputFormat.PNG, colors=Colors(text=YELLOW, background=BLUE)))
    assert struct.pack(">I4s", 1, b"sRGB") in data  # PNG, third edition, section 11.3.2.5


@pytest.mark.parametrize("name", STILLS)
def test_a_file_is_the_same_each_time_and_does_not_name_its_encoder(name: OutputFormat) -> None:
    one, two = (encode_still(name, painted(name, colors=Colors(text=YELLOW, background=BLUE))) for _ in range(2))
    assert one == two
    assert b"Lavc" not in one


def test_a_jpeg_of_higher_quality_is_larger_and_nearer() -> None:
    picture = painted(OutputFormat.JPEG, colors=Colors(text=YELLOW, background=BLUE))
    exact = rgb(decode_still(encode_still(OutputFormat.JPEG, picture, quality=100)))
    sizes, errors = [], []
    for quality in (20, 40, 60, 80, 95):
        data = encode_still(OutputFormat.JPEG, picture, quality=quality)
        sizes.append(len(data))
        errors.append(np.abs(rgb(decode_still(data)) - exact).mean())
    assert sizes == sorted(set(sizes))
    assert errors == sorted(set(errors), reverse=True)


def test_a_file_is_written_with_its_size_and_errors_are_os_errors(tmp_path: Path) -> None:
    assert write_file(tmp_path / "a", b"abc") == 3
    assert (tmp_path / "a").read_bytes() == b"abc"
    with pytest.raises(FileNotFoundError):
        write_file(tmp_path / "missing" / "a", b"")
