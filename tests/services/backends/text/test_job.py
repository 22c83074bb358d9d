import json
from pathlib import Path

import pytest

from services.backends.text.font_families import FontFace
from services.backends.text.job import InvalidJob, parse_job
from services.media import Media, OutputOptions
from services.models import AnimationStyle
from services.renders.colors import Color
from tests.services.backends.text.rendering import job


def line(**changes: object) -> bytes:
    return json.dumps(job(Path("/videos/1.part"), **changes)).encode()


def test_a_job_is_parsed() -> None:
    read = parse_job(line(style="slide-up", background_color=None, color="#ff000080"))
    assert read.output == Path("/videos/1.part")
    assert (read.width, read.height, read.fps, read.frames) == (320, 180, 30, 12)
    assert read.media == Media(frames=12, fps=30, width=320, height=180)
    assert read.style is AnimationStyle.SLIDE_UP
    assert read.colors.background == Color(red=0, green=0, blue=0)
    assert read.colors.text.alpha == pytest.approx(0.5, abs=0.01)
    assert read.options == OutputOptions()
    assert read.poster == Path("/videos/1.poster.part")


def test_the_fonts_of_a_job_are_parsed() -> None:
    read = parse_job(line(font_weight=700, italic=True, font_faces=[{"family": "A", "path": "/fonts/a.ttf"}]))
    assert (read.font_weight, read.italic, read.font_faces) == (700, True, (FontFace(family="A", path="/fonts/a.ttf"),))
    plain = parse_job(line())
    assert (plain.font_weight, plain.italic, plain.font_faces) == (400, False, ())


def test_the_options_change_the_size_and_length() -> None:
    options = {"format": "h264", "width": 200, "height": 100, "fps": 60, "scale": 1.5}
    read = parse_job(line(options=options))
    assert read.media == Media(frames=24, fps=60, width=300, height=150)
    assert (read.width, read.height, read.scale, read.frames, read.fps) == (200, 100, 1.5, 24, 60)
    every_third = parse_job(line(options={"format": "gif", "every_nth_frame": 3, "loops": 2}))
    assert (every_third.media.frames, every_third.media.fps, every_third.frames) == (4, 10, 12)


@pytest.mark.parametrize(
    ("options", "color", "has_alpha"),
    [
        ({"format": "h264"}, "#0000", False),
        ({"format": "h265"}, "#0000", False),
        ({"format": "vp9"}, "#0000", False),
        ({"format": "vp9", "transparent": True}, "#000", True),
        ({"format": "vp8", "transparent": True}, None, True),
        ({"format": "prores", "transparent": True}, None, True),
        ({"format": "gif"}, "#000", False),
        ({"format": "gif"}, "#000c", True),
        ({"format": "png"}, None, False),
        ({"format": "png"}, "#000c", True),
        ({"format": "webp"}, "#000c", True),
        ({"format": "jpeg"}, "#000c", False),
    ],
)
def test_an_output_is_transparent_on_request_or_if_an_image_has_a_translucent_background(
    options: dict[str, object], color: str | None, *, has_alpha: bool
) -> None:
    assert parse_job(line(options=options, background_color=color)).has_alpha is has_alpha


def test_a_transparent_output_has_no_background_by_default() -> None:
    options = {"format": "vp9", "transparent": True}
    assert parse_job(line(options=options, background_color=None)).colors.background.alpha == 0
    assert parse_job(line(options=options, background_color="red")).colors.background.alpha == 1


def test_a_still_has_no_poster() -> None:
    assert parse_job(line(options={"format": "png"})).poster is None
    assert parse_job(line(options={"format": "gif"})).poster is not None


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"width": 321}, "even width"),
        ({"height": 181}, "even height"),
        ({"width": 0}, "width must be a whole number from 1"),
        ({"height": -2}, "height must be a whole number from 1"),
        ({"width": 320.0}, "width must be a whole number"),
        ({"fps": 0}, "fps must be"),
        ({"font_weight": 99}, "font_weight must be a whole number from 100 to 900"),
        ({"italic": 1}, "italic must be true or false"),
        ({"font_faces": [{"family": "A"}]}, "The fonts are not valid"),
        ({"duration_in_frames": 0}, "duration_in_frames must be"),
        ({"duration_in_frames": True}, "duration_in_frames must be"),
        ({"font_size": 0}, "font_size must be a number above 0, at most 10000"),
        ({"font_size": -1}, "font_size must be"),
        ({"font_size": float("nan")}, "font_size must be"),
        ({"font_size": float("inf")}, "font_size must be"),
        ({"font_size": "72"}, "font_size must be"),
        ({"font_size": 10**400}, "font_size must be"),
        ({"style": "explode"}, "style must be one of fade-in, typewriter, slide-up, scale"),
        ({"color": "notacolour"}, '"notacolour" is not a CSS colour'),
        ({"color": None}, "color must be a string"),
        ({"background_color": 7}, "background_color must be a string"),
        ({"text": None}, "text must be a string"),
        ({"options": None}, "options of the output are not valid"),
        ({"options": {"format": "avi"}}, "options of the output are not valid"),
        ({"options": {"crf": "20"}}, "options of the output are not valid"),
        ({"options": {"format": "mp3"}}, "TextAnimation can't be rendered as MP3"),
        ({"options": {"format": "pdf"}}, "TextAnimation can't be rendered as PDF"),
        ({"options": {"format": "gif", "fps": 10}}, "no option `fps`"),
        ({"options": {"crf": 0}}, "`crf` from 1 to 51"),
        ({"options": {"crf": 20, "bitrate_kbps": 100}}, "exclude each other"),
        ({"options": {"transparent": True}}, "no option `transparent`"),
        ({"options": {"format": "prores", "transparent": True, "prores_profile": "hq"}}, "can be transparent"),
        ({"options": {"format": "png", "frame": 12}}, "from 0 to 11"),
        ({"options": {"format": "jpeg", "quality": 0}}, "quality from 1 to 100"),
        ({"options": {"scale": 16, "width": 8192}}, "must be from 1 to 8192"),
        ({"options": {"format": "h265", "width": 8}}, "must be from 32 to 8192"),
        ({"options": {"format": "h265", "width": 100, "scale": 0.08}}, "must be from 32 to 8192"),
    ],
)
def test_an_invalid_field_is_reported_in_a_sentence(changes: dict[str, object], sentence: str) -> None:
    with pytest.raises(InvalidJob, match=sentence):
        parse_job(line(**changes))


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 100_000])
def test_an_invalid_job_is_rejected(text: bytes) -> None:
    with pytest.raises(InvalidJob):
        parse_job(text)
