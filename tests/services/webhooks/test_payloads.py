"""Payloads have the fields of the API, and the Standard Webhooks library verifies their signatures."""

import base64
import json
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError
from strawberry.utils.str_converters import to_camel_case

from schema.animation import AnimationProps
from schema.batch import BatchProgress
from schema.output import RenderOutput
from schema.render import Render as GraphQLRender
from schema.render import RenderError
from services.clock import format_time
from services.media import Media, OutputFormat, OutputOptions, ProResProfile
from services.models import Download, Failure, Output, Render
from services.renders import lifecycle
from services.webhooks.messages import EndedBatch, WebhookMessage
from services.webhooks.payloads import build_body, encode_event
from services.webhooks.signatures import signed_headers
from tests.conftest import MakeRender
from tests.support.fake_clock import START_OF_TIME
from tests.support.webhook_receiver import KEY, SECRET

LATER = START_OF_TIME + timedelta(seconds=12)
OUTPUT = Output(bucket="b", key="k.mp4", size_bytes=3_000_000_000)
FIELDS_OF_UNFINISHED_RENDERS = {"phase", "estimatedCompletionAt", "queuePosition", "previewUrl"}
DOWNLOAD = Download(url="https://videos.example/k.mp4?signature=s", expires_at=LATER + timedelta(hours=1))

POSTER = Download(url="https://videos.example/k.jpg?signature=s", expires_at=LATER + timedelta(hours=2))


def running(make_render: MakeRender) -> Render:
    render = make_render(generation_id="g")
    return lifecycle.launch(render, now=START_OF_TIME)


def payload(render: Render, download: Download | None = None, poster: Download | None = None) -> dict[str, Any]:
    sent: dict[str, Any] = json.loads(build_body(WebhookMessage(render=render), video=download, poster=poster))
    return sent


def test_a_complete_render_has_the_urls_signed_for_the_attempt(make_render: MakeRender) -> None:
    render = lifecycle.complete(
        running(make_render), output=OUTPUT, cost_usd=0.25, warnings=("Another font was used.",), now=LATER
    )
    sent = payload(render, DOWNLOAD, POSTER)
    assert (sent["type"], sent["timestamp"]) == ("render.completed", "2026-01-01T12:00:12.000Z")
    data = sent["data"]
    assert (data["id"], data["owner"], data["generationId"], data["status"]) == (render.id, "ann", "g", "COMPLETE")
    assert (data["outputUrl"], data["outputUrlExpiresAt"]) == (DOWNLOAD.url, "2026-01-01T13:00:12.000Z")
    assert (data["posterUrl"], data["posterUrlExpiresAt"]) == (POSTER.url, "2026-01-01T14:00:12.000Z")
    assert (data["outputSizeBytes"], data["costUsd"]) == (3_000_000_000, 0.25)
    assert (data["createdAt"], data["completedAt"]) == ("2026-01-01T12:00:00.000Z", "2026-01-01T12:00:12.000Z")
    assert data["animationProps"]["style"] == "FADE_IN"
    assert data["error"] is None


def test_a_failure_is_sent_without_its_internal_detail(make_render: MakeRender) -> None:
    failure = Failure(code="BROKEN", message="It broke.", retryable=True, detail="hunter2")
    sent = payload(lifecycle.fail(running(make_render), failure=failure, now=LATER))
    assert sent["type"] == "render.failed"
    assert sent["data"]["error"] == {"code": "BROKEN", "message": "It broke.", "retryable": True}
    assert (sent["data"]["outputUrl"], sent["data"]["outputSizeBytes"]) == (None, None)
    assert "hunter2" not in json.dumps(sent)


def test_a_cancelled_render_that_never_ran_is_sent(make_render: MakeRender) -> None:
    sent = payload(lifecycle.cancel(make_render(), now=LATER))
    assert (sent["type"], sent["data"]["status"], sent["data"]["startedAt"]) == ("render.cancelled", "CANCELLED", None)


def test_payloads_have_all_fields_of_the_api_but_those_of_unfinished_renders(make_render: MakeRender) -> None:
    failure = Failure(code="BROKEN", message="It broke.", retryable=True)
    sent = payload(lifecycle.fail(running(make_render), failure=failure, now=LATER))["data"]
    assert sent.keys() == set(field_names(GraphQLRender).values()) - FIELDS_OF_UNFINISHED_RENDERS
    assert sent["animationProps"].keys() == set(field_names(AnimationProps).values())
    assert sent["error"].keys() == set(field_names(RenderError).values())


