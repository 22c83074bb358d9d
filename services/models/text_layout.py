"""How the text renderer lays out a text: what a program needs to draw the same text without rendering it."""

from msgspec import Struct


class TextRun(Struct, frozen=True, kw_only=True):
    """Neighbouring characters of one line, font and direction.

    `x` is where it starts, its right edge if `is_rtl`, and `baseline` the y of its baseline, both in pixels of the
    frame. `font` is an index into the fonts. `start` is the index of its first grapheme in the whole text, `end` that
    after its last.
    """

    text: str
    x: float
    baseline: float
    font: int
    is_rtl: bool
    start: int
    end: int


class WebFont(Struct, frozen=True, kw_only=True):
    """A font file with the glyphs of one text only. `id` is different for different files."""

    id: str
    data: bytes


class TextLayout(Struct, frozen=True, kw_only=True):
    """The text of an animation at rest, and the animation's length and size. Sizes are in pixels of the frame.

    `graphemes` is the number of user-perceived characters, which `TYPEWRITER` shows one after the other.
    """

    width: int
    height: int
    frames: int
    fps: float
    font_size: float
    graphemes: int
    runs: tuple[TextRun, ...]
    fonts: tuple[WebFont, ...]
    warnings: tuple[str, ...]
