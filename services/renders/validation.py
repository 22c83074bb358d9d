"""Validates the input of a start, before it uses any quota."""

import math
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from services.errors import Problem
from services.models import AnimationProps
from services.renders.colors import Color, parse_color

if TYPE_CHECKING:
    import regex

FPS = 30
MIN_FONT_SIZE_PX = 8.0
MAX_FONT_SIZE_PX = 500.0
MIN_FONT_WEIGHT = 100
MAX_FONT_WEIGHT = 900
MAX_NAME_LENGTH = 100  # characters of a font family or a colour; real ones are shorter
MAX_KEY_LENGTH = 200  # characters of an idempotency key or a generation id; UUIDs and hashes are shorter
KEY_RULE = f"Use 1 to {MAX_KEY_LENGTH} characters without control characters"
ALLOWED_CONTROLS = frozenset("\r\n\t")
# How the text renderer lays text out.
MARGIN = 0.075  # of the frame's width and height, on each side
MIN_TEXT_SIZE = 1 / 45  # of the frame's height: text is not shrunk further
LINE_HEIGHT_EM = 1.2
# What pixels with 8 bits of alpha show; a GIF's pixels are opaque or transparent.
MIN_ALPHA = 1 / 510
GIF_MIN_ALPHA = 0.5

LINE_BREAK = re.compile(r"\r\n|[\r\n\x0b\x0c\x85\u2028\u2029]")  # the mandatory breaks of UAX #14


@dataclass(frozen=True, slots=True, kw_only=True)
class AnimationLimits:
    """Limits of this deployment. `max_text_length` is in Unicode code points."""

    max_duration_s: int
    fps: int
    max_text_length: int

    @property
    def max_duration_in_frames(self) -> int:
        """The maximum length of an animation in frames."""
        return self.max_duration_s * self.fps


@dataclass(frozen=True, slots=True, kw_only=True)
class Canvas:
    """What the text is drawn on: the frame's height in pixels, None if unknown.

    `keeps_alpha` if the output shows a translucent background as such, not over black; `is_clear` if without a
    background colour nothing is behind the text, not black. Pixels with an alpha below `min_alpha` are not shown.
    """

    height: int | None = None
    keeps_alpha: bool = False
    is_clear: bool = False
    min_alpha: float = MIN_ALPHA

    def max_lines(self, font_size: float) -> float:
        """Return how many lines fit if the text is shrunk as far as possible."""
        if self.height is None:
            return math.inf
        smallest = min(font_size, self.height * MIN_TEXT_SIZE)
        return self.height * (1 - 2 * MARGIN) // (LINE_HEIGHT_EM * smallest)


UNKNOWN = Canvas()


def is_plain(text: str) -> bool:
    """Return whether the text has no control characters (Unicode category Cc) and no unpaired surrogates (Cs).

    Line breaks and tabs are allowed.
    """
    return text.isprintable() or all(  # most texts are printable: then none of their characters is looked up
        character in ALLOWED_CONTROLS or unicodedata.category(character) not in {"Cc", "Cs"} for character in text
    )


def animation_problems(props: AnimationProps, limits: AnimationLimits, canvas: Canvas = UNKNOWN) -> Iterator[Problem]:
    """Return all problems of the props, each with the name of its GraphQL field."""
    yield from _text_problems(props.text, limits)
    yield from _blank_line_problems(props, canvas)
    yield from _name_problems("fontFamily", props.font_family)
    yield from _font_size_problems(props.font_size)
    yield from _font_weight_problems(props.font_weight)
    yield from _color_problems("color", props.color)
    if props.background_color is not None:
        yield from _color_problems("backgroundColor", props.background_color)
    yield from _visibility_problems(props, canvas)
    yield from _duration_problems(props.duration_in_frames, limits)
    yield from _fps_problems(props.fps, limits)


def is_key(key: str) -> bool:
    """Return whether a text follows `KEY_RULE`."""
    return 0 < len(key) <= MAX_KEY_LENGTH and is_plain(key)


def key_problems(*, generation_id: str | None, idempotency_key: str | None) -> Iterator[Problem]:
    """Return the problems of the ids that a caller may give a render."""
    yield from _key_problems("generationId", generation_id)
    yield from _key_problems("idempotencyKey", idempotency_key)


