"""Error responses and webhooks of the local Remotion Lambda server are as those of the real one were observed."""

import hashlib
import hmac
import json
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from typing import cast

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError, EndpointConnectionError, ReadTimeoutError

from tests.support.lambda_driver import (
    BUCKET,
    SESSION,
    SHORT_TIMEOUT,
    TIMEOUT_S,
    Driver,
    start_request,
    status_request,
)
from tests.support.lambda_faults import Fault
from tests.support.lambda_player import Webhooks
from tests.support.lambda_scenarios import Scenario
from tests.support.lambda_server import FUNCTION
from tests.support.local_server import LocalHandler, LocalServer
from tests.support.s3_server import S3Server
from tests.support.server_process import free_port

pytestmark = pytest.mark.slow


@pytest.fixture
def s3(s3_server: S3Server) -> S3Server:
    s3_server.make_bucket(BUCKET)
    return s3_server


@pytest.fixture
def server(s3: S3Server) -> Iterator[Driver]:
    with Driver(s3) as running, closing(running.client):
        yield running


CODES = [
    (Fault.THROTTLED, "TooManyRequestsException", 429),
    (Fault.SERVICE_ERROR, "ServiceException", 500),
    (Fault.ACCESS_DENIED, "AccessDeniedException", 403),
    (Fault.EXPIRED_TOKEN, "ExpiredTokenException", 403),
]


@pytest.mark.parametrize(("fault", "code", "status"), CODES)
def test_the_service_rejects_an_invocation(server: Driver, fault: Fault, code: str, status: int) -> None:
    server.fault(fault)
    with pytest.raises(ClientError) as rejected:
        server.invoke(start_request())
    assert rejected.value.response["Error"]["Code"] == code
    assert rejected.value.response["ResponseMetadata"]["HTTPStatusCode"] == status
    assert not server.renders
    assert server.invoke(start_request())["type"] == "success"
    assert len(server.starts) == 2


def test_the_function_returns_an_error_or_crashes(server: Driver) -> None:
    server.fault(Fault.REJECTED, message="Not today.")
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
        self.respond(503 if len(box.received) <= box.rejects else 200, [], b"")
        box.arrived.release()


class WebhookCollector:
    """Receives webhooks; responds with 503 to the first `rejects` of them."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}/hook?a=b"
        self.rejects = 0
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
    collector.rejects = 1
    server.use_scenario_next(Scenario.REACT_ERROR)
    server.play(webhook=hook)
    for _ in range(2):
        assert collector.arrived.acquire(timeout=TIMEOUT_S)
    server.webhooks = Webhooks.DOUBLED
    server.play(webhook=hook)
    for _ in range(2):
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