def test_the_end_of_a_batch_is_sent_with_the_counts_of_the_api(make_render: MakeRender) -> None:
    batch = EndedBatch(id="b", complete=3, failed=2, cancelled=1)
    render = lifecycle.cancel(make_render(batch_id="b"), now=LATER)
    message = WebhookMessage(render=render, batch=batch)
    assert message.id == f"msg_{render.id}_batch"
    sent = json.loads(build_body(message, video=None, poster=None))
    data = {"batchId": "b", "owner": "ann", "total": 6, "complete": 3, "failed": 2, "cancelled": 1}
    assert sent == {"type": "batch.ended", "timestamp": format_time(LATER), "data": data}
    assert data.keys() - {"owner"} <= set(field_names(BatchProgress).values())


def field_names(kind: type) -> dict[str, str]:
    """Return the names of a GraphQL type's fields by their names in Python."""
    fields = kind.__strawberry_definition__.fields  # type: ignore[attr-defined]
    return {field.python_name: field.graphql_name or to_camel_case(field.python_name) for field in fields}


def test_a_text_animation_has_typed_props_and_those_of_its_composition(make_render: MakeRender) -> None:
    data = payload(lifecycle.cancel(make_render(), now=LATER))["data"]
    assert (data["compositionId"], data["animationProps"]["fontSize"]) == ("TextAnimation", 72.0)
    assert data["inputProps"] == {name: data["animationProps"][name] for name in data["inputProps"]} | {
        "style": "fade-in"
    }
    assert (data["output"]["format"], data["output"]["contentType"]) == ("H264", "video/mp4")


def test_another_composition_has_the_props_as_they_were_sent_and_no_animation(make_render: MakeRender) -> None:
    props = {"title": "Grüße 👋", "scenes": [{"n": 1.5, "on": None}]}
    render = make_render(composition_id="Promo", props=None, input_props=json.dumps(props))
    data = payload(lifecycle.cancel(render, now=LATER))["data"]
    assert (data["compositionId"], data["animationProps"], data["inputProps"]) == ("Promo", None, props)
    assert data["totalFrames"] == 0


OUTPUTS = [
    *(OutputOptions(format=format_) for format_ in OutputFormat),
    OutputOptions(format=OutputFormat.PRORES, transparent=True, prores_profile=ProResProfile.P4444_XQ, muted=True),
    OutputOptions(format=OutputFormat.VP9, width=640, height=360, fps=12.5, scale=1.5, crf=30),
    OutputOptions(format=OutputFormat.H265, bitrate_kbps=2500),
    OutputOptions(format=OutputFormat.GIF, every_nth_frame=2, loops=3),
    OutputOptions(format=OutputFormat.JPEG, frame=-1, quality=90),
]


@pytest.mark.parametrize("options", OUTPUTS)
@pytest.mark.parametrize("media", [None, Media(frames=90, fps=12.5, width=960, height=540)])
def test_the_output_has_the_values_of_the_api(
    make_render: MakeRender, options: OutputOptions, media: Media | None
) -> None:
    render = make_render(output_options=options, media=media)
    sent = payload(lifecycle.cancel(render, now=LATER))["data"]["output"]
    in_api = RenderOutput.from_model(render)
    values = {name: getattr(in_api, field) for field, name in field_names(RenderOutput).items()}
    assert sent == {name: value.name if isinstance(value, Enum) else value for name, value in values.items()}


def test_the_library_verifies_each_signature_and_rejects_changed_requests() -> None:
    now = datetime.now(UTC)
    body = encode_event("webhook.test", now, {"text": "Füße 🦶\ud800", "n": 1})
    other = b"y" * 24
    headers = dict(signed_headers("msg_1", body, secrets=(KEY, other), now=now))
    for secret in (SECRET, "whsec_" + base64.b64encode(other).decode()):
        assert Webhook(secret).verify(body, headers)["data"]["n"] == 1
    changes = [{"webhook-id": "msg_2"}, {"webhook-timestamp": str(int(now.timestamp()) - 1)}]
    for change in changes:
        with pytest.raises(WebhookVerificationError):
            Webhook(SECRET).verify(body, headers | change)
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(body + b" ", headers)
    with pytest.raises(WebhookVerificationError):
        Webhook("whsec_" + base64.b64encode(b"z" * 24).decode()).verify(body, headers)
