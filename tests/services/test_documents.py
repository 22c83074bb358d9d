from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services import documents
from services.models import AnimationProps, Failure, Output, Render, replace
from services.webhooks.messages import WebhookAttempt, WebhookMessage
from tests.conftest import PROPS, MakeRender

MOMENTS = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
FINITE = st.floats(allow_nan=False, allow_infinity=False)
st.register_type_strategy(datetime, MOMENTS)
st.register_type_strategy(float, FINITE)


@given(st.builds(Render, props=st.builds(AnimationProps), failure=st.builds(Failure), output=st.builds(Output)))
def test_decoding_reverses_encoding_of_a_render(render: Render) -> None:
    assert documents.decode(documents.encode(render)) == render


@given(st.builds(documents.Announcement, render=st.builds(Render, props=st.builds(AnimationProps))))
def test_decoding_reverses_encoding_of_an_announcement(announcement: documents.Announcement) -> None:
    assert documents.decode_announcements([documents.encode_announcement(announcement)]) == [announcement]


def test_a_stored_output_without_a_poster_key_has_none(make_render: MakeRender) -> None:
    render = make_render(output=Output(bucket="b", key="k.mp4", size_bytes=1))
    document = documents.encode(render)
    assert documents.decode(document.replace(',"poster_key":null', "")) == render
    assert '"poster_key"' in document


@given(st.builds(Render))
def test_a_document_without_newer_fields_can_be_decoded(render: Render) -> None:
    names = ("id", "owner", "props", "created_at")
    old = Render(**{name: getattr(render, name) for name in names})
    document = documents.encode(old)
    start = document.index(',"revision"')
    assert documents.decode(document[:start] + "}") == old


def test_a_document_that_cant_be_decoded_is_skipped_and_logged_and_counted_once_without_its_content(
    make_render: MakeRender, caplog: pytest.LogCaptureFixture
) -> None:
    whole = documents.encode(make_render(props=replace(PROPS, text="secret")))
    broken = [("a", whole.replace('"fps":30', '"fps":"secret"')), ("b", '["secret"]'), ("c", "secret"), ("d", whole)]
    skipped = documents.SkippedDocuments()
    for _ in range(2):
        assert [render.props.text for render in skipped.decode(broken, documents.decode)] == ["secret"]
    assert skipped.count == 3
    assert [record.getMessage().partition(" can't")[0] for record in caplog.records] == [
        f"The stored document {name}" for name in "abc"
    ]
    assert "props.fps" in caplog.text
    assert "secret" not in caplog.text


def test_a_document_of_an_older_version_is_read_without_its_removed_fields(make_render: MakeRender) -> None:
    render = make_render()
    document = documents.encode(render).replace('"running_s":0.0', '"deadline_at":"2026-01-01T00:00:00Z"')
    assert "deadline_at" in document
    assert documents.decode(document) == render


def test_a_change_of_stored_fields_raises_the_schema_version() -> None:
    """If this fails, raise `SCHEMA_VERSION`, so that older versions don't lose the new fields, and change the list."""
    structs = (Render, AnimationProps, Failure, Output, WebhookMessage, WebhookAttempt)
    stored = {struct.__name__: " ".join(sorted(struct.__struct_encode_fields__)) for struct in structs}
    assert (documents.SCHEMA_VERSION, stored) == (2, STORED_FIELDS)


STORED_FIELDS = {
    "Render": (
        "attempt backend_render_id busy_attempts cancel_requested completed_at cost_usd created_at due_at "
        "earlier_backend_render_ids earlier_cost_usd estimated_completion_at failure frames_rendered generation_id id "
        "idempotency_key interruptions output owner phase progress props refusals revision running_s started_at status "
        "traceparent warnings"
    ),
    "AnimationProps": "background_color color duration_in_frames font_family font_size fps style text",
    "Failure": "code detail message retryable",
    "Output": "bucket key poster_key size_bytes",
    "WebhookMessage": "attempts due_at render revision settled_at status tries",
    "WebhookAttempt": "began_at duration_s fault next_attempt_at number status_code",
}
