"""Renders, stills and the status of the local Remotion Lambda server are as those of the real one were observed."""

import json
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from services.media import OutputFormat
from tests.support.lambda_driver import BUCKET, TIMEOUT_S, Driver, start_request, status_request, still_request
from tests.support.lambda_progress import JSON
from tests.support.lambda_renders import Function, State
from tests.support.lambda_scenarios import Scenario
from tests.support.lambda_status import status_response
from tests.support.outputs import make_output
from tests.support.progress_files import GOLDEN
from tests.support.s3_server import S3Server

PICTURE = make_output(OutputFormat.JPEG)

pytestmark = pytest.mark.slow


@pytest.fixture
def s3(s3_server: S3Server) -> S3Server:
    s3_server.make_bucket(BUCKET)
    return s3_server


@pytest.fixture
def server(s3: S3Server) -> Iterator[Driver]:
    with Driver(s3) as running, closing(running.client):
        yield running


def shape(value: JSON) -> dict[str, type]:
    return {name: type(each) for name, each in value.items()}


def test_a_render_writes_the_same_file_as_a_real_one(server: Driver) -> None:
    progress = server.play()
    real = next(pair["progress"] for pair in GOLDEN if pair["progress"]["lambdasInvoked"] and pair["expected"]["done"])
    assert shape(progress) == shape(real)
    for part in ("renderMetadata", "postRenderData"):
        assert shape(progress[part]) == shape(real[part])
    same = ("framesRendered", "framesEncoded", "combinedFrames", "lambdasInvoked")
    assert [progress[name] for name in same] == [real[name] for name in same]
    assert progress["renderMetadata"]["framesPerLambda"] == 18
    assert server.s3.get(BUCKET, f"renders/{progress['renderMetadata']['renderId']}/out.mp4")


def test_the_file_exists_before_the_response_to_a_start(server: Driver) -> None:
    server.seconds_per_render = 1000
    progress = server.progress_of(server.start_render())
    assert shape(progress) == shape(GOLDEN[0]["progress"])


@pytest.mark.parametrize("pair", GOLDEN, ids=lambda pair: pair["name"])
def test_the_status_equals_that_of_the_official_client(pair: dict[str, Any]) -> None:
    function = Function(pair["functionName"], "4.0.527", 2048, 240_000, lambda: int(pair["nowMs"]))
    response = status_response(function, pair["progress"], pair, None)
    response["accruedSoFarUsd"] = response["costs"]["accruedSoFar"]
    expected = dict(pair["expected"])
    errors = expected.pop("errors")
    assert {name: response[name] for name in expected} == pytest.approx(expected)
    assert [(error["name"], error["isFatal"], error["chunk"]) for error in response["errors"]] == [
        (error["name"], error["isFatal"], error["chunk"]) for error in errors
    ]


def test_status_follows_a_render(server: Driver) -> None:
    render_id = server.play()["renderMetadata"]["renderId"]
    response = server.invoke(status_request(render_id))
    assert (response["done"], response["overallProgress"], response["outKey"]) == (
        True,
        1,
        f"renders/{render_id}/out.mp4",
    )
    assert "No render with ID" in server.invoke(status_request("nonesuch"))["message"]
    assert server.invocations == {"start": 1, "status": 2}


def test_a_wrong_version_function_or_bucket_is_rejected(server: Driver) -> None:
    assert server.invoke({"type": "info"}) == {"version": "4.0.527", "type": "success"}
    assert "has version 4.0.1" in server.invoke(start_request(version="4.0.1"))["message"]
    assert server.invoke(start_request(bucketName="nonesuch"))["message"] == "The specified bucket does not exist"
    with pytest.raises(server.client.exceptions.ResourceNotFoundException, match="Function not found: arn:aws:lambda"):
        server.client.invoke(FunctionName="nonesuch", Payload=b"{}")


ENDINGS = [
    (Scenario.SITE_UNREACHABLE, "net::ERR_CONNECTION_REFUSED"),
    (Scenario.UNKNOWN_COMPOSITION, "Could not find composition"),
    (Scenario.BAD_PROPS, "durationInFrames"),
    (Scenario.RENDERERS_THROTTLED, "AWS Concurrency limit reached (Original Error: Rate Exceeded.)"),
    (Scenario.REACT_ERROR, 'Unknown style: "bogus"'),
    (Scenario.BROWSER_CRASH, "Target closed."),
    (Scenario.DISK_FULL, "ENOSPC"),
]


@pytest.mark.parametrize(("scenario", "message"), ENDINGS)
def test_a_render_fails(server: Driver, scenario: Scenario, message: str) -> None:
    server.use_scenario_for_text("bad", scenario)
    progress = server.play(text="a bad one")
    fatal = next(error for error in progress["errors"] if error["isFatal"])
    real = next(error for pair in GOLDEN for error in pair["progress"]["errors"])
    assert message in fatal["message"]
    assert set(fatal) == set(real)
    assert set(progress) == set(GOLDEN[0]["progress"])
    assert progress["postRenderData"] is None
    assert progress["fatalErrorTimestamp"]


