"""The props of renders in JSON, as Remotion's own clients write them."""

import json
import re

from services.models import REGULAR_WEIGHT, AnimationProps, Render

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


def input_props(props: AnimationProps) -> str:
    """Return the composition's props as JSON, byte for byte as JSON.stringify would write them."""
    values: dict[str, object] = {
        "text": props.text,
        "style": props.style.value,
        "fontFamily": props.font_family,
        "fontSize": js_number(props.font_size),
    }
    if props.font_weight != REGULAR_WEIGHT:  # the props of the first version, unless others are needed
        values["fontWeight"] = props.font_weight
    if props.italic:
        values["italic"] = True
    values["color"] = props.color
    if props.background_color is not None:
        values["backgroundColor"] = props.background_color
    values |= {"durationInFrames": props.duration_in_frames, "fps": props.fps}
    written = json.dumps(values, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return _LONE_SURROGATE.sub(_escape, _pair_surrogates(written))


def props_of(render: Render) -> str:
    """Return the props that the render's composition gets, as JSON."""
    if render.input_props is not None:
        return render.input_props
    return "{}" if render.props is None else input_props(render.props)


def js_number(value: float) -> int | float:
    """Return the number in the type that JSON writes as JavaScript does: 96, not 96.0. For values from 0.0001."""
    return int(value) if float(value).is_integer() else value


def _pair_surrogates(text: str) -> str:
    """Return the text with surrogate pairs joined into characters, as JavaScript treats them."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")


def _escape(match: re.Match[str]) -> str:
    return f"\\u{ord(match[0]):04x}"
