"""Launches and last writes of the local Remotion Lambda server deviate as real ones do."""

import time
from collections.abc import Iterator
from contextlib import closing

import pytest
from botocore.exceptions import ClientError

from tests.support.held_videos import HeldVideos
from tests.support.lambda_driver import BUCKET, TIMEOUT_S, Driver, start_request, status_request
from tests.support.lambda_faults import Fault
from tests.support.lambda_function import NEVER_S
from tests.support.lambda_player import Webhooks
from tests.support.lambda_progress import JSON, OUTPUT
from tests.support.lambda_renders import Render, State
from tests.support.lambda_scenarios import Scenario
from tests.support.s3_server import S3Server

pytestmark = pytest.mark.slow

KEY = "rendercast/r-1.mp4"
OUT_NAME = {"bucketName": BUCKET, "key": KEY}
DELAY_S = 3.0  # of a launch: longer than a busy machine takes to read the file after the start


@pytest.fixture
def s3(s3_server: S3Server) -> S3Server:
    s3_server.make_bucket(BUCKET)
    return s3_server


@pytest.fixture
def server(s3: S3Server) -> Iterator[Driver]:
    s3.delete(BUCKET, KEY)
    with Driver(s3) as running, closing(running.client):
        yield running


def until_written(server: Driver, render: Render, name: str) -> None:
    """Wait until the progress file of an unfinished render has a value of this name."""
    until = time.monotonic() + TIMEOUT_S
    while not server.progress_of(render)[name]:
        assert not render.ended.is_set()
        assert time.monotonic() < until
        time.sleep(0.01)


def test_a_launch_is_delivered_later_and_its_timeout_counts_from_then(server: Driver) -> None:
    server.launch_next_after(DELAY_S)
    render = server.start_render()
    before = server.progress_of(render)
    assert not render.has_launched
    assert render.ended.wait(TIMEOUT_S)
    after = server.progress_of(render)
    assert after["postRenderData"]
    assert after["timeoutTimestamp"] - before["timeoutTimestamp"] >= 1000 * DELAY_S


def test_a_launch_may_never_be_delivered(server: Driver) -> None:
    server.launch_next_after()
    render = server.start_render()
    assert server.progress_of(render)["serveUrlOpened"] is None
    assert server.launches == []


@pytest.mark.parametrize("fault", [Fault.DROPPED, Fault.SERVICE_ERROR_LATE])
def test_a_launch_is_delivered_although_the_response_to_its_start_was_lost(server: Driver, fault: Fault) -> None:
    server.fault(fault)
    server.launch_next_after(0.2)
    with pytest.raises(Exception, match=r"Connection|ServiceException"):
        server.invoke(start_request(outName=OUT_NAME))
    (render,) = server.launches
    assert render.ended.wait(TIMEOUT_S)
    assert server.s3.get(BUCKET, KEY) == OUTPUT


def test_a_service_error_may_mean_that_nothing_runs(server: Driver) -> None:
    server.fault(Fault.SERVICE_ERROR)
    with pytest.raises(ClientError, match="ServiceException"):
        server.invoke(start_request())
    assert server.launches == []


def test_a_second_delivery_of_a_launch_finds_the_video_and_fails(server: Driver) -> None:
    server.launch_next_after(0, NEVER_S)
    server.start_render(outName=OUT_NAME)
    first, second = server.launches
    assert first.ended.wait(TIMEOUT_S)
    server.deliver(second)
    assert second.ended.wait(TIMEOUT_S)
    assert (first.state, second.state) == (State.COMPLETE, State.FAILED)
    progress = server.progress_of(second)
    assert progress["errors"][0]["name"] == "TypeError"
    assert "already exists" in progress["errors"][0]["message"]
    assert progress["renderMetadata"] is None
    assert server.s3.get(BUCKET, KEY) == OUTPUT


def test_an_empty_object_stops_a_launch_too(server: Driver) -> None:
    server.launch_next_after(NEVER_S)
    render = server.start_render(outName=OUT_NAME)
    server.s3.put(BUCKET, KEY, b"")
    server.deliver(render)
    assert render.ended.wait(TIMEOUT_S)
    assert "already exists" in server.progress_of(render)["errors"][0]["message"]
    assert server.s3.get(BUCKET, KEY) == b""


