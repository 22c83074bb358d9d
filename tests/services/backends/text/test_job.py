import json
from pathlib import Path

import pytest

from services.backends.text.job import InvalidJob, parse_job
from services.models import AnimationStyle
from services.renders.colors import Color
from tests.services.backends.text.rendering import job


def line(**changes: object) -> bytes:
    return json.dumps(job(Path("/videos/1.part"), **changes)).encode()


def test_a_job_is_parsed() -> None:
    read = parse_job(line(style="slide-up", background_color=None, color="#ff000080"))
    assert read.output == Path("/videos/1.part")
    assert (read.width, read.height, read.fps, read.frames) == (320, 180, 30, 12)
    assert read.style is AnimationStyle.SLIDE_UP
    assert read.background == Color(red=0, green=0, blue=0)
    assert read.color.alpha == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"width": 321}, "width must be even"),
        ({"height": 181}, "height must be even"),
        ({"width": 0}, "width must be a whole number from 16"),
        ({"height": -2}, "height must be a whole number from 16"),
        ({"width": 320.0}, "width must be a whole number"),
        ({"fps": 0}, "fps must be"),
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
    ],
)
def test_an_invalid_field_is_reported_in_a_sentence(changes: dict[str, object], sentence: str) -> None:
    with pytest.raises(InvalidJob, match=sentence):
        parse_job(line(**changes))


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 100_000])
def test_an_invalid_job_is_rejected(text: bytes) -> None:
    with pytest.raises(InvalidJob):
        parse_job(text)
