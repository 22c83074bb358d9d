"""The local server for Remotion Lambda behaves as the real one was observed to."""

import hashlib
import hmac
import json
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, cast

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError, EndpointConnectionError, ReadTimeoutError
from mypy_boto3_lambda import LambdaClient

from tests.support.lambda_faults import Fault
from tests.support.lambda_player import Webhooks
from tests.support.lambda_progress import JSON
from tests.support.lambda_renders import Function, Render, State
from tests.support.lambda_scenarios import Scenario
from tests.support.lambda_server import FUNCTION, LambdaServer
from tests.support.lambda_status import status_response
from tests.support.lambda_stills import PICTURE
from tests.support.s3_server import LocalHandler, LocalServer, S3Server
from tests.support.server_process import free_port

BUCKET = "remotionlambda-useast1-abcdefghij"
RECORDED = Path(__file__).parent / "data" / "remotion-progress.jsonl"
PAIRS = [json.loads(line) for line in RECORDED.read_text().splitlines()]
TIMEOUT_S = 30.0
SESSION = boto3.Session("key", "secret", region_name="us-east-1")
ONCE = Config(retries={"total_max_attempts": 1}, read_timeout=TIMEOUT_S)
SHORT_TIMEOUT = Config(retries={"total_max_attempts": 1}, read_timeout=0.2)


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with S3Server(tmp_path_factory.mktemp("s3")) as server:
        server.make_bucket(BUCKET)
        yield server


class Driver(LambdaServer):
    """The server with a client."""

    def __init__(self, s3: S3Server) -> None:
        super().__init__(s3, seconds_per_render=0.05, steps=2)
        self.client: LambdaClient = SESSION.client("lambda", endpoint_url=self.url, config=ONCE)

    def reply(self, payload: JSON, client: LambdaClient | None = None) -> str:
        response = (client or self.client).invoke(FunctionName=FUNCTION, Payload=json.dumps(payload))
        with closing(response["Payload"]) as body:
            return body.read().decode()

    def invoke(self, payload: JSON) -> JSON:
        return cast("JSON", json.loads(self.reply(payload)))

    def start_render(self, text: str = "Hello", **changes: object) -> Render:
        return self.renders[self.invoke(start_request(text, **changes))["renderId"]]

    def play(self, text: str = "Hello", **changes: object) -> JSON:
        """Start a render, wait for its end and return its file."""
        render = self.start_render(text, **changes)
        assert render.ended.wait(TIMEOUT_S)
        return self.progress_of(render)

    def progress_of(self, render: Render) -> JSON:
        text = self.s3.get(BUCKET, render.key("progress.json"))
        assert text is not None
        return cast("JSON", json.loads(text))


@pytest.fixture
def server(s3: S3Server) -> Iterator[Driver]:
    with Driver(s3) as running, closing(running.client):
        yield running


def start_request(text: str = "Hello", **changes: object) -> JSON:
    props = json.dumps({"text": text, "durationInFrames": 90})
    optional = dict.fromkeys(["frameRange", "audioCodec", "concurrency", "framesPerLambda", "outName", "webhook"])
    return optional | {
        "type": "start",
        "version": "4.0.527",
        "serveUrl": "https://example.com/index.html",
        "composition": "TextAnimation",
        "inputProps": {"type": "payload", "payload": props},
        "codec": "h264",
        "envVariables": {},
        "privacy": "private",
        "timeoutInMilliseconds": 30_000,
        "everyNthFrame": 1,
        "concurrencyPerLambda": 1,
        "downloadBehavior": {"type": "play-in-browser"},
        "scale": 1,
        "enableCancellation": True,
        "bucketName": BUCKET,
        **changes,
    }


def shape(value: JSON) -> dict[str, type]:
    return {name: type(each) for name, each in value.items()}


def status_request(render_id: str) -> JSON:
    return {"type": "status", "version": "4.0.527", "bucketName": BUCKET, "renderId": render_id}


