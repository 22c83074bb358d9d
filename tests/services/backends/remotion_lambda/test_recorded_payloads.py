"""Payloads for each format with each of its options are what Remotion's own client 4.0.527 sends.

`tests/data/record-payloads.mjs` recorded them: `options` and `settings` are in Rendercast's terms.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from services.backends.remotion_lambda.payloads import (
    Target,
    compositions_payload,
    start_payload,
    status_payload,
    still_payload,
)
from services.backends.remotion_lambda.props import inline
from services.backends.remotion_options import Capture, media_fields, still_fields
from services.media import FORMATS, Media, OutputFormat, OutputKind, OutputOptions, forced_frames
from services.storage.s3_access import S3Access
from tests.support.progress_files import FORMAT_RECORDS

Differences = dict[str, tuple[object, object]]

PNG, JPEG = (Capture(image_format=name, color_space="bt709") for name in ("png", "jpeg"))
# Options of the recorded renders in Rendercast's terms, and the keys whose values differ: Rendercast's, the recorded.
RENDERED: dict[str, tuple[OutputOptions, Capture, Differences]] = {
    "h264-portrait-60": (
        OutputOptions(format=OutputFormat.H264, width=360, height=640, fps=60),
        PNG,
        {"forceDurationInFrames": (180, None)},
    ),
    "h264-scaled-muted": (
        OutputOptions(format=OutputFormat.H264, scale=0.5, muted=True, crf=30),
        JPEG,
        {"colorSpace": ("bt709", None), "jpegQuality": (80, 60)},
    ),
    "vp8-alpha": (OutputOptions(format=OutputFormat.VP8, transparent=True), PNG, {"colorSpace": ("bt709", None)}),
    "gif": (OutputOptions(format=OutputFormat.GIF, every_nth_frame=2, loops=0), JPEG, {}),
    "mp3": (OutputOptions(format=OutputFormat.MP3), PNG, {}),
}
BUCKET = "remotionlambda-useast1-abcdefghij"
RECORDED = Path(__file__).parents[3] / "data" / "remotion-start-payloads.jsonl"
RECORDS: list[dict[str, Any]] = [json.loads(line) for line in RECORDED.read_text(encoding="utf-8").splitlines()]
PROPS = inline('{"title":"Hi {\\"}","scenes":[{"text":"a","seconds":3}]}')
COMPOSITION = Media(frames=90, fps=30, width=640, height=360)
# What Rendercast sends instead, because it can't parse a response in Remotion's own streaming format.
DIFFERENCES: dict[str, Differences] = {"renderStillOnLambda": {"streamed": (False, True)}}


def options_of(record: Mapping[str, Any]) -> OutputOptions:
    return msgspec.convert(record["options"] | {"format": record["format"]}, OutputOptions)


def provider_of(settings: Mapping[str, Any]) -> S3Access | None:
    given = settings.get("output_provider")
    return given and S3Access(
        endpoint=given["endpoint"],
        bucket="outputs",
        access_key_id=given["accessKeyId"],
        secret_access_key=given["secretAccessKey"],
        region=given["region"],
        path_style=given["forcePathStyle"],
    )


def target_of(settings: Mapping[str, Any]) -> Target:
    names = ("frames_per_lambda", "concurrency", "delete_after", "license_key", "privacy")
    return Target(
        version="4.0.527",
        serve_url=f"https://{BUCKET}.s3.us-east-1.amazonaws.com/sites/mine/index.html",
        bucket=BUCKET,
        output_provider=provider_of(settings),
        **{name: settings[name] for name in names if name in settings},
    )


def payload_of(record: Mapping[str, Any]) -> dict[str, object]:
    """Return the payload that Rendercast sends for a record."""
    settings = record["settings"]
    target = target_of(settings)
    if record["call"] == "getCompositionsOnLambda":
        return compositions_payload(target, props=PROPS if settings else inline("{}"))
    if record["call"] == "getRenderProgress":
        return status_payload(target, render_id="abcdefghij")
    options = options_of(record)
    row = FORMATS[options.format]
    key = f"rendercast/01m817gzatj1v633w9kvyqtevh-1.{row.extension}"
    if row.kind is OutputKind.STILL:
        fields = still_fields(options)
        return still_payload(target, composition="Promo", output_key=key, props=PROPS, fields=fields)
    capture = Capture(
        image_format=settings.get("image_format", "png"), color_space=settings.get("color_space", "bt709")
    )
    fields = media_fields(options, capture=capture, forced_frames=forced_frames(COMPOSITION, options))
    return start_payload(target, composition="Promo", output_key=key, props=PROPS, fields=fields, webhook=None)


def name_of(record: Mapping[str, Any]) -> str:
    chosen = "-".join(f"{name}={value}" for name, value in record["options"].items())
    return "-".join(part for part in (record["format"] or record["call"], chosen, *record["settings"]) if part)


@pytest.mark.parametrize("record", RECORDS, ids=name_of)
def test_a_payload_is_what_the_official_client_sends(record: dict[str, Any]) -> None:
    require_equal(payload_of(record), record["payload"], DIFFERENCES.get(record["call"], {}))


def require_equal(sent: dict[str, object], expected: dict[str, object], different: Differences) -> None:
    assert {name: (sent[name], expected[name]) for name in different} == different
    assert sent.keys() == expected.keys()
    for name in expected.keys() - different.keys():
        assert (name, sent[name]) == (name, expected[name])
        assert type(sent[name]) is type(expected[name]), name
    assert json.loads(json.dumps(sent)) == sent


@pytest.mark.parametrize("name", OutputFormat)
def test_each_format_is_recorded_without_options_and_with_each_option(name: OutputFormat) -> None:
    of_format = [record["options"] for record in RECORDS if record["format"] == name.value and not record["settings"]]
    assert {} in of_format
    assert {option for options in of_format for option in options} == FORMATS[name].options


@pytest.mark.parametrize("record", [each for each in FORMAT_RECORDS if "start" in each], ids=lambda each: each["name"])
def test_a_start_is_what_the_handler_has_rendered(record: dict[str, Any]) -> None:
    options, capture, different = RENDERED[record["name"]]
    expected = record["start"]
    frames_per_lambda, key = expected["framesPerLambda"], expected["outName"]["key"]
    sent = start_payload(
        Target(
            version="4.0.527",
            serve_url=expected["serveUrl"],
            bucket=BUCKET,
            privacy="no-acl",
            frames_per_lambda=frames_per_lambda,
        ),
        composition="Promo",
        output_key=key,
        props=inline(expected["inputProps"]["payload"]),
        fields=media_fields(options, capture=capture, forced_frames=forced_frames(COMPOSITION, options)),
        webhook=None,
    )
    require_equal(sent, expected, different)
