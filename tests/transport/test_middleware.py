"""Request ids in responses and in the log, and security headers."""

import asyncio
import json
import logging
import re
from collections.abc import Mapping

import pytest
from starlette.requests import HTTPConnection
from starlette.types import Message, Receive, Scope, Send

from commands.server.logs import CancellationFilter, JsonFormatter
from services.models import Identity
from services.observability.log_context import pseudonym
from tests.resolvers.test_errors import UNKNOWN_ID, CrashingStore, open_client_of
from tests.support.api_client import GET, PROGRESS, Client, open_client
from tests.support.api_server import rewired, serve
from tests.support.api_site import Site
from tests.support.api_stream import open_socket, open_stream
from transport.middleware import ResponseHeadersMiddleware
from transport.security_headers import SECURITY_HEADERS

pytestmark = pytest.mark.asyncio(loop_scope="module")

GENERATED_ID = re.compile(r"[0-9a-f]{16}")


@pytest.mark.parametrize("path", ["/healthz", "/missing"])
async def test_each_request_gets_its_own_id(site: Site, path: str) -> None:
    ids = {(await site.http.get(path)).headers["x-request-id"] for _ in range(3)}
    assert len(ids) == 3
    assert all(GENERATED_ID.fullmatch(each) for each in ids)


@pytest.mark.parametrize("given", ["x", "0f8fad5b-d9cb-469f-a165-70867728950e", "a" * 64, "A.b_c-9"])
async def test_a_valid_id_of_the_client_is_used(site: Site, given: str) -> None:
    assert (await site.http.get("/healthz", headers={"X-Request-ID": given})).headers["x-request-id"] == given


@pytest.mark.parametrize("given", ["", "a" * 65, "a b", 'a"', "a\tb", "ä", "a;b", "a\\nb", "{}", "${x}"])
async def test_an_invalid_id_of_the_client_is_replaced(site: Site, given: str) -> None:
    headers = {b"X-Request-ID": given.encode("latin-1")}
    assert GENERATED_ID.fullmatch((await site.http.get("/healthz", headers=headers)).headers["x-request-id"])


async def test_a_websocket_handshake_returns_an_id(site: Site) -> None:
    async with open_socket(Client(site.http).websocket_url) as socket:
        assert socket.response is not None
        assert GENERATED_ID.fullmatch(socket.response.headers["x-request-id"])


async def test_log_lines_contain_the_request_id_and_the_users_pseudonym(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.handler.setFormatter(JsonFormatter())
    async with open_client_of(site, CrashingStore()) as client:
        error = await client.error(GET, id=UNKNOWN_ID)
        (line,) = [json.loads(line) for line in caplog.text.splitlines() if '"error_id"' in line]
        assert line["error_id"] == error["extensions"]["id"]
        assert line["user_id"] == pseudonym(str(client.user))
        assert GENERATED_ID.fullmatch(line["request_id"])
        assert "RuntimeError" in line["exception"]


async def test_log_lines_of_a_websocket_contain_its_request_id_and_the_users_pseudonym(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.handler.setFormatter(JsonFormatter())
    async with open_client_of(site, CrashingStore()) as client, open_stream(client) as stream:
        assert stream.connection.response is not None
        request_id = stream.connection.response.headers["x-request-id"]
        await stream.subscribe(PROGRESS, id=UNKNOWN_ID)
        await stream.receive()
        (line,) = [json.loads(line) for line in caplog.text.splitlines() if '"error_id"' in line]
        assert (line["request_id"], line["user_id"]) == (request_id, pseudonym(str(client.user)))


async def crash(connection: HTTPConnection, params: Mapping[str, object]) -> Identity:
    del connection, params
    raise RuntimeError("a bug of ours")


async def test_the_response_to_a_crashed_request_has_security_headers_and_the_logged_id(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.handler.setFormatter(JsonFormatter())
    async with serve(rewired(site.services), authenticate=crash) as url, open_client(url) as client:
        response = await client.http.post("/graphql", json={"query": "{ __typename }"})
    assert response.status_code == 500
    assert {name: value.encode() for name, value in response.headers.items()}.items() >= {
        (name.decode(), value) for name, value in SECURITY_HEADERS
    }
    (line,) = [json.loads(line) for line in caplog.text.splitlines() if "a bug of ours" in line]
    assert line["request_id"] == response.headers["x-request-id"]


async def test_a_request_that_is_cancelled_by_the_servers_stop_gets_503() -> None:
    sent: list[Message] = []
    is_running = asyncio.Event()

    async def run_forever(scope: Scope, receive: Receive, send: Send) -> None:
        del scope, receive, send
        is_running.set()
        await asyncio.Event().wait()

    async def receive() -> Message:
        raise AssertionError

    async def send(message: Message) -> None:
        sent.append(message)

    middleware = ResponseHeadersMiddleware(run_forever)
    task = asyncio.create_task(middleware({"type": "http", "headers": []}, receive, send))
    await is_running.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (sent[0]["status"], b"x-request-id" in dict(sent[0]["headers"])) == (503, True)
    assert json.loads(sent[1]["body"])["errors"][0]["extensions"]["code"] == "SERVICE_UNAVAILABLE"


async def test_the_log_of_a_cancelled_request_is_one_line() -> None:
    error = asyncio.CancelledError()
    record = logging.LogRecord("uvicorn.error", logging.ERROR, "", 0, "Exception", (), (type(error), error, None))
    assert CancellationFilter().filter(record)
    assert (record.levelname, record.exc_info) == ("WARNING", None)
    assert "cancelled" in record.getMessage()