def test_a_render_writes_the_same_file_as_a_real_one(server: Driver) -> None:
    progress = server.play()
    real = next(pair["progress"] for pair in PAIRS if pair["progress"]["lambdasInvoked"] and pair["expected"]["done"])
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
    assert shape(progress) == shape(PAIRS[0]["progress"])


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair["name"])
def test_the_status_equals_that_of_the_official_client(pair: dict[str, Any]) -> None:
    function = Function(pair["functionName"], "4.0.527", 2048, 240_000, frozenset(), lambda: int(pair["nowMs"]))
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
    real = next(error for pair in PAIRS for error in pair["progress"]["errors"])
    assert message in fatal["message"]
    assert set(fatal) == set(real)
    assert set(progress) == set(PAIRS[0]["progress"])
    assert progress["postRenderData"] is None
    assert progress["fatalErrorTimestamp"]


def still_request(**changes: object) -> JSON:
    stored = {"bucketName": BUCKET, "key": "p.jpg"}
    return start_request() | {"type": "still", "streamed": False, "frame": 89, "outName": stored, **changes}


def test_a_still_replaces_an_existing_object_before_the_response(server: Driver) -> None:
    for _ in range(2):
        server.s3.put(BUCKET, "p.jpg", b"another")
        response = server.invoke(still_request())
        assert (response["type"], response["outKey"], response["sizeInBytes"]) == ("success", "p.jpg", len(PICTURE))
        assert response["estimatedPrice"]["accruedSoFar"] > 0
        assert server.s3.get(BUCKET, "p.jpg") == PICTURE
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


CODES = [
    (Fault.THROTTLED, "TooManyRequestsException", 429),
    (Fault.SERVICE_ERROR, "ServiceException", 500),
    (Fault.ACCESS_DENIED, "AccessDeniedException", 403),
    (Fault.EXPIRED_TOKEN, "ExpiredTokenException", 403),
]


@pytest.mark.parametrize(("fault", "code", "status"), CODES)
def test_the_service_rejects_an_invocation(server: Driver, fault: Fault, code: str, status: int) -> None:
    server.fault(fault)
    with pytest.raises(ClientError) as refused:
        server.invoke(start_request())
    assert refused.value.response["Error"]["Code"] == code
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == status
    assert not server.renders
    assert server.invoke(start_request())["type"] == "success"
    assert len(server.starts) == 2


def test_the_function_returns_an_error_or_crashes(server: Driver) -> None:
    server.fault(Fault.REFUSED, message="Not today.")
    assert (server.invoke(start_request())["type"], len(server.renders)) == ("error", 0)
    for fault, renders in ((Fault.CRASHED, 0), (Fault.CRASHED_LATE, 1)):
        server.fault(fault)
        response = server.client.invoke(FunctionName=FUNCTION, Payload=json.dumps(start_request()))
        with closing(response["Payload"]) as body:
            assert set(json.loads(body.read())) == {"errorType", "errorMessage", "trace"}
        assert (response["FunctionError"], len(server.renders)) == ("Unhandled", renders)


def test_a_response_is_lost_but_the_render_runs(server: Driver) -> None:
    server.fault(Fault.DROPPED)
    with pytest.raises(ConnectionClosedError):
        server.invoke(start_request())
    assert len(server.renders) == 1
    server.fault(Fault.HELD)
    short_timeout_client = SESSION.client("lambda", endpoint_url=server.url, config=SHORT_TIMEOUT)
    with closing(short_timeout_client), pytest.raises(ReadTimeoutError):
        server.reply(start_request(), short_timeout_client)
    until = time.monotonic() + TIMEOUT_S
    while len(server.renders) == 1:
        assert time.monotonic() < until


