"""The request for a render, and its validation."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from services.compositions.catalog import KnownCompositions
from services.compositions.json_limits import check_json
from services.errors import BackendUnavailable, InvalidAnimation, InvalidInput, PathProblem, Problem
from services.media import FORMATS, Media, OutputFormat, OutputKind, OutputOptions, output_media
from services.models import AnimationProps, Composition, CompositionKind, replace
from services.renders import text_animation
from services.renders.media_limits import MediaLimits
from services.renders.output_validation import OutputTarget, output_problems
from services.renders.render_input import RenderInput
from services.renders.validation import (
    GIF_MIN_ALPHA,
    MIN_ALPHA,
    AnimationLimits,
    Canvas,
    animation_problems,
    key_problems,
)

MAX_LISTED_IDS = 20  # of known compositions, in a message
ANIMATION_PATH = "/animationProps"
PROPS_PATH = "/composition/props"
ID_PATH = "/composition/id"
LENGTH_FIELDS = frozenset({"durationInFrames", "fps"})


@dataclass(frozen=True, slots=True, kw_only=True)
class CompositionRequest:
    """A composition to render. `props` is what the caller sent: any value that JSON can have."""

    id: str
    props: object


@dataclass(frozen=True, slots=True, kw_only=True)
class StartRequest:
    """A render to start, not yet validated: exactly one of `animation` and `composition` must be given.

    Without `output`, a video composition is rendered as H.264 and a still as PNG.
    """

    animation: AnimationProps | None = None
    composition: CompositionRequest | None = None
    output: OutputOptions | None = None
    generation_id: str | None = None
    idempotency_key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchRequest:
    """Renders to start together, not yet validated.

    `idempotency_key` gives each render without a key of its own one that is derived from this and its position.
    """

    batch_id: str
    renders: Sequence[StartRequest]
    idempotency_key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestLimits:
    """The limits that requests are validated against. `max_props_bytes` limits the JSON text of the props."""

    animation: AnimationLimits
    media: MediaLimits
    max_props_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestValidator:
    """Validates requests for one backend: `compositions` is its catalog, if known, the others are its properties."""

    site: str
    animation_id: str
    formats: frozenset[OutputFormat]
    compositions: KnownCompositions | None
    limits: RequestLimits

    def validate(self, request: StartRequest) -> RenderInput:
        """Return the input to store. Raises `InvalidAnimation` if only an animation has problems, or `InvalidInput`.

        Raises `BackendUnavailable` for a composition without problems if the catalog isn't known.
        """
        keys = list(key_problems(generation_id=request.generation_id, idempotency_key=request.idempotency_key))
        if request.animation is not None and request.composition is None:
            return self._animation(request, request.animation, keys)
        problems = list(_at("", keys))
        if request.composition is None or request.animation is not None:
            raise InvalidInput(
                [PathProblem(path="", message="Give either `animationProps` or `composition`."), *problems]
            )
        return self._composition(request, request.composition, problems)

    def _animation(self, request: StartRequest, props: AnimationProps, keys: Sequence[Problem]) -> RenderInput:
        known = None if self.compositions is None else self.compositions.get(self.animation_id)
        if self.compositions is not None and known is None:
            raise InvalidInput([self._no_animations(), *_at("", keys)])
        options = _animation_options(request.output)
        in_props = list(animation_problems(props, self.limits.animation, _canvas(options, known)))
        target = self._animation_target(props, known, in_props)
        in_output = list(output_problems(options, target, limits=self.limits.media))
        if in_output:
            raise InvalidInput([*_at(ANIMATION_PATH, in_props), *_at("", keys), *in_output])
        if in_props or keys:
            raise InvalidAnimation([*in_props, *keys])
        return RenderInput(
            composition_id=self.animation_id,
            props=props,
            input_props=None,
            output_options=options,
            media=output_media(_animation_media(props, known), options),
            generation_id=request.generation_id,
        )

    def _animation_target(
        self, props: AnimationProps, known: Composition | None, problems: Sequence[Problem]
    ) -> OutputTarget:
        """Return what the options are applied to. Its length is not exact if it is one of the animation's problems."""
        is_exact = LENGTH_FIELDS.isdisjoint(problem.field for problem in problems)
        return OutputTarget(
            name=self.animation_id,
            formats=self._all_formats if known is None else known.outputs,
            media=_animation_media(props if is_exact else text_animation.DEFAULTS, known),
            is_exact=is_exact,
        )

    @property
    def _all_formats(self) -> tuple[OutputFormat, ...]:
        return tuple(name for name in OutputFormat if name in self.formats)

    def _composition(
        self, request: StartRequest, wanted: CompositionRequest, problems: Sequence[PathProblem]
    ) -> RenderInput:
        text, in_props = check_json(wanted.props, max_bytes=self.limits.max_props_bytes, path=PROPS_PATH)
        composition = None if self.compositions is None else self.compositions.get(wanted.id)
        if self.compositions is None or composition is None:
            raise self._not_found(problems, [*in_props, *self._output_problems(request.output, wanted)])
        if text is not None:
            in_props = list(self.compositions.problems(wanted.id, wanted.props, path=PROPS_PATH))
            if self.site == text_animation.SITE and isinstance(wanted.props, dict):
                return self._built_in(request, wanted.props, composition, [*problems, *in_props])
        options = request.output or OutputOptions(format=_default_format(composition))
        found = [
            *problems,
            *in_props,
            *self._duration_problems(composition, options),
            *output_problems(options, _target(composition), limits=self.limits.media),
        ]
        if found:
            raise InvalidInput(found)
        return RenderInput(
            composition_id=composition.id,
            props=None,
            input_props=text,
            output_options=options,
            media=output_media(composition.media, options),
            generation_id=request.generation_id,
        )

    def _built_in(
        self,
        request: StartRequest,
        props: dict[str, Any],
        composition: Composition,
        problems: Sequence[PathProblem],
    ) -> RenderInput:
        """Validate the text renderer's composition as strictly as `animationProps`, with the paths of its props."""
        animation = _valid_animation(props, problems)
        options = _animation_options(request.output)
        in_props = list(animation_problems(animation, self.limits.animation, _canvas(options, composition)))
        target = self._animation_target(animation, composition, in_props)
        found = [
            *problems,
            *_at(PROPS_PATH, in_props),
            *output_problems(options, target, limits=self.limits.media),
        ]
        if found:
            raise InvalidInput(found)
        return RenderInput(
            composition_id=composition.id,
            props=animation,
            input_props=None,
            output_options=options,
            media=output_media(_animation_media(animation, composition), options),
            generation_id=request.generation_id,
        )

    def _not_found(
        self, keys: Sequence[PathProblem], others: Sequence[PathProblem]
    ) -> InvalidInput | BackendUnavailable:
        """Return the error for a composition that isn't in the catalog; `keys` and `others` are the other problems."""
        if self.compositions is not None:
            return InvalidInput([*keys, _unknown_composition(self.compositions.ids), *others])
        if keys or others:
            return InvalidInput([*keys, *others])
        return BackendUnavailable("the compositions have not been discovered yet")

    def _no_animations(self) -> PathProblem:
        listed = "" if self.compositions is None else _listed(self.compositions.ids)
        remedy = f" Use `composition` with {listed}." if listed else ""
        return PathProblem(path=ANIMATION_PATH, message=f"This server has no composition for animations.{remedy}")

    def _output_problems(self, options: OutputOptions | None, wanted: CompositionRequest) -> Iterator[PathProblem]:
        """Return the problems that the options have for any composition."""
        target = OutputTarget(name=wanted.id, formats=self._all_formats, media=None, is_exact=False)
        return output_problems(options or OutputOptions(), target, limits=self.limits.media)

    def _duration_problems(self, composition: Composition, options: OutputOptions) -> Iterator[PathProblem]:
        is_still = FORMATS[options.format].kind is OutputKind.STILL
        if composition.is_dynamic is False and not is_still and self.limits.media.is_too_long(composition.media):
            yield PathProblem(path=ID_PATH, message=self.limits.media.too_long)


