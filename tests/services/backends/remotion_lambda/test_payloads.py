import json
from datetime import timedelta
from pathlib import Path

import pytest

from services.backends.remotion_lambda.payloads import (
    Webhook,
    cancel_key,
    folder,
    info_payload,
    inline,
    input_props,
    needs_upload,
    outputs_prefix,
    poster_key,
    progress_key,
    props_key,
    start_payload,
    status_payload,
    uploaded,
    video_key,
)
from services.models import AnimationProps, AnimationStyle, replace
from tests.conftest import PROPS

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
# Keys whose values differ from the official client's defaults.
DIFFERENCES = {
    "colorSpace": "bt709",  # the colours that the composition has and that players show
    "imageFormat": "png",  # which the colour space requires
    "logLevel": "warn",  # the function must not log users' texts
}


def recorded_start() -> dict[str, object]:
    return start_payload(
        version="4.0.527",
        serve_url=f"https://{BUCKET}.s3.us-east-1.amazonaws.com/sites/text/index.html",
        composition="TextAnimation",
        bucket=BUCKET,
        output_key="rendercast/01m817gzatj1v633w9kvyqtevh/1.mp4",
        props=inline(input_props(RECORDED_PROPS)),
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
        version="4.0.527",
        serve_url="https://site.example",
        composition="c",
        bucket="b",
        output_key="k",
        props=uploaded("abc", bucket="b"),
        frame_timeout=timedelta(seconds=30),
        webhook=None,
    )
    assert payload["webhook"] is None
    assert payload["inputProps"] == {"type": "bucket-url", "hash": "abc", "bucketName": "b"}
    assert json.loads(json.dumps(payload)) == payload


def test_the_webhooks_secret_is_not_in_its_repr() -> None:
    assert RECORDED_WEBHOOK.secret not in repr(RECORDED_WEBHOOK)


def test_props_in_their_order() -> None:
    assert input_props(PROPS) == (
        '{"text":"Hello","style":"fade-in","fontFamily":"Inter","fontSize":72,"color":"#ffffff",'
        '"durationInFrames":90,"fps":30}'
    )


@pytest.mark.parametrize(
    ("text", "written"),  # by JSON.stringify of Node.js 20
    [
        ("Hello {", "Hello {"),
        ('"}', '\\"}'),
        ("\\ / </script>", "\\\\ / </script>"),
        ("\u2028\u2029", "\u2028\u2029"),
        ("\x00\x01\b\t\n\f\r\x1f\x7f\x80", "\\u0000\\u0001\\b\\t\\n\\f\\r\\u001f\x7f\x80"),
        ("é ü ß 漢字 مرحبا \ufeff\uffff", "é ü ß 漢字 مرحبا \ufeff\uffff"),
        ("😀", "😀"),
        ("\ud83d\ude00", "😀"),
        ("\ud83d", "\\ud83d"),
        ("\ude00\ud83d", "\\ude00\\ud83d"),
        ("\ud83d\ud83d\ude00", "\\ud83d😀"),
    ],
)
def test_text_as_javascript_writes_it(text: str, written: str) -> None:
    assert input_props(replace(PROPS, text=text)).startswith(f'{{"text":"{written}","style":')


@pytest.mark.parametrize(
    ("size", "written"),
    [(96.0, "96"), (96, "96"), (72.5, "72.5"), (33.333333333333336, "33.333333333333336"), (12.0000001, "12.0000001")],
)
def test_numbers_as_javascript_writes_them(size: float, written: str) -> None:
    assert f'"fontSize":{written},' in input_props(replace(PROPS, font_size=size))


@pytest.mark.parametrize(
    ("props_json", "expected"),  # the official client sent 193,974 units inline, and stored one more
    [
        ("x" * 193_974, False),
        ("x" * 193_975, True),
        ("😀" * 96_987, False),
        ("😀" * 96_988, True),
        ("é" * 193_974, False),
    ],
)
def test_large_props_are_uploaded(props_json: str, expected: bool) -> None:  # noqa: FBT001
    assert needs_upload(props_json) is expected


def test_a_status_request_is_what_the_official_client_sends() -> None:
    assert status_payload(version="4.0.527", bucket=BUCKET, render_id="abcdefghij") == {
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
    assert (video_key("r", 2), poster_key("r")) == ("rendercast/r-2.mp4", "rendercast/r-poster.jpg")
    assert all(key.startswith(outputs_prefix("r")) for key in (video_key("r", 2), poster_key("r")))
