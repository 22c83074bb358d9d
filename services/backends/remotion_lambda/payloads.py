"""The function's payloads, as Remotion's own client 4.0.527 sends them, and the keys of a render's objects in S3."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from services.models import AnimationProps

MAX_INLINE_UNITS = 193_976  # the official client's 200,000 less 5,000 and a webhook's 1,024, in UTF-16 code units

PropsReference = dict[str, str]
"""The location of the composition's props: `inline` or `uploaded`."""

_ENVIRONMENT: dict[str, str] = {}  # the composition needs no variables
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")

LOG_LEVEL = "warn"  # at "info", the function logs the text of each animation

# Without most of these keys the function fails, immediately or later. The official client sends null for unset values.
_DEFAULTS: Mapping[str, object] = {
    "type": "start",
    "codec": "h264",
    "imageFormat": "png",  # JPEG frames have colours of BT.601, which the conversion to BT.709 would misinterpret
    "crf": None,
    "envVariables": _ENVIRONMENT,
    "pixelFormat": None,
    "proResProfile": None,
    "x264Preset": None,
    "gopSize": None,
    "jpegQuality": 80,
    "maxRetries": 1,
    "privacy": "private",
    "logLevel": LOG_LEVEL,
    "frameRange": None,
    "chromiumOptions": {},
    "scale": 1,
    "everyNthFrame": 1,
    "numberOfGifLoops": None,
    "concurrencyPerLambda": 1,
    "downloadBehavior": {"type": "play-in-browser"},
    "muted": False,
    "overwrite": False,
    "audioBitrate": None,
    "videoBitrate": None,
    "encodingBufferSize": None,
    "encodingMaxRate": None,
    "forceHeight": None,
    "forceWidth": None,
    "forceFps": None,
    "forceDurationInFrames": None,
    "audioCodec": None,
    "offthreadVideoCacheSizeInBytes": None,
    "deleteAfter": None,
    "colorSpace": "bt709",  # Remotion's default is BT.601 without a tag, which players show as BT.709
    "preferLossless": False,
    "forcePathStyle": False,
    "metadata": None,
    "licenseKey": None,
    "offthreadVideoThreads": None,
    "mediaCacheSizeInBytes": None,
    "storageClass": None,
    "isProduction": None,
    "sampleRate": 48_000,
    "enableCancellation": True,
    "rendererFunctionName": None,
    "framesPerLambda": None,
    "concurrency": None,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """The webhook for a render's end. Its body contains `custom_data`: ASCII, at most 1,024 bytes of JSON.

    A message with a character outside ASCII is never delivered, since the function counts characters as bytes.
    """

    url: str
    secret: str = field(repr=False)
    custom_data: Mapping[str, str]


def input_props(props: AnimationProps) -> str:
    """Return the composition's props as JSON, byte for byte as JSON.stringify would write them."""
    values: dict[str, object] = {
        "text": props.text,
        "style": props.style.value,
        "fontFamily": props.font_family,
        "fontSize": _number(props.font_size),
        "color": props.color,
    }
    if props.background_color is not None:
        values["backgroundColor"] = props.background_color
    values |= {"durationInFrames": props.duration_in_frames, "fps": props.fps}
    written = json.dumps(values, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return _LONE_SURROGATE.sub(_escape, _pair_surrogates(written))


def needs_upload(props_json: str) -> bool:
    """Return whether the props are too large to be sent inline, so that they must be stored in S3 first."""
    return _units(props_json) + _units(json.dumps(_ENVIRONMENT)) > MAX_INLINE_UNITS


def inline(props_json: str) -> PropsReference:
    """Return a reference with the props in it."""
    return {"type": "payload", "payload": props_json}


def uploaded(props_hash: str, *, bucket: str) -> PropsReference:
    """Return a reference to props stored under `props_key`. The function deletes them: each render needs a new hash."""
    return {"type": "bucket-url", "hash": props_hash, "bucketName": bucket}


def start_payload(
    *,
    version: str,
    serve_url: str,
    composition: str,
    bucket: str,
    output_key: str,
    props: PropsReference,
    frame_timeout: timedelta,
    webhook: Webhook | None,
) -> dict[str, object]:
    """Return the payload that starts a render whose video is stored under `output_key`.

    `version` must be the function's. `frame_timeout` limits how long a frame waits for fonts and other resources, at
    least seven seconds. The function doesn't overwrite an existing object under `output_key`.
    """
    return {
        **_DEFAULTS,
        "version": version,
        "serveUrl": serve_url,
        "composition": composition,
        "inputProps": props,
        "bucketName": bucket,
        "outName": {"bucketName": bucket, "key": output_key},
        "timeoutInMilliseconds": frame_timeout // timedelta(milliseconds=1),
        "webhook": webhook and _webhook(webhook),
    }


def status_payload(*, version: str, bucket: str, render_id: str) -> dict[str, object]:
    """Return the payload that requests a render's status."""
    return {
        "type": "status",
        "bucketName": bucket,
        "renderId": render_id,
        "version": version,
        "s3OutputProvider": None,
        "logLevel": LOG_LEVEL,
        "forcePathStyle": False,
    }


def info_payload() -> dict[str, object]:
    """Return the payload that requests the function's version; it costs one short invocation."""
    return {"type": "info", "logLevel": LOG_LEVEL}


def video_key(render_id: str, attempt: int) -> str:
    """Return the key of an attempt's video. Each attempt has its own, so that a late attempt overwrites no video."""
    return f"{outputs_prefix(render_id)}{attempt}.mp4"


def poster_key(render_id: str) -> str:
    """Return the key of the poster, which is the same for all attempts, since they have the same last frame."""
    return f"{outputs_prefix(render_id)}poster.jpg"


def outputs_prefix(render_id: str) -> str:
    """Return the key prefix of a render's videos and poster."""
    return f"rendercast/{render_id}-"


def props_key(props_hash: str) -> str:
    """Return the key of uploaded props."""
    return f"input-props/{props_hash}.json"


def folder(render_id: str) -> str:
    """Return the key prefix of the objects that Remotion stores for a render, with the slash."""
    return f"renders/{render_id}/"


def progress_key(render_id: str) -> str:
    """Return the key of the progress file, which the function writes."""
    return f"{folder(render_id)}progress.json"


def cancel_key(render_id: str) -> str:
    """Return the key of the cancel request, which the function's renderers check every second."""
    return f"{folder(render_id)}cancel.json"


def _webhook(webhook: Webhook) -> dict[str, object]:
    return {"url": webhook.url, "secret": webhook.secret, "customData": dict(webhook.custom_data)}


def _number(value: float) -> int | float:
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
