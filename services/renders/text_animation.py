"""The composition `TextAnimation`: its props as JSON, their JSON Schema, and their conversion to `AnimationProps`."""

import json
from collections.abc import Mapping
from typing import Any

import msgspec

from services.media import OutputFormat, OutputKind, formats_of
from services.models import (
    REGULAR_WEIGHT,
    TEXT_ANIMATION,
    AnimationProps,
    AnimationStyle,
    Composition,
    CompositionKind,
    Render,
)
from services.renders.validation import (
    FPS,
    MAX_FONT_SIZE_PX,
    MAX_FONT_WEIGHT,
    MAX_NAME_LENGTH,
    MIN_FONT_SIZE_PX,
    MIN_FONT_WEIGHT,
)

MAX_INT = 2**31 - 1  # as in GraphQL; the limit of this deployment is lower
SITE = "text"  # `RenderBackend.site` of the text renderer, whose only composition this is

# Descriptions that Remotion's editor and the studio show as a colour picker and a text area.
_COLOR = {"type": "string", "maxLength": MAX_NAME_LENGTH, "description": "__remotion-color"}
_TEXTAREA = "__remotion-textarea"

DEFAULTS = AnimationProps(
    text="Hello",
    style=AnimationStyle.FADE_IN,
    font_family="Inter",
    font_size=96,
    color="#ffffff",
    background_color=None,
    duration_in_frames=3 * FPS,
    fps=FPS,
)

SCHEMA: Mapping[str, object] = {
    "type": "object",
    "properties": {
        "text": {"type": "string", "minLength": 1, "description": _TEXTAREA},
        "style": {"enum": list(AnimationStyle)},
        "fontFamily": {"type": "string", "minLength": 1, "maxLength": MAX_NAME_LENGTH},
        "fontSize": {"type": "number", "minimum": MIN_FONT_SIZE_PX, "maximum": MAX_FONT_SIZE_PX},
        "fontWeight": {"type": "integer", "minimum": MIN_FONT_WEIGHT, "maximum": MAX_FONT_WEIGHT},
        "italic": {"type": "boolean"},
        "color": _COLOR,
        "backgroundColor": {"anyOf": [_COLOR, {"type": "null"}]},
        "durationInFrames": {"type": "integer", "minimum": 1, "maximum": MAX_INT},
        "fps": {"const": FPS},
    },
    "required": ["text"],
    "additionalProperties": False,
}

# Names of the fields of `AnimationProps` in the composition's props.
FIELDS: Mapping[str, str] = {
    "text": "text",
    "style": "style",
    "fontFamily": "font_family",
    "fontSize": "font_size",
    "fontWeight": "font_weight",
    "italic": "italic",
    "color": "color",
    "backgroundColor": "background_color",
    "durationInFrames": "duration_in_frames",
    "fps": "fps",
}

# Values that are not sent: compositions for the first version of the API don't know these props.
_LEFT_OUT: Mapping[str, object] = {"backgroundColor": None, "fontWeight": REGULAR_WEIGHT, "italic": False}


def text_composition(*, width: int, height: int, formats: frozenset[OutputFormat]) -> Composition:
    """Return the composition as the text renderer announces it, with the size of its frames in pixels."""
    audio = formats_of(OutputKind.AUDIO)
    return Composition(
        id=TEXT_ANIMATION,
        kind=CompositionKind.VIDEO,
        width=width,
        height=height,
        fps=FPS,
        duration_in_frames=DEFAULTS.duration_in_frames,
        default_props=json.dumps(to_json_object(DEFAULTS) | {"fontWeight": DEFAULTS.font_weight, "italic": False}),
        props_schema=json.dumps(SCHEMA),
        outputs=tuple(name for name in OutputFormat if name in formats - audio),
        is_dynamic=True,
    )


def to_json_object(props: AnimationProps) -> dict[str, Any]:
    """Return the props as the composition receives them, without those of `_LEFT_OUT`."""
    values = {name: getattr(props, field) for name, field in FIELDS.items()}
    return {name: value for name, value in values.items() if name not in _LEFT_OUT or value != _LEFT_OUT[name]}


def from_json_object(props: Mapping[str, Any]) -> AnimationProps:
    """Return the props of a valid JSON object (see `SCHEMA`), completed with the defaults."""
    given = {FIELDS[name]: value for name, value in props.items()}
    merged = msgspec.to_builtins(DEFAULTS) | given
    return msgspec.convert(merged | {"font_size": float(merged["font_size"])}, AnimationProps, strict=False)


def input_props(render: Render) -> object:
    """Return the JSON object that a render's composition receives as its props."""
    if render.props is not None:
        return to_json_object(render.props)
    return msgspec.json.decode(render.input_props or "{}")
