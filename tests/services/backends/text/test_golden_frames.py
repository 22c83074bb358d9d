"""The same input makes the same frames, on every machine, as long as the versions in requirements/ are the same.

`GOLDEN=1 .venv/bin/pytest tests/services/backends/text/test_golden_frames.py` writes the hashes again after a change
that is meant to change frames. Look at the frames before you commit them.
"""

import json
import os
import platform
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import pytest

from services.backends.text.frames import Painter
from services.backends.text.layout import lay_out
from services.backends.text.mixture import Colors
from services.backends.text.pictures import new_picture
from services.backends.text.styles import Timeline
from services.backends.text.ycbcr import BT709
from services.models import AnimationStyle
from services.renders.colors import parse_color
from tests.support.fonts import BITMAP_EMOJI, COLOR_EMOJI, families_with

HASHES: Final = Path(__file__).parents[3] / "data/golden-frames.json"
WIDTH, HEIGHT, FRAMES = 160, 90, 30
STYLES: Final = list(AnimationStyle)

INPUTS: Final[dict[str, dict[str, Any]]] = {
    "latin": {"text": "The quick brown fox jumps over the lazy dog, twice."},
    "one word": {"text": "Hello"},
    "large": {"text": "Ag", "size": 90.0},
    "cut": {"text": "Too long. " * 60, "size": 60.0},
    "hyphens": {"text": "pneumonoultramicroscopicsilicovolcanoconiosis " * 2, "size": 40.0},
    "lines": {"text": "one\n\nthree"},
    "roboto": {"text": "Roboto, 1234", "family": "Roboto"},
    "bold": {"text": "Heavy", "weight": 900},
    "plain form": {"text": "𝓗𝓮𝓵𝓵𝓸"},
    "missing glyph": {"text": "a\u0378"},
    "combining": {"text": "Z̃͋a̐l̈go Việt ệ"},
    "cyrillic and greek": {"text": "Жизнь прекрасна και όμορφη"},
    "arabic": {"text": "مرحبا بالعالم 123"},
    "hebrew with latin": {"text": "שלום (abc) עולם"},
    "devanagari": {"text": "सभी मनुष्यों को क्षमा"},
    "tamil and telugu": {"text": "மனித உரிமை మానవ హక్కు"},
    "thai": {"text": "การประชุมวิชาการนานาชาติ"},
    "burmese and khmer": {"text": "မြန်မာနိုင်ငံ ខ្ញុំចង់ទៅផ្សារ"},
    "japanese": {"text": "日本語のテキストを書きました。"},
    "korean": {"text": "모든 인간은 태어날 때부터 자유로우며"},
    "emoji": {"text": "😀 👨‍👩‍👧‍👦 🇫🇷 👍🏽"},
    "translucent": {"text": "Glass", "color": "rgb(255 0 0 / 60%)", "background": "#abc"},
    "colour emoji": {"text": "Hi 👍🏽 👩‍🚀 🇨🇭 ❤️", "families": families_with(COLOR_EMOJI)},
    "bitmap emoji": {"text": "Hi 😀", "size": 30.0, "families": families_with(BITMAP_EMOJI)},
    "italic serif": {"text": "Serif", "family": "serif", "italic": True, "weight": 650},
    "monospace": {"text": "if (x) {", "family": "Courier New"},
}


def hash_of(name: str) -> str:
    """Return the hash of three frames of an input, each style in its turn: while the text appears, and at rest."""
    given = dict(INPUTS[name])
    color, background = given.pop("color", "#fff"), given.pop("background", "#135")
    arguments: dict[str, Any] = {"family": "Inter", "size": 20.0, "width": WIDTH, "height": HEIGHT, **given}
    layout = lay_out(**arguments)
    colors = Colors(text=parse_color(color), background=parse_color(background))
    picture = new_picture(WIDTH, HEIGHT, pixel_format="yuv420p", colors=colors, coding=BT709)
    timeline = Timeline(frames=FRAMES, fps=FRAMES, height=HEIGHT, graphemes=layout.grapheme_count)
    painter, digest = Painter(picture, layout), sha256()
    for frame in (3, 9, FRAMES - 1):
        painter.paint(timeline.pose(STYLES[list(INPUTS).index(name) % len(STYLES)], frame))
        for component in picture.components:
            digest.update(component.pixels.tobytes())
    return digest.hexdigest()


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the hashes are those of x86-64")
def test_frames_are_those_of_the_last_version() -> None:
    hashes = {name: hash_of(name) for name in INPUTS}
    if "GOLDEN" in os.environ:
        HASHES.write_text(json.dumps(hashes, indent=2) + "\n")
    assert hashes == json.loads(HASHES.read_text())