def test_a_response_is_unusual(server: Driver) -> None:
    server.fault(Fault.SEVERAL_OBJECTS)
    server.fault(Fault.ECHOED)
    server.fault(Fault.SLOW, seconds=0.01)
    decode = json.JSONDecoder().raw_decode
    text = server.reply(start_request())
    first, end = decode(text)
    assert (first["type"], decode(text[end:])[0]["type"]) == ("render-id-determined", "success")
    assert "Hello {" in server.reply(start_request(text="Hello {"))
    assert server.invoke(start_request())["type"] == "success"


def test_connections_are_refused_while_renders_continue(server: Driver) -> None:
    render = server.start_render()
    server.go_offline()
    with pytest.raises((EndpointConnectionError, ConnectionClosedError)):
        server.invoke(status_request(render.id))
    assert render.ended.wait(TIMEOUT_S)
    server.go_online()
    assert server.invoke(status_request(render.id))["done"]


class Receiver(LocalHandler):
    def do_POST(self) -> None:  # noqa: N802 - http.server looks for this name
        box = cast("WebhookCollector", cast("LocalServer", self.server).owner)
        box.received.append((dict(self.headers), self.body()))
        self.answer(503 if len(box.received) <= box.refuses else 200, [], b"")
        box.arrived.release()


class WebhookCollector:
    """Receives webhooks; responds with 503 to the first `refuses` of them."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}/hook?a=b"
        self.refuses = 0
        self.received: list[tuple[dict[str, str], bytes]] = []
        self.arrived = threading.Semaphore(0)


@pytest.fixture
def collector() -> Iterator[WebhookCollector]:
    port = free_port()
    box = WebhookCollector(port)
    listener = LocalServer(port, Receiver, box)
    yield box
    listener.stop()


def test_a_webhook_is_signed(server: Driver, collector: WebhookCollector) -> None:
    hook = {"url": collector.url, "secret": "s", "customData": {"a": 1}}
    render_id = server.play(webhook=hook)["renderMetadata"]["renderId"]
    assert collector.arrived.acquire(timeout=TIMEOUT_S)
    headers, body = collector.received[0]
    assert headers["X-Remotion-Signature"] == "sha512=" + hmac.new(b"s", body, hashlib.sha512).hexdigest()
    assert headers["X-Remotion-Status"] == json.loads(body)["type"] == "success"
    assert json.loads(body)["renderId"] == render_id
    assert json.loads(body)["customData"] == {"a": 1}


def test_webhooks_are_retried_sent_twice_and_sent_early(server: Driver, collector: WebhookCollector) -> None:
    hook = {"url": collector.url, "secret": None, "customData": None}
    collector.refuses = 1
    server.use_scenario_next(Scenario.REACT_ERROR)
    server.play(webhook=hook)
    server.webhooks = Webhooks.DOUBLED
    server.play(webhook=hook)
    for _ in range(4):
        assert collector.arrived.acquire(timeout=TIMEOUT_S)
    server.webhooks = Webhooks.EARLY
    server.play(webhook=hook)
    server.webhooks = Webhooks.LOST
    server.play(webhook=hook)
    assert sorted(json.loads(body)["type"] for _, body in collector.received) == ["error"] * 2 + ["success"] * 3
    assert server.webhooks_sent[-1].headers["X-Remotion-Signature"] == "NO_SECRET_PROVIDED"
    assert {sent.status for sent in server.webhooks_sent} == {200, 503}


def test_a_webhook_that_is_not_ascii_never_arrives(server: Driver, collector: WebhookCollector) -> None:
    hook = {"url": collector.url, "secret": None, "customData": {"name": "é"}}
    server.play(webhook=hook)
    server.stop()
    assert not collector.received


def test_many_renders_run_at_once(server: Driver) -> None:
    server.steps, server.seconds_per_render = 1, 0.0
    started = [server.start_render() for _ in range(50)]
    assert all(render.ended.wait(TIMEOUT_S) for render in started)
    assert {render.state for render in started} == {State.COMPLETE}
