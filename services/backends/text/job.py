"""The job that the parent sends to a renderer process: one JSON object, validated before rendering."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from services.models import AnimationStyle
from services.renders.colors import Color, parse_color

_BLACK: Final = "#000"
_SIDES_PX: Final = range(16, 8193)
_RATES_FPS: Final = range(1, 241)
_MAX_FONT_SIZE_PX: Final = 10_000


class InvalidJob(ValueError):  # noqa: N818 - named like the domain's other errors
    """The job can't be rendered; the message is a sentence for the render's owner."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One video: sizes in pixels, the file `output` to write it to, and the file `poster` for its last frame."""

    output: Path
    poster: Path
    width: int
    height: int
    fps: int
    text: str
    style: AnimationStyle
    font_family: str
    font_size: float
    color: Color
    background: Color
    frames: int


def parse_job(line: bytes) -> Job:
    """Parse a job. Raises `InvalidJob` if a field is missing or out of range."""
    fields = _Fields(line)
    return Job(
        output=Path(fields.text("output")),
        poster=Path(fields.text("poster")),
        width=fields.side("width"),
        height=fields.side("height"),
        fps=fields.whole("fps", _RATES_FPS),
        text=fields.text("text"),
        style=fields.style("style"),
        font_family=fields.text("font_family"),
        font_size=fields.size("font_size"),
        color=fields.color("color"),
        background=fields.color("background_color", default=_BLACK),
        frames=fields.whole("duration_in_frames", range(1, 1_000_000)),
    )


class _Fields:
    """Validates the fields of a JSON object by type; each method raises `InvalidJob`."""

    def __init__(self, line: bytes) -> None:
        try:
            values: object = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise InvalidJob("The job is not valid JSON.") from error
        if not isinstance(values, dict):
            raise InvalidJob("The job is not a JSON object.")
        self._values: dict[str, object] = values

    def text(self, name: str) -> str:
        value = self._values.get(name)
        if not isinstance(value, str):
            raise InvalidJob(_wrong(name, "a string"))
        return value

    def whole(self, name: str, allowed: range) -> int:
        value = self._values.get(name)
        if not isinstance(value, int) or isinstance(value, bool) or value not in allowed:
            raise InvalidJob(_wrong(name, f"a whole number from {allowed[0]} to {allowed[-1]}"))
        return value

    def side(self, name: str) -> int:
        value = self.whole(name, _SIDES_PX)
        if value % 2:
            raise InvalidJob(_wrong(name, "even, as H.264 stores colour for every second pixel"))
        return value

    def size(self, name: str) -> float:
        value = self._values.get(name)
        if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value <= _MAX_FONT_SIZE_PX:
            raise InvalidJob(_wrong(name, f"a number above 0, at most {_MAX_FONT_SIZE_PX}"))
        return float(value)

    def style(self, name: str) -> AnimationStyle:
        value = self.text(name)
        if value not in set(AnimationStyle):
            raise InvalidJob(_wrong(name, "one of " + ", ".join(AnimationStyle)))
        return AnimationStyle(value)

    def color(self, name: str, *, default: str | None = None) -> Color:
        if default is not None and self._values.get(name) is None:
            return parse_color(default)
        try:
            return parse_color(self.text(name))
        except ValueError as error:
            raise InvalidJob(str(error)) from error


def _wrong(name: str, expected: str) -> str:
    return f"{name} must be {expected}."