def _unknown_composition(ids: Sequence[str]) -> PathProblem:
    listed = _listed(ids)
    message = f"There is no such composition. Choose {listed}." if listed else "There is no composition to render."
    return PathProblem(path=ID_PATH, message=message)


def _listed(ids: Sequence[str]) -> str:
    return ", ".join(ids[:MAX_LISTED_IDS]) + (", …" if len(ids) > MAX_LISTED_IDS else "")


def _animation_options(options: OutputOptions | None) -> OutputOptions:
    """Return the options of an animation. A still shows its last frame, since nothing is visible in the first."""
    if options is None:
        return OutputOptions()
    is_still = FORMATS[options.format].kind is OutputKind.STILL
    return replace(options, frame=-1) if is_still and options.frame is None else options


def _at(path: str, problems: Iterable[Problem]) -> Iterator[PathProblem]:
    """Return the problems of an object's fields, with the path of the object."""
    return (PathProblem(path=f"{path}/{problem.field}", message=problem.message) for problem in problems)


def _valid_animation(props: dict[str, Any], problems: Sequence[PathProblem]) -> AnimationProps:
    """Return the animation of the props that have no problem, completed with the defaults."""
    paths = {problem.path for problem in problems}
    if PROPS_PATH in paths:  # there may be more problems than are listed
        return text_animation.DEFAULTS
    valid = {
        name: value
        for name, value in props.items()
        if name in text_animation.FIELDS and f"{PROPS_PATH}/{name}" not in paths
    }
    return text_animation.from_json_object(valid)


def _canvas(options: OutputOptions, known: Composition | None) -> Canvas:
    """Return what an animation is drawn on."""
    is_video = FORMATS[options.format].kind is OutputKind.VIDEO
    return Canvas(
        height=options.height or (None if known is None else known.height),
        keeps_alpha=options.transparent if is_video else options.format is not OutputFormat.JPEG,
        is_clear=options.transparent,
        min_alpha=GIF_MIN_ALPHA if options.format is OutputFormat.GIF else MIN_ALPHA,
    )


def _animation_media(props: AnimationProps, known: Composition | None) -> Media:
    """Return the size and length of an animation. Its size is the composition's, if that is known."""
    return Media(
        frames=props.duration_in_frames,
        fps=props.fps,
        width=None if known is None else known.width,
        height=None if known is None else known.height,
    )


def _default_format(composition: Composition) -> OutputFormat:
    return OutputFormat.PNG if composition.kind is CompositionKind.STILL else OutputFormat.H264


def _target(composition: Composition) -> OutputTarget:
    return OutputTarget(
        name=composition.id,
        formats=composition.outputs,
        media=composition.media,
        is_exact=composition.is_dynamic is False,
    )
