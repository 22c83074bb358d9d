"""The local Remotion Lambda server renders each format as the real one was observed to."""

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from tests.support.lambda_compositions import FORBIDDEN_TITLE, HIDDEN
from tests.support.lambda_driver import BUCKET, Driver, start_request, status_request, still_request
from tests.support.lambda_progress import JSON
from tests.support.progress_files import FORMAT_RECORDS
from tests.support.s3_server import S3Server

pytestmark = pytest.mark.slow

RENDERED = [record for record in FORMAT_RECORDS if "start" in record]
# The local Promo has twice the size of the recorded one.
SIZES = {"h264-portrait-60": 1}
PLACE = {"bucketName": BUCKET, "key": "rendercast/a-1.mp4"}


@pytest.fixture
def server(s3_server: S3Server) -> Iterator[Driver]:
    s3_server.make_bucket(BUCKET)
    for key in s3_server.keys(BUCKET, "rendercast/"):
        s3_server.delete(BUCKET, key)
    with Driver(s3_server) as running, closing(running.client):
        yield running


@pytest.mark.parametrize("record", RENDERED, ids=lambda record: record["name"])
def test_a_render_ends_as_the_recorded_one(server: Driver, record: dict[str, Any]) -> None:
    progress = server.play(**record["start"] | {"outName": PLACE})
    real = record["pairs"][-1]["progress"]
    metadata, expected = progress["renderMetadata"], real["renderMetadata"]
    assert metadata.keys() == expected.keys()
    same = ("frameRange", "everyNthFrame", "totalChunks", "framesPerLambda", "codec", "imageFormat", "muted", "scale")
    assert {name: metadata[name] for name in same} == {name: expected[name] for name in same}
    ratio = SIZES.get(record["name"], 2)
    assert metadata["dimensions"] == {side: ratio * value for side, value in expected["dimensions"].items()}
    counts = ("framesRendered", "framesEncoded", "combinedFrames", "lambdasInvoked")
    assert [progress[name] for name in counts] == [real[name] for name in counts]


def test_a_gif_reports_fractions_while_its_frames_are_combined(server: Driver) -> None:
    gif = next(record["start"] for record in RENDERED if record["name"] == "gif")
    render = server.start_render(**gif | {"outName": PLACE})
    assert render.ended.wait(30)
    assert any('"combinedFrames":22.5' in text for text in render.written)


def test_compositions_are_those_of_the_foreign_project(server: Driver) -> None:
    found = server.invoke(start_request() | {"type": "compositions", "inputProps": inline({})})["compositions"]
    assert [each["id"] for each in found] == ["TextAnimation", "Promo", "Card", "Plain", "Event", HIDDEN]
    assert set(found[-1]["props"]["compositions"]) == {"Promo", "Card", "Plain", "Event"}


def inline(props: JSON) -> JSON:
    return {"type": "payload", "payload": str(props).replace("'", '"')}


@pytest.mark.parametrize("kind", ["compositions", "still"])
def test_a_composition_that_raises_an_error_fails_the_invocation(server: Driver, kind: str) -> None:
    forbidden = {"inputProps": inline({"title": FORBIDDEN_TITLE}), "composition": "Promo"}
    response = server.invoke(still_request() | forbidden | {"type": kind})
    assert (response["type"], "forbidden" in response["message"]) == ("error", True)


def test_a_still_stores_its_metadata(server: Driver) -> None:
    response = server.invoke(still_request(composition="Card", frame=0, scale=2, inputProps=inline({})))
    text = server.s3.get(BUCKET, f"renders/{response['renderId']}/progress.json") or b""
    assert b'"dimensions":{"width":2400,"height":1260}' in text
    assert b'"postRenderData":null' in text


def test_the_credentials_of_another_storage_are_not_in_the_progress_file(server: Driver) -> None:
    provider = {"endpoint": "https://r2.example", "accessKeyId": "key", "secretAccessKey": "s3cret"}
    progress = server.play(outName=PLACE | {"s3OutputProvider": provider})
    metadata = progress["renderMetadata"]
    assert metadata["outName"]["s3OutputProvider"] == {"endpoint": "https://r2.example"}
    request = status_request(metadata["renderId"])
    assert "custom S3 implementation" in server.invoke(request | {"s3OutputProvider": None})["message"]
    assert server.invoke(request | {"s3OutputProvider": provider})["done"] is True
