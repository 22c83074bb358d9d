import base64
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from services.backends.text.codecs import codec_of
from services.backends.text.frames import Painter
from services.backends.text.layout import lay_out
from services.backends.text.live_preview import LivePreview
from services.backends.text.mixture import Colors
from services.backends.text.pictures import new_picture
from services.backends.text.styles import Pose
from services.backends.text.ycbcr import BT709
from services.media import OutputFormat, OutputOptions
from services.renders.colors import parse_color
from tests.services.backends.text.rendering import decode_still, rgb

WIDTH, HEIGHT = 960, 540
COLORS = Colors(text=parse_color("#ffcc00"), background=parse_color("#204080"))
CLEAR = Colors(text=parse_color("#ffcc00"), background=parse_color("transparent"))
AT_REST = Pose(opacity=1.0, scale=1.0, drop=0.0, shown=None)


class Reports:
    """The previews that were reported, and the clock."""

    def __init__(self) -> None:
        self.now_s = 50.0
        self.messages: list[Mapping[str, Any]] = []

    def monotonic(self) -> float:
        return self.now_s

    @property
    def frames(self) -> list[int]:
        return [message["frames"] for message in self.messages]


@pytest.mark.parametrize(
    ("options", "colors", "background"),
    [
        (OutputOptions(format=OutputFormat.H264), COLORS, (0x20, 0x40, 0x80)),
        (OutputOptions(format=OutputFormat.VP8), COLORS, (0x20, 0x40, 0x80)),
        (OutputOptions(format=OutputFormat.PRORES), COLORS, (0x20, 0x40, 0x80)),
        (OutputOptions(format=OutputFormat.GIF), COLORS, (0x20, 0x40, 0x80)),
        (OutputOptions(format=OutputFormat.GIF), CLEAR, (0, 0, 0)),
        (OutputOptions(format=OutputFormat.VP9, transparent=True), CLEAR, (0, 0, 0)),
        (OutputOptions(format=OutputFormat.PRORES, transparent=True), CLEAR, (0, 0, 0)),
    ],
)
def test_a_preview_shows_the_picture_in_its_colours(
    options: OutputOptions, colors: Colors, background: tuple[int, int, int]
) -> None:
    codec = codec_of(options, width=WIDTH, has_alpha=options.transparent)
    picture = new_picture(WIDTH, HEIGHT, pixel_format=codec.pixel_format, colors=colors, coding=codec.coding or BT709)
    Painter(picture, lay_out("H", family="Inter", size=400, width=WIDTH, height=HEIGHT)).paint(AT_REST)
    reports = Reports()
    preview = LivePreview(reports.messages.append, codec=codec, monotonic=reports.monotonic)
    reports.now_s += 1
    preview.update(picture, 7)
    (message,) = reports.messages
    assert (message["type"], message["frames"]) == ("preview", 7)
    shown = rgb(decode_still(base64.b64decode(message["jpeg"])))
    assert shown.shape == (270, 480, 3)
    assert np.abs(np.median(shown[:20], axis=(0, 1)) - background).max() <= 6
    assert np.abs(shown[135, 240] - (0xFF, 0xCC, 0x00)).max() <= 24  # the bar of the letter


def test_previews_are_at_least_a_second_apart() -> None:
    codec = codec_of(OutputOptions(), width=64, has_alpha=False)
    picture = new_picture(64, 36, pixel_format=codec.pixel_format, colors=COLORS, coding=BT709)
    Painter(picture, lay_out("H", family="Inter", size=20, width=64, height=36)).paint(AT_REST)
    reports = Reports()
    preview = LivePreview(reports.messages.append, codec=codec, monotonic=reports.monotonic)
    preview.update(picture, 1)
    reports.now_s += 0.9
    preview.update(picture, 2)
    reports.now_s += 0.1
    preview.update(picture, 3)
    preview.update(picture, 4)
    assert reports.frames == [3]
