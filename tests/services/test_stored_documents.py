import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services import stored_documents
from services.compositions.stored_documents import (
    catalog_from_mapping,
    catalog_to_mapping,
    decode_catalog,
    encode_catalog,
)
from services.media import Media, OutputFormat, OutputOptions
from services.models import AnimationProps, Catalog, Composition, Failure, Output, Render, RenderStatus, replace
from services.webhooks.messages import WebhookAttempt, WebhookMessage
from tests.conftest import PROPS, MakeRender

MOMENTS = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
FINITE = st.floats(allow_nan=False, allow_infinity=False)
st.register_type_strategy(datetime, MOMENTS)
st.register_type_strategy(float, FINITE)


RENDERS = st.builds(
    Render,
    props=st.none() | st.builds(AnimationProps),
    input_props=st.none() | st.text(),
    output_options=st.builds(OutputOptions, format=st.sampled_from(OutputFormat), scale=st.none() | FINITE),
    media=st.none() | st.builds(Media, width=st.none() | st.integers(1, 8192)),
    failure=st.none() | st.builds(Failure),
    output=st.none() | st.builds(Output),
)


@given(RENDERS)
def test_decoding_reverses_encoding_of_a_render(render: Render) -> None:
    assert stored_documents.decode(stored_documents.encode(render)) == render
    assert stored_documents.from_mapping(stored_documents.to_mapping(render)) == render


def test_fields_that_are_not_stored_have_the_same_defaults_in_all_versions() -> None:
    """Stored renders are read with the defaults of the version that reads them."""
    text = '{"id":"r","owner":"ann","created_at":"2026-01-01T00:00:00Z"}'
    render = stored_documents.decode(text)
    assert stored_documents.encode(render) == text
    assert render == Render(
        id="r",
        owner="ann",
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
        composition_id="TextAnimation",
        props=None,
        input_props=None,
        output_options=OutputOptions(format=OutputFormat.H264, transparent=False, muted=False),
        media=None,
        revision=1,
        status=RenderStatus("queued"),
        phase=None,
        progress=0,
        frames_rendered=0,
        preview_frame=None,
        estimated_completion_at=None,
        generation_id=None,
        batch_id=None,
        idempotency_key=None,
        attempt=0,
        interruptions=0,
        busy_attempts=0,
        rejected_starts=0,
        cancel_requested=False,
        backend_render_id=None,
        earlier_backend_render_ids=(),
        warnings=(),
        failure=None,
        output=None,
        cost_usd=None,
        earlier_cost_usd=None,
        due_at=None,
        running_s=0.0,
        started_at=None,
        completed_at=None,
        traceparent=None,
    )


@given(st.builds(stored_documents.Announcement, render=RENDERS))
def test_decoding_reverses_encoding_of_an_announcement(announcement: stored_documents.Announcement) -> None:
    assert stored_documents.decode_announcements([stored_documents.encode_announcement(announcement)]) == [announcement]


@given(
    st.builds(Catalog, compositions=st.lists(st.builds(Composition, outputs=st.just(tuple(OutputFormat)))).map(tuple))
)
def test_decoding_reverses_encoding_of_a_catalog(catalog: Catalog) -> None:
    assert decode_catalog(encode_catalog(catalog)) == catalog
    assert catalog_from_mapping(catalog_to_mapping(catalog)) == catalog


def test_a_stored_output_without_a_poster_key_has_none(make_render: MakeRender) -> None:
    render = make_render(output=Output(bucket="b", key="k.mp4", size_bytes=1))
    document = stored_documents.encode(render)
    assert stored_documents.decode(document.replace(',"poster_key":null', "")) == render
    assert '"poster_key"' in document


def test_a_document_with_only_the_fields_of_the_first_version_is_a_text_animation_in_h264(
    make_render: MakeRender,
) -> None:
    render = make_render()
    mapping = stored_documents.to_mapping(render)
    old = {name: mapping[name] for name in ("id", "owner", "props", "created_at")}
    read = stored_documents.from_mapping(old)
    assert read == stored_documents.decode(json.dumps(old)) == render
    assert (read.composition_id, read.output_options.format) == ("TextAnimation", OutputFormat.H264)
    assert (read.media, read.total_frames) == (None, PROPS.duration_in_frames)


def test_a_document_that_cant_be_decoded_is_skipped_and_logged_and_counted_once_without_its_content(
    make_render: MakeRender, caplog: pytest.LogCaptureFixture
) -> None:
    whole = stored_documents.encode(make_render(props=replace(PROPS, text="secret")))
    broken = [("a", whole.replace('"fps":30', '"fps":"secret"')), ("b", '["secret"]'), ("c", "secret"), ("d", whole)]
    skipped = stored_documents.SkippedDocuments()
    for _ in range(2):
        assert [render.props and render.props.text for render in skipped.decode(broken, stored_documents.decode)] == [
            "secret"
        ]
    assert skipped.count == 3
    assert [record.getMessage().partition(" can't")[0] for record in caplog.records] == [
        f"The stored document {name}" for name in "abc"
    ]
    assert "props.fps" in caplog.text
    assert "secret" not in caplog.text


def test_a_document_of_an_older_version_is_read_without_its_removed_fields(make_render: MakeRender) -> None:
    render = make_render()
    document = stored_documents.encode(render)[:-1] + ',"deadline_at":"2026-01-01T00:00:00Z"}'
    assert stored_documents.decode(document) == render


def test_a_change_of_stored_fields_raises_the_schema_version() -> None:
    """If this fails, raise `SCHEMA_VERSION`, so that older versions don't lose the new fields, and change the list."""
    structs = (
        Render,
        AnimationProps,
        OutputOptions,
        Media,
        Failure,
        Output,
        WebhookMessage,
        WebhookAttempt,
        Catalog,
        Composition,
    )
    stored = {struct.__name__: " ".join(sorted(struct.__struct_encode_fields__)) for struct in structs}
    assert (stored_documents.SCHEMA_VERSION, stored) == (4, STORED_FIELDS)


STORED_FIELDS = {
    "Render": (
        "attempt backend_render_id batch_id busy_attempts cancel_requested completed_at composition_id cost_usd "
        "created_at due_at earlier_backend_render_ids earlier_cost_usd estimated_completion_at failure frames_rendered "
        "generation_id id idempotency_key input_props interruptions media output output_options owner phase "
        "preview_frame progress props refusals revision running_s started_at status traceparent warnings"
    ),
    "AnimationProps": (
        "background_color color duration_in_frames font_family font_size font_weight fps italic style text"
    ),
    "OutputOptions": (
        "bitrate_kbps crf every_nth_frame format fps frame height loops muted prores_profile quality scale "
        "transparent width"
    ),
    "Media": "fps frames height width",
    "Failure": "code detail message retryable",
    "Output": "bucket key poster_key size_bytes",
    "WebhookMessage": "attempts batch due_at render revision settled_at status tries",
    "WebhookAttempt": "began_at duration_s fault next_attempt_at number status_code",
    "Catalog": "compositions discovered_at site version",
    "Composition": ("default_props duration_in_frames fps height id is_dynamic kind outputs props_schema width"),
}
