"""The input of `startRender`, from the arguments of `rendercast render`."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

import typer

from commands.client.props import Assignment, Json, assign, changed_in_part, read_assignments, read_props

if TYPE_CHECKING:
    from rendercast.client import AnimationPropsInput, AsyncClient, StartRenderInput

FPS = 30  # of --seconds: the API takes frames, and servers accept no other rate of animations
# The options of a text by their names in `AnimationPropsInput`, and those of its duration.
TEXT_OPTIONS = {
    "style": "--style",
    "fontFamily": "--font",
    "fontWeight": "--weight",
    "italic": "--italic",
    "fontSize": "--size",
    "color": "--color",
    "backgroundColor": "--background",
    "seconds": "--seconds",
    "frames": "--frames",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CompositionChoice:
    """The composition of `--composition` with the props of `--props` and `--set`."""

    id: str
    props: Json
    assignments: Sequence[Assignment]

    async def start_input(self, api: "AsyncClient") -> "StartRenderInput":
        """Return the input without an output. The default of a prop that is changed in part is read from the server.

        Raises `typer.BadParameter` if a value can't be set, and `RendercastError`.
        """
        props = dict(self.props)
        if missing := changed_in_part(props, self.assignments):
            found = await api.composition(self.id)  # if it is unknown, `startRender` reports that
            defaults = {} if found is None else found.default_props
            props |= {key: value for key, value in defaults.items() if key in missing}
        assign(props, self.assignments)
        return {"composition": {"id": self.id, "props": props}}


@dataclass(frozen=True, slots=True, kw_only=True)
class AnimationChoice:
    """The text of the argument with the options of its appearance."""

    props: "AnimationPropsInput"

    async def start_input(self, _: "AsyncClient") -> "StartRenderInput":
        """Return the input without an output."""
        return {"animationProps": self.props}


def read_animation(text: str | None, options: Mapping[str, object], *, has_props: bool) -> AnimationChoice:
    """Return the animation of the text; `-` reads it from standard input.

    `options` are those of `TEXT_OPTIONS`; for one that is None, the server has a default. Raises `typer.BadParameter`.
    """
    if text is None:
        raise typer.BadParameter("Give a text, or the id of a composition with --composition.", param_hint="TEXT")
    if has_props:
        raise typer.BadParameter("Only a composition has props: give its id with --composition.", param_hint="--props")
    chosen = {name: value for name, value in options.items() if value is not None}
    duration = _frames(chosen.pop("seconds", None), chosen.pop("frames", None))
    text = sys.stdin.read().removesuffix("\n") if text == "-" else text
    return AnimationChoice(props=cast("AnimationPropsInput", {"text": text, **chosen, **duration}))


def _frames(seconds: object, frames: object) -> Json:
    """Return the field of the duration; none if neither is given. Raises `typer.BadParameter` if both are."""
    if frames is not None and seconds is not None:
        raise typer.BadParameter("It can't be combined with --seconds.", param_hint="--frames")
    if seconds is not None:
        frames = round(float(str(seconds)) * FPS)
    return {} if frames is None else {"durationInFrames": frames}


def read_composition_choice(
    composition: str,
    text: str | None,
    options: Mapping[str, object],
    *,
    props: Path | None,
    assignments: Sequence[str],
) -> CompositionChoice:
    """Return the composition with its props. Raises `typer.BadParameter`, also if a text or its `options` are given."""
    if text is not None:
        raise typer.BadParameter("It can't be combined with --composition.", param_hint="TEXT")
    for name, value in options.items():
        if value is not None:
            message = "It changes the appearance of a text. Set the props of a composition with --set."
            raise typer.BadParameter(message, param_hint=TEXT_OPTIONS[name])
    return CompositionChoice(id=composition, props=read_props(props), assignments=read_assignments(assignments))