def test_a_still_replaces_an_existing_object_before_the_response(server: Driver) -> None:
    for _ in range(2):
        server.s3.put(BUCKET, "p.jpeg", b"another")
        response = server.invoke(still_request())
        assert (response["type"], response["outKey"], response["sizeInBytes"]) == ("success", "p.jpeg", len(PICTURE))
        assert response["estimatedPrice"]["accruedSoFar"] > 0
        assert server.s3.get(BUCKET, "p.jpeg") == PICTURE
        assert server.s3.keys(BUCKET, f"renders/{response['renderId']}/") == [
            f"renders/{response['renderId']}/progress.json"
        ]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": "4.0.1"}, "renderStillOnLambda()"),
        ({"composition": "Nothing"}, "Could not find composition"),
        ({"frame": 90}, "Cannot use frame 90"),
        ({"timeoutInMilliseconds": 6_999}, "at least 7000"),
        ({"bucketName": "none"}, "The specified bucket does not exist"),
    ],
)
def test_an_invalid_still_is_rejected(server: Driver, change: JSON, message: str) -> None:
    response = server.invoke(still_request(**{"outName": None, **change}))
    assert response["type"] == "error"
    assert message in response["message"]


def test_a_missing_key_or_an_existing_output_fails_the_render(server: Driver) -> None:
    payload = start_request()
    del payload["privacy"]
    render = server.renders[server.invoke(payload)["renderId"]]
    assert render.ended.wait(TIMEOUT_S)
    assert "privacy" in server.progress_of(render)["errors"][0]["message"]
    taken = {"bucketName": BUCKET, "key": "videos/a.mp4"}
    assert server.play(outName=taken)["postRenderData"]["outputFile"].endswith("/videos/a.mp4")
    assert "already exists" in server.play(outName=taken)["errors"][0]["message"]


@pytest.mark.parametrize("scenario", [Scenario.LAUNCH_DIES, Scenario.STITCHER_TIMES_OUT, Scenario.NO_POST_RENDER_DATA])
def test_a_render_stalls(server: Driver, scenario: Scenario) -> None:
    server.use_scenario_next(scenario)
    progress = server.play()
    assert (progress["postRenderData"], progress["errors"]) == (None, [])
    assert (progress["renderMetadata"] is None) == (scenario is Scenario.LAUNCH_DIES)
    assert (progress["timeToCombine"] is not None) == (scenario is Scenario.NO_POST_RENDER_DATA)


def frames_seen(server: Driver, scenario: Scenario) -> list[int | None]:
    """Return the numbers of frames in the successive contents of a render's file; None for corrupt content."""
    server.use_scenario_next(scenario)
    progress = server.play()
    assert progress["postRenderData"]
    written = server.renders[progress["renderMetadata"]["renderId"]].written
    return [json.loads(text)["framesRendered"] if text.endswith("}") else None for text in written]


def test_the_frames_of_a_chunk_are_rendered_again(server: Driver) -> None:
    seen = frames_seen(server, Scenario.CHUNK_RETRIED)
    assert seen == [0, 0, 45, 27, 45, 90, 90, 90]


def test_the_file_is_temporarily_corrupt(server: Driver) -> None:
    assert frames_seen(server, Scenario.CORRUPT_FILE) == [0, 0, None, None, None, 45, 90, 90, 90]


def test_a_hanging_chunk_can_be_cancelled(server: Driver) -> None:
    server.use_scenario_next(Scenario.CHUNK_HANGS)
    render = server.start_render()
    while server.progress_of(render)["framesRendered"] < 72:
        assert render.state is State.RUNNING
    server.s3.put(BUCKET, render.key("cancel.json"), b'{"cancelledAt":1}')
    assert render.ended.wait(TIMEOUT_S)
    cancelled, stitcher = server.progress_of(render)["errors"]
    assert cancelled["message"] == "renderMedia() got cancelled"
    assert stitcher["message"].startswith("Error: renderMedia() got cancelled\n")


def test_uploaded_properties_are_deleted_afterwards(server: Driver) -> None:
    server.s3.put(BUCKET, "input-props/abc.json", json.dumps({"durationInFrames": 40}).encode())
    url = {"type": "bucket-url", "hash": "abc", "bucketName": BUCKET}
    assert server.play(inputProps=url)["framesRendered"] == 40
    assert server.s3.keys(BUCKET, "input-props/") == []


def test_one_chunk_is_rendered_by_the_main_function(server: Driver) -> None:
    progress = server.play(concurrency=1)
    assert (progress["lambdasInvoked"], progress["timeToCombine"], progress["chunks"]) == (0, None, [0])


def test_many_renders_run_at_once(server: Driver) -> None:
    server.steps, server.seconds_per_render = 1, 0.0
    started = [server.start_render() for _ in range(50)]
    assert all(render.ended.wait(TIMEOUT_S) for render in started)
    assert {render.state for render in started} == {State.COMPLETE}
