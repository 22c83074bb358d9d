from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services import documents
from services.models import AnimationProps, Failure, Output, Render, replace
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


def test_an_unreadable_document_is_logged_without_its_content(
    make_render: MakeRender, caplog: pytest.LogCaptureFixture
) -> None:
    whole = documents.encode(make_render(props=replace(PROPS, text="secret")))
    broken = [("a", whole.replace('"fps":30', '"fps":"secret"')), ("b", '["secret"]'), ("c", "secret"), ("d", whole)]
    assert [render.props.text for render in documents.decode_readable(broken, documents.decode)] == ["secret"]
    assert [record.getMessage().partition(" can't")[0] for record in caplog.records] == [
        f"the stored document {name}" for name in "abc"
    ]
    assert "props.fps" in caplog.text
    assert "secret" not in caplog.text
