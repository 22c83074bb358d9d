"""Texts on the terminal."""

import pytest

from commands.client.responses import Render, read_render
from commands.client.views import describe_output, has_frames, printable, size


def render_of(kind: str, **values: object) -> Render:
    output = {"format": "…", "kind": kind, "fileName": "a", "width": 640, "height": 360} | values
    texts = dict.fromkeys(("id", "compositionId", "status"), "a")
    numbers = {"revision": 1, "progress": 100, "framesRendered": 90, "totalFrames": 90, "outputSizeBytes": 1500}
    missing = dict.fromkeys(("phase", "queuePosition", "error", "outputUrl", "animationProps"))
    times = {"createdAt": "2026-01-01T12:00:00+00:00"}
    return read_render({**texts, **numbers, **missing, **times, "warnings": [], "output": output})


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("VIDEO", "90 frames, 1.5 kB"),
        ("GIF", "90 frames, 1.5 kB"),
        ("AUDIO", "1.5 kB"),
        ("STILL", "640x360 pixels, 1.5 kB"),
    ],
)
def test_an_output_is_described_by_what_it_contains(kind: str, text: str) -> None:
    assert describe_output(render_of(kind)) == text
    assert has_frames(render_of(kind)) == ("frames" in text)


def test_a_still_of_unknown_size_has_only_its_bytes() -> None:
    assert describe_output(render_of("STILL", width=None)) == "1.5 kB"


@pytest.mark.parametrize(
    ("size_bytes", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (12_345_678, "12.3 MB"), (10**16, "10000.0 TB")],
)
def test_sizes_have_decimal_units(size_bytes: int, text: str) -> None:
    assert size(size_bytes) == text


def test_control_characters_are_replaced() -> None:
    assert printable("a\x1b]0;b\x07\u202ec\nd") == "a�]0;b��c\nd"
