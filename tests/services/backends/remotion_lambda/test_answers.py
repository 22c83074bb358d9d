import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.backends.remotion_lambda.answers import (
    Accepted,
    Crash,
    InfoAnswer,
    Refused,
    StatusAnswer,
    last_object,
    parse_crash,
    parse_info,
    parse_start,
    parse_status,
)

TEXTS = ["Hello {", '"}', "}{", "\u2028\u2029", "😀", "\\", '\\"', "\x00", "]["]
OBJECTS = st.dictionaries(
    st.text(), st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists), max_size=4
)


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("ascii_only", [True, False])
def test_the_last_of_several_objects_counts(text: str, ascii_only: bool) -> None:  # noqa: FBT001
    objects = [{"first": text}, {"text": text, "nested": {"text": [text]}}]
    for separator in ("", "\n", " \r\n\t "):
        body = separator.join(json.dumps(value, ensure_ascii=ascii_only) for value in ["x", *objects])
        assert last_object(body.encode()) == objects[-1]


@given(st.lists(OBJECTS, min_size=1, max_size=3), st.sampled_from(["", "\n", "  "]))
def test_any_objects_in_a_row(objects: list[dict[str, object]], separator: str) -> None:
    assert last_object(separator.join(json.dumps(value) for value in objects).encode()) == objects[-1]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"  \n",
        b"null",
        b"[]",
        b'"text"',
        b'{"a":1}[]',
        b'{"a":1} trailing',
        b'{"a":1}{"a":',
        b"{'a':1}",
        b'{"a":NaN}',
        b'{"a":-Infinity}',
        b'{"a":\xff}',
        b'{"a":"\xed\xa0\xbd"}',
        b"\xef\xbb\xbf{}",
        b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
        b"[" * 100_000,
        b'{"a":' + b"9" * 10_000 + b"}",
        b"<html>502 Bad Gateway</html>",
    ],
)
def test_rubbish_is_a_value_error(body: bytes) -> None:
    for parse in (last_object, parse_start, parse_status, parse_info, parse_crash):
        with pytest.raises(ValueError):  # noqa: PT011  # whichever it is
            parse(body)


@given(st.binary(max_size=60))
def test_any_bytes(body: bytes) -> None:
    with contextlib.suppress(ValueError):
        assert isinstance(last_object(body), dict)


def test_a_start_that_was_accepted() -> None:
    body = b'{"type":"success","bucketName":"remotionlambda-useast1-abc","renderId":"8sujb2vhuq","new":1}'
    assert parse_start(body) == Accepted.model_validate(
        {"bucketName": "remotionlambda-useast1-abc", "renderId": "8sujb2vhuq"}
    )


@pytest.mark.parametrize("render_id", ["", "../x", "a/b", "a b", None, 7])
def test_an_id_that_can_be_no_part_of_a_key(render_id: object) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # pydantic's own
        parse_start(json.dumps({"type": "success", "bucketName": "b", "renderId": render_id}).encode())


def test_a_start_that_was_refused() -> None:
    refused = parse_start(b'{"type":"error","message":"Version mismatch: \\ud83d","stack":"Error\\n at x"}')
    assert refused == Refused(message="Version mismatch: \ufffd", stack="Error\n at x")


def test_a_refusal_of_other_questions() -> None:
    body = b'{"type":"error","message":"no"}'
    assert parse_status(body) == parse_info(body) == Refused(message="no")


def test_info() -> None:
    assert parse_info(b'{"type":"success","version":"4.0.527"}') == InfoAnswer(version="4.0.527")


def test_a_crash() -> None:
    body = b'{"errorType":"Runtime.OutOfMemory","errorMessage":"RequestId: 1 Error: killed","trace":["a","b"]}'
    crash = parse_crash(body)
    assert (crash.error_type, crash.error_message) == ("Runtime.OutOfMemory", "RequestId: 1 Error: killed")
    assert parse_crash(b"{}") == Crash()


def test_a_status() -> None:
    answer = parse_status(
        b'{"type":"success","overallProgress":0.5,"done":false,"fatalErrorEncountered":false,"framesRendered":45,'
        b'"encodingStatus":{"framesEncoded":18,"combinedFrames":0,"timeToCombine":null},"errors":[],'
        b'"costs":{"accruedSoFar":0.001,"displayCost":"$0.001","currency":"USD","disclaimer":"x"},"outKey":null,'
        b'"renderMetadata":{"startedDate":1795331708343,"frameRange":[0,89],"everyNthFrame":2}}'
    )
    assert isinstance(answer, StatusAnswer)
    assert (answer.frames_rendered, answer.encoding_status.frames_encoded) == (45, 18)
    assert answer.costs.accrued_so_far == 0.001
    assert answer.render_metadata is not None
    assert answer.render_metadata.total_frames == 45
