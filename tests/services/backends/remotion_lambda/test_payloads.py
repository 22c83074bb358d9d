import json
from datetime import timedelta
from pathlib import Path

import pytest

from services.backends.remotion_lambda.keys import (
    cancel_key,
    folder,
    output_key,
    outputs_prefix,
    poster_key,
    progress_key,
    props_key,
)
from services.backends.remotion_lambda.payloads import (
    Target,
    Webhook,
    info_payload,
    start_payload,
    status_payload,
)
from services.backends.remotion_lambda.props import inline, uploaded
from services.backends.remotion_options import Capture, media_fields
from services.backends.remotion_props import input_props
from services.media import OutputOptions
from services.models import AnimationProps, AnimationStyle
from services.storage.s3_access import S3Access

# A payload that the official client 4.0.527 sent to a local server in place of Lambda.
DATA = Path(__file__).parents[3] / "data"
RECORDED: dict[str, object] = json.loads((DATA / "remotion-start-payload.json").read_text())
BUCKET = "remotionlambda-useast1-abcdefghij"
RECORDED_PROPS = AnimationProps(
    text='Hello {"}\u2028 😀 \ud83d é\x07\n\\',
    style=AnimationStyle.TYPEWRITER,
    font_family="Inter",
    font_size=96.0,
    color="white",
    background_color="#103050",
    duration_in_frames=90,
    fps=30,
)
RECORDED_WEBHOOK = Webhook(
    url="https://rendercast.example/hooks/remotion",
    secret="s3cret",  # noqa: S106  # the recorded one
    custom_data={"renderId": "01m817gzatj1v633w9kvyqtevh"},
)
CAPTURE = Capture(image_format="png", color_space="bt709")
# Keys whose values differ from the official client's defaults.
DIFFERENCES = {
    "colorSpace": "bt709",  # the colours that the composition has and that players show
    "imageFormat": "png",  # which the colour space requires
    "logLevel": "warn",  # the function must not log users' texts
}


def recorded_start() -> dict[str, object]:
    site = f"https://{BUCKET}.s3.us-east-1.amazonaws.com/sites/text/index.html"
    return start_payload(
        Target(version="4.0.527", serve_url=site, bucket=BUCKET),
        composition="TextAnimation",
        output_key="rendercast/01m817gzatj1v633w9kvyqtevh/1.mp4",
        props=inline(input_props(RECORDED_PROPS)),
        fields=media_fields(OutputOptions(), capture=CAPTURE, forced_frames=None),
        frame_timeout=timedelta(seconds=45),
        webhook=RECORDED_WEBHOOK,
    )


@pytest.mark.parametrize("key", sorted(RECORDED.keys() | recorded_start().keys()))
def test_a_start_is_what_the_official_client_sends(key: str) -> None:
    sent = recorded_start()
    assert key in sent
    assert key in RECORDED
    if key in DIFFERENCES:
        assert sent[key] == DIFFERENCES[key] != RECORDED[key]
    else:
        assert sent[key] == RECORDED[key]
        assert type(sent[key]) is type(RECORDED[key])


def test_a_start_without_webhook() -> None:
    payload = start_payload(
        Target(version="4.0.527", serve_url="https://site.example", bucket="b"),
        composition="c",
        output_key="k",
        props=uploaded("abc", bucket="b"),
        fields=media_fields(OutputOptions(), capture=CAPTURE, forced_frames=None),
        webhook=None,
    )
    assert payload["webhook"] is None
    assert payload["inputProps"] == {"type": "bucket-url", "hash": "abc", "bucketName": "b"}
    assert json.loads(json.dumps(payload)) == payload


def test_secrets_are_not_in_a_repr() -> None:
    assert RECORDED_WEBHOOK.secret not in repr(RECORDED_WEBHOOK)
    provider = S3Access(
        endpoint="https://r2.example",
        bucket="outputs",
        access_key_id="key",
        secret_access_key="s3cret",  # noqa: S106  # of no account
        region="auto",
        path_style=False,
    )
    target = Target(version="4.0.527", serve_url="https://site.example", bucket="b", output_provider=provider)
    assert "s3cret" not in repr(target)


def test_a_status_request_is_what_the_official_client_sends() -> None:
    target = Target(version="4.0.527", serve_url="", bucket=BUCKET)
    assert status_payload(target, render_id="abcdefghij") == {
        "type": "status",
        "bucketName": BUCKET,
        "renderId": "abcdefghij",
        "version": "4.0.527",
        "s3OutputProvider": None,
        "logLevel": "warn",
        "forcePathStyle": False,
    }


def test_the_payload_of_a_version_request() -> None:
    assert info_payload() == {"type": "info", "logLevel": "warn"}


def test_keys() -> None:
    assert props_key("abc") == "input-props/abc.json"
    assert folder("r") == "renders/r/"
    assert progress_key("r") == "renders/r/progress.json"
    assert cancel_key("r") == "renders/r/cancel.json"
    assert (output_key("r", 2, "webm"), poster_key("r")) == ("rendercast/r-2.webm", "rendercast/r-poster.jpg")
    assert all(key.startswith(outputs_prefix("r")) for key in (output_key("r", 2, "mp4"), poster_key("r")))
