"""Validates the input of a start, before it uses any quota."""

import math
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

import regex

from services.errors import Problem
from services.models import AnimationProps
from services.renders.colors import parse_color

FPS = 30
MIN_FONT_SIZE_PX = 8.0
MAX_FONT_SIZE_PX = 500.0
MAX_NAME_LENGTH = 100  # characters of a font family or a colour; real ones are shorter
MAX_KEY_LENGTH = 200  # characters of an idempotency key or a generation id; UUIDs and hashes are shorter
ALLOWED_CONTROLS = frozenset("\r\n\t")
VISIBLE = regex.compile(r"[^\p{Z}\p{C}\p{Default_Ignorable_Code_Point}\u2800]")  # U+2800 is the blank of Braille


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


def is_plain(text: str) -> bool:
    """Return whether the text has no control characters (Unicode category Cc) and no unpaired surrogates (Cs).

    Line breaks and tabs are allowed.
    """
    return all(
        character in ALLOWED_CONTROLS or unicodedata.category(character) not in {"Cc", "Cs"} for character in text
    )


def animation_problems(props: AnimationProps, limits: AnimationLimits) -> Iterator[Problem]:
    """Return all problems of the props, each with the name of its GraphQL field."""
    yield from _text_problems(props.text, limits)
    yield from _name_problems("fontFamily", props.font_family)
    yield from _font_size_problems(props.font_size)
    yield from _color_problems("color", props.color)
    if props.background_color is not None:
        yield from _color_problems("backgroundColor", props.background_color)
    yield from _duration_problems(props.duration_in_frames, limits)
    yield from _fps_problems(props.fps, limits)


def key_problems(*, generation_id: str | None, idempotency_key: str | None) -> Iterator[Problem]:
    """Return the problems of the ids that a caller may give a render."""
    yield from _key_problems("generationId", generation_id)
    yield from _key_problems("idempotencyKey", idempotency_key)


def _text_problems(text: str, limits: AnimationLimits) -> Iterator[Problem]:
    if not VISIBLE.search(text):
        yield Problem(field="text", message="Write some text to animate.")
    if len(text) > limits.max_text_length:
        yield Problem(field="text", message=f"Shorten the text to {limits.max_text_length} characters or fewer.")
    if not is_plain(text):
        yield Problem(field="text", message="Remove control characters and unpaired surrogates from the text.")


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


def _color_problems(field: str, color: str) -> Iterator[Problem]:
    problem = Problem(field=field, message="Give a CSS colour, such as #ff8800, rgb(255 136 0) or orange.")
    if len(color) > MAX_NAME_LENGTH:
        yield problem
        return
    try:
        parse_color(color)
    except ValueError:
        yield problem


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
    if key is not None and not (0 < len(key) <= MAX_KEY_LENGTH and is_plain(key)):
        yield Problem(
            field=field, message=f"Use 1 to {MAX_KEY_LENGTH} characters without control characters, or omit it."
        )