def test_a_launch_that_has_begun_replaces_an_empty_object(server: Driver, s3: S3Server) -> None:
    videos = server.s3 = HeldVideos(s3)
    render = server.start_render(outName=OUT_NAME)
    until_written(server, render, "renderMetadata")
    s3.put(BUCKET, KEY, b"")
    videos.release()
    assert render.ended.wait(TIMEOUT_S)
    assert server.s3.get(BUCKET, KEY) == OUTPUT


@pytest.mark.parametrize(("frames", "combined"), [(90, 45), (45, 22.5)])
def test_the_last_write_is_lost(server: Driver, frames: int, combined: float) -> None:
    server.use_scenario_next(Scenario.LOST_LAST_WRITE)
    render = server.start_render(frameRange=[0, frames - 1], outName=OUT_NAME)
    assert render.ended.wait(TIMEOUT_S)
    progress = server.progress_of(render)
    metadata = progress["renderMetadata"]
    assert progress["chunks"] == list(range(metadata["totalChunks"]))
    assert [progress[name] for name in ("framesRendered", "framesEncoded")] == [frames, frames]
    assert (progress["combinedFrames"], progress["timeToCombine"], progress["postRenderData"]) == (combined, None, None)
    assert server.s3.get(BUCKET, KEY) == OUTPUT
    assert render.state is State.COMPLETE


def test_the_file_may_say_complete_before_the_video_is_stored_or_without_it(server: Driver, s3: S3Server) -> None:
    server.use_scenario_next(Scenario.EARLY_POST_RENDER_DATA, Scenario.NO_OUTPUT)
    videos = server.s3 = HeldVideos(s3)
    early = server.start_render(outName=OUT_NAME)
    until_written(server, early, "postRenderData")
    assert server.s3.get(BUCKET, KEY) is None
    videos.release()
    assert early.ended.wait(TIMEOUT_S)
    assert server.s3.get(BUCKET, KEY) == OUTPUT
    assert server.play(outName=OUT_NAME | {"key": "none.mp4"})["postRenderData"]
    assert server.s3.get(BUCKET, "none.mp4") is None


def test_counts_may_be_fractions_and_fields_unknown(server: Driver) -> None:
    server.use_scenario_next(Scenario.FRACTIONAL_NUMBERS, Scenario.UNKNOWN_FIELDS)
    assert server.play()["framesRendered"] == 89.5
    assert server.play()["timings"] == {"0": {"start": "now"}}


def test_a_bucket_without_acls_rejects_videos_except_those_without_acl(server: Driver) -> None:
    server.acls_disabled = True
    rejected = server.play(outName=OUT_NAME)
    assert (rejected["errors"][0]["name"], rejected["postRenderData"]) == ("AccessControlListNotSupported", None)
    assert server.play(outName=OUT_NAME, privacy="no-acl")["postRenderData"]


def test_compositions_are_evaluated_with_the_given_properties(server: Driver) -> None:
    request = start_request() | {"type": "compositions", "inputProps": {"type": "payload", "payload": '{"fps":60}'}}
    response: JSON = server.invoke(request)
    found = response["compositions"][0]
    assert (response["type"], found["id"], found["fps"], found["durationInFrames"]) == (
        "success",
        "TextAnimation",
        60,
        90,
    )
    assert "getCompositionsOnLambda()" in server.invoke(request | {"version": "4.0.1"})["message"]


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (Fault.NO_NETWORK_INTERFACE, "ENILimitReachedException"),
        (Fault.SUBNET_FULL, "SubnetIPAddressLimitReachedException"),
        (Fault.EC2_THROTTLED, "EC2ThrottledException"),
        (Fault.EC2_UNEXPECTED, "EC2UnexpectedException"),
    ],
)
def test_the_limits_of_a_private_network_reject_an_invocation(server: Driver, fault: Fault, code: str) -> None:
    server.fault(fault)
    with pytest.raises(ClientError, match=code) as rejected:
        server.invoke(start_request())
    assert rejected.value.response["ResponseMetadata"]["HTTPStatusCode"] == 502
    assert server.launches == []


def test_a_lost_last_write_still_sends_the_success_webhook(server: Driver) -> None:
    server.webhooks = Webhooks.SENT
    server.use_scenario_next(Scenario.LOST_LAST_WRITE)
    render = server.start_render(webhook={"url": "http://127.0.0.1:1/x", "secret": "s", "customData": {}})
    assert render.ended.wait(TIMEOUT_S)
    assert server.invoke(status_request(render.id))["done"] is False
    while not server.webhooks_sent:
        assert render.state is State.COMPLETE
    assert b'"type":"success"' in server.webhooks_sent[0].body
