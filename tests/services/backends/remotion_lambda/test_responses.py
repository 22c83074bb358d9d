import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.backends.remotion_lambda.responses import (
    ErrorResponse,
    FunctionCrash,
    InfoResponse,
    StartResponse,
    StatusResponse,
    last_object,
    parse_crash,
    parse_info,
    parse_start,
    parse_status,
)

TEXTS = ["Hello {", '"}', "}{", "\u2028\u2029", "😀", "\\", '\\"', "\x00", "]["]
OBJECTS = st.dictionaries(
    st.text(), st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=5), max_size=4
)


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("ascii_only", [True, False])
def test_the_last_of_several_objects_is_returned(text: str, ascii_only: bool) -> None:  # noqa: FBT001
    objects = [{"first": text}, {"text": text, "nested": {"text": [text]}}]
    for separator in ("", "\n", " \r\n\t "):
        body = separator.join(json.dumps(value, ensure_ascii=ascii_only) for value in ["x", *objects])
        assert last_object(body.encode()) == objects[-1]


@pytest.mark.slow
@given(st.lists(OBJECTS, min_size=1, max_size=3), st.sampled_from(["", "\n", "  "]))
def test_any_concatenated_objects_are_parsed(objects: list[dict[str, object]], separator: str) -> None:
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
def test_an_invalid_body_raises_value_error(body: bytes) -> None:
    for parse in (last_object, parse_start, parse_status, parse_info, parse_crash):
        with pytest.raises(ValueError):  # noqa: PT011  # of several kinds
            parse(body)


@given(st.binary(max_size=60))
def test_any_bytes_are_parsed_or_raise_value_error(body: bytes) -> None:
    with contextlib.suppress(ValueError):
        assert isinstance(last_object(body), dict)


def test_a_start_response_is_parsed() -> None:
    body = b'{"type":"success","bucketName":"remotionlambda-useast1-abc","renderId":"8sujb2vhuq","new":1}'
    assert parse_start(body) == StartResponse.model_validate(
        {"bucketName": "remotionlambda-useast1-abc", "renderId": "8sujb2vhuq"}
    )


@pytest.mark.parametrize("render_id", ["", "../x", "a/b", "a b", None, 7])
def test_an_id_that_is_unsafe_in_a_key_is_rejected(render_id: object) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # pydantic's own
        parse_start(json.dumps({"type": "success", "bucketName": "b", "renderId": render_id}).encode())


def test_an_error_response_to_a_start_is_parsed() -> None:
    response = parse_start(b'{"type":"error","message":"Version mismatch: \\ud83d","stack":"Error\\n at x"}')
    assert response == ErrorResponse(message="Version mismatch: \ufffd", stack="Error\n at x")


def test_an_error_response_to_other_requests_is_parsed() -> None:
    body = b'{"type":"error","message":"no"}'
    assert parse_status(body) == parse_info(body) == ErrorResponse(message="no")


def test_info_is_parsed() -> None:
    assert parse_info(b'{"type":"success","version":"4.0.527"}') == InfoResponse(version="4.0.527")


def test_a_crash_is_parsed() -> None:
    body = b'{"errorType":"Runtime.OutOfMemory","errorMessage":"RequestId: 1 Error: killed","trace":["a","b"]}'
    crash = parse_crash(body)
    assert (crash.error_type, crash.error_message) == ("Runtime.OutOfMemory", "RequestId: 1 Error: killed")
    assert parse_crash(b"{}") == FunctionCrash()


def test_a_status_is_parsed() -> None:
    status = parse_status(
        b'{"type":"success","overallProgress":0.5,"done":false,"fatalErrorEncountered":false,"framesRendered":45,'
        b'"encodingStatus":{"framesEncoded":18,"combinedFrames":0,"timeToCombine":null},"errors":[],'
        b'"costs":{"accruedSoFar":0.001,"displayCost":"$0.001","currency":"USD","disclaimer":"x"},"outKey":null,'
        b'"renderMetadata":{"startedDate":1795331708343,"frameRange":[0,89],"everyNthFrame":2}}'
    )
    assert isinstance(status, StatusResponse)
    assert (status.frames_rendered, status.encoding_status.frames_encoded) == (45, 18)
    assert status.costs.accrued_so_far == 0.001
    assert status.render_metadata is not None
    assert status.render_metadata.total_frames == 45