@cache
def _visible_character() -> "regex.Pattern[str]":
    """Return the pattern of a visible character. U+2800 is the blank of Braille; those for private use (Co) are icons.

    It is compiled when first used, since importing regex takes 25 ms and 10 MB.
    """
    import regex

    return regex.compile(r"[^\p{Z}\p{Cc}\p{Cf}\p{Cs}\p{Default_Ignorable_Code_Point}\u2800]")


def _text_problems(text: str, limits: AnimationLimits) -> Iterator[Problem]:
    if not _visible_character().search(text):
        yield Problem(field="text", message="Write some text to animate.")
    if len(text) > limits.max_text_length:
        yield Problem(field="text", message=f"Shorten the text to {limits.max_text_length} characters or fewer.")
    if not is_plain(text):
        yield Problem(field="text", message="Remove control characters and unpaired surrogates from the text.")


def _blank_line_problems(props: AnimationProps, canvas: Canvas) -> Iterator[Problem]:
    if any(_font_size_problems(props.font_size)):
        return
    lines = LINE_BREAK.split(props.text.strip())
    max_lines = canvas.max_lines(props.font_size)
    if len(lines) > max_lines >= sum(bool(line.strip()) for line in lines):
        yield Problem(field="text", message=f"Remove some blank lines. At most {max_lines:.0f} lines fit the frame.")


def _visibility_problems(props: AnimationProps, canvas: Canvas) -> Iterator[Problem]:
    try:
        text = parse_color(props.color)
        background = None if props.background_color is None else parse_color(props.background_color)
    except ValueError:
        return  # a problem of its own
    if text.alpha < MIN_ALPHA:
        yield Problem(field="color", message="The text is invisible. Choose a colour that is not fully transparent.")
        return
    behind = background or Color(red=0, green=0, blue=0, alpha=0 if canvas.is_clear else 1)
    if canvas.keeps_alpha and behind.alpha < 1:
        if text.alpha + behind.alpha * (1 - text.alpha) < canvas.min_alpha:
            yield Problem(field="color", message="The text is invisible. Choose a colour that is less transparent.")
        return
    if text.over(behind.over_black()) == behind.over_black():
        yield Problem(field="color", message="The text is invisible. Choose a colour other than the background's.")


def _name_problems(field: str, name: str) -> Iterator[Problem]:
    if not name.strip() or len(name) > MAX_NAME_LENGTH or not is_plain(name):
        yield Problem(
            field=field, message=f"Name a font family in 1 to {MAX_NAME_LENGTH} characters, without control characters."
        )


def _font_size_problems(size: float) -> Iterator[Problem]:
    if not (math.isfinite(size) and MIN_FONT_SIZE_PX <= size <= MAX_FONT_SIZE_PX):
        yield Problem(
            field="fontSize", message=f"Choose a font size from {MIN_FONT_SIZE_PX:g} to {MAX_FONT_SIZE_PX:g} pixels."
        )


def _font_weight_problems(weight: int) -> Iterator[Problem]:
    if not MIN_FONT_WEIGHT <= weight <= MAX_FONT_WEIGHT:
        yield Problem(
            field="fontWeight",
            message=f"Choose a font weight from {MIN_FONT_WEIGHT} to {MAX_FONT_WEIGHT}; 700 is bold.",
        )


def _color_problems(field: str, color: str) -> Iterator[Problem]:
    if not _is_color(color):
        yield Problem(field=field, message="Give a CSS colour, such as #ff8800, rgb(255 136 0) or orange.")


def _is_color(text: str) -> bool:
    if len(text) > MAX_NAME_LENGTH:
        return False
    try:
        parse_color(text)
    except ValueError:
        return False
    return True


def _duration_problems(frames: int, limits: AnimationLimits) -> Iterator[Problem]:
    if frames < 1:
        yield Problem(field="durationInFrames", message="Use a duration of at least 1 frame.")
    elif frames > limits.max_duration_in_frames:
        yield Problem(
            field="durationInFrames",
            message=f"Animation too long. Maximum duration is {limits.max_duration_s} seconds.",
        )


def _fps_problems(fps: int, limits: AnimationLimits) -> Iterator[Problem]:
    if fps != limits.fps:
        yield Problem(field="fps", message=f"Use {limits.fps} frames per second. No other rate is supported.")


def _key_problems(field: str, key: str | None) -> Iterator[Problem]:
    if key is not None and not is_key(key):
        yield Problem(field=field, message=f"{KEY_RULE}, or omit it.")
