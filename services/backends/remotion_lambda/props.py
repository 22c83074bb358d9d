"""The props of a render as the function receives them: in the payload, or in S3 if they are too large for it."""

import json
import re
from types import MappingProxyType

from services.models import AnimationProps

MAX_INLINE_UNITS = 193_976  # the official client's 200,000 less 5,000 and a webhook's 1,024, in UTF-16 code units
ENVIRONMENT = MappingProxyType[str, str]({})  # the compositions need no variables

PropsReference = dict[str, str]
"""The location of the composition's props: `inline` or `uploaded`."""

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


def input_props(props: AnimationProps) -> str:
    """Return the composition's props as JSON, byte for byte as JSON.stringify would write them."""
    values: dict[str, object] = {
        "text": props.text,
        "style": props.style.value,
        "fontFamily": props.font_family,
        "fontSize": js_number(props.font_size),
        "color": props.color,
    }
    if props.background_color is not None:
        values["backgroundColor"] = props.background_color
    values |= {"durationInFrames": props.duration_in_frames, "fps": props.fps}
    written = json.dumps(values, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return _LONE_SURROGATE.sub(_escape, _pair_surrogates(written))


def needs_upload(props_json: str) -> bool:
    """Return whether the props are too large to be sent inline, so that they must be stored in S3 first."""
    return _units(props_json) + _units(json.dumps(dict(ENVIRONMENT))) > MAX_INLINE_UNITS


def inline(props_json: str) -> PropsReference:
    """Return a reference with the props in it."""
    return {"type": "payload", "payload": props_json}


def uploaded(props_hash: str, *, bucket: str) -> PropsReference:
    """Return a reference to props stored under `props_key`. The function deletes them: each render needs a new hash."""
    return {"type": "bucket-url", "hash": props_hash, "bucketName": bucket}


def js_number(value: float) -> int | float:
    """Return the number in the type that JSON writes as JavaScript does: 96, not 96.0. For values from 0.0001."""
    return int(value) if float(value).is_integer() else value


def _units(text: str) -> int:
    """Return the text's length in JavaScript, in UTF-16 code units."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _pair_surrogates(text: str) -> str:
    """Return the text with surrogate pairs joined into characters, as JavaScript treats them."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")


def _escape(match: re.Match[str]) -> str:
    return f"\\u{ord(match[0]):04x}"
