"""The job that the parent sends to a renderer process: one JSON object, validated before rendering."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from services.backends.text.font_families import FontFace
from services.backends.text.formats import TEXT_FORMATS
from services.backends.text.mixture import Colors
from services.media import FORMATS, Media, OutputFormat, OutputKind, OutputOptions, forced_frames, output_media
from services.models import REGULAR_WEIGHT, TEXT_ANIMATION, AnimationStyle
from services.renders.colors import Color, parse_color
from services.renders.media_limits import MediaLimits
from services.renders.output_validation import OutputTarget, output_problems
from services.renders.validation import MAX_FONT_WEIGHT, MIN_FONT_WEIGHT

_BLACK: Final = Color(red=0, green=0, blue=0)
_TRANSPARENT: Final = Color(red=0, green=0, blue=0, alpha=0.0)
_SIDES_PX: Final = range(1, 8193)
_RATES_FPS: Final = range(1, 241)
_MAX_FONT_SIZE_PX: Final = 10_000
_FONT_WEIGHTS: Final = range(MIN_FONT_WEIGHT, MAX_FONT_WEIGHT + 1)
_MAX_FRAMES: Final = 1_000_000

_FORMATS: Final = tuple(name for name in OutputFormat if name in TEXT_FORMATS)
_NO_LIMITS: Final = MediaLimits(max_duration_s=_MAX_FRAMES, max_pixels=2**63)  # the parent has checked them


class InvalidJob(ValueError):  # noqa: N818 - named like the domain's other errors
    """The job can't be rendered; the message is a sentence for the render's owner."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One output: the file `output` to write it to, and the file `poster` for its last frame, None for stills.

    `media` is the size and length of the output. The animation has `frames` frames, before every nth is taken, at
    `fps`. `scale` is the size of the output's pixels relative to those of the font size. `font_faces` are those besides
    the ones of installed packages. With `layout_only` nothing is written: the text is laid out and described.
    """

    layout_only: bool
    output: Path
    poster: Path | None
    options: OutputOptions
    media: Media
    frames: int
    fps: float
    width: int
    height: int
    scale: float
    text: str
    style: AnimationStyle
    font_family: str
    font_size: float
    font_weight: int
    italic: bool
    font_faces: tuple[FontFace, ...]
    colors: Colors

    @property
    def kind(self) -> OutputKind:
        """What the format contains."""
        return FORMATS[self.options.format].kind

    @property
    def has_alpha(self) -> bool:
        """Whether the output can be transparent: on request, or in a still or GIF with a translucent background."""
        if self.kind is OutputKind.VIDEO:
            return self.options.transparent
        return self.options.format is not OutputFormat.JPEG and self.colors.background.alpha < 1


def parse_job(line: bytes) -> Job:
    """Parse a job. Raises `InvalidJob` if a field is missing or out of range."""
    fields = _Fields(line)
    options = fields.options("options")
    composition = Media(
        frames=fields.whole("duration_in_frames", range(1, _MAX_FRAMES)),
        fps=fields.whole("fps", _RATES_FPS),
        width=fields.whole("width", _SIDES_PX),
        height=fields.whole("height", _SIDES_PX),
    )
    _check_options(options, composition)
    default = _TRANSPARENT if options.transparent else _BLACK
    return Job(
        layout_only=fields.flag("layout_only"),
        output=Path(fields.text("output")),
        poster=None if FORMATS[options.format].kind is OutputKind.STILL else Path(fields.text("poster")),
        options=options,
        media=output_media(composition, options),
        frames=forced_frames(composition, options),
        fps=options.fps or composition.fps,
        width=options.width or composition.width or 0,
        height=options.height or composition.height or 0,
        scale=options.scale or 1.0,
        text=fields.text("text"),
        style=fields.style("style"),
        font_family=fields.text("font_family"),
        font_size=fields.size("font_size"),
        font_weight=fields.whole("font_weight", _FONT_WEIGHTS, default=REGULAR_WEIGHT),
        italic=fields.flag("italic"),
        font_faces=fields.faces("font_faces"),
        colors=Colors(text=fields.color("color"), background=fields.color("background_color", default=default)),
    )


def _check_options(options: OutputOptions, composition: Media) -> None:
    """Raise `InvalidJob` for options that the API would have rejected, or that no encoder accepts."""
    target = OutputTarget(name=TEXT_ANIMATION, formats=_FORMATS, media=composition, is_exact=True)
    for problem in output_problems(options, target, limits=_NO_LIMITS):
        raise InvalidJob(problem.message)


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

    def whole(self, name: str, allowed: range, *, default: int | None = None) -> int:
        value = self._values.get(name, default)
        if not isinstance(value, int) or isinstance(value, bool) or value not in allowed:
            raise InvalidJob(_wrong(name, f"a whole number from {allowed[0]} to {allowed[-1]}"))
        return value

    def flag(self, name: str) -> bool:
        value = self._values.get(name, False)
        if not isinstance(value, bool):
            raise InvalidJob(_wrong(name, "true or false"))
        return value

    def faces(self, name: str) -> tuple[FontFace, ...]:
        try:
            return msgspec.convert(self._values.get(name, ()), tuple[FontFace, ...])
        except msgspec.ValidationError as error:
            raise InvalidJob(f"The fonts are not valid: {error}.") from error

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

    def color(self, name: str, *, default: Color | None = None) -> Color:
        if default is not None and self._values.get(name) is None:
            return default
        try:
            return parse_color(self.text(name))
        except ValueError as error:
            raise InvalidJob(str(error)) from error

    def options(self, name: str) -> OutputOptions:
        try:
            return msgspec.convert(self._values.get(name, {}), OutputOptions)
        except msgspec.ValidationError as error:
            raise InvalidJob(f"The options of the output are not valid: {error}.") from error


def _wrong(name: str, expected: str) -> str:
    return f"{name} must be {expected}."
