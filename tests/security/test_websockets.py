"""Malicious and faulty WebSocket clients."""

import asyncio
import json
import socket as sockets
import struct
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

from services.runtime.adapters import open_embedded
from services.settings import load_settings
from tests.support.api_client import TEST_TIMEOUT_S, UPDATES, Client, open_client
from tests.support.api_server import rewired, serve, serve_faked
from tests.support.api_stream import open_socket, open_stream
from tests.support.fake_backend import FakeBackend

pytestmark = pytest.mark.asyncio(loop_scope="module")

ALLOWED_ORIGIN = "https://app.example"
PING_S = 0.3
MAX_OPERATIONS = 3
MAX_PER_USER = 4
MAX_PER_ADDRESS = 8
INIT = {"type": "connection_init", "payload": {"user": "ann"}}


@asynccontextmanager
async def serving(folder: Path, **given: object) -> AsyncIterator[str]:
    settings = load_settings(
        data_dir=folder,
        allowed_origins=f"https://other.example, {ALLOWED_ORIGIN}, capacitor://localhost, https://*.pages.example/",
        max_operations_per_connection=MAX_OPERATIONS,
        max_connections_per_user=MAX_PER_USER,
        max_connections_per_address=MAX_PER_ADDRESS,
        **given,
    )
    async with (
        open_embedded(settings) as services,
        serve(rewired(services, backend=FakeBackend()), send_buffer_bytes=4096) as url,
    ):
        yield url


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def url(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    async with serving(tmp_path_factory.mktemp("websockets")) as url:
        yield url


@pytest_asyncio.fixture(loop_scope="module")
async def ann(url: str) -> AsyncIterator[Client]:
    """A user. The server must still serve it after the test."""
    async with open_client(url, user="ann") as client:
        yield client
        await _until_served(client)


@pytest_asyncio.fixture(loop_scope="module")
async def pinged(tmp_path: Path) -> AsyncIterator[Client]:
    """A user of a server that soon disconnects those who send no pong, and must still serve it after the test."""
    async with serving(tmp_path, ping_interval_s=PING_S) as url, open_client(url, user="ann") as client:
        yield client
        await _until_served(client)


async def _until_served(client: Client) -> None:
    async with asyncio.timeout(TEST_TIMEOUT_S):
        while not await _is_served(client):  # noqa: ASYNC110  # the server has no event to wait for
            await asyncio.sleep(0.01)


async def _is_served(client: Client) -> bool:
    try:
        async with open_stream(client) as stream:
            await stream.subscribe("{ renderLimits { fps } }")
            return bool(await stream.next() == {"fps": 30})
    except (ConnectionClosed, InvalidStatus):
        return False  # until the server has noticed that other clients are disconnected


INVALID: dict[str, str | bytes] = {
    "nothing": "",
    "not JSON": "{",
    "a number": "7",
    "null": "null",
    "a list": "[]",
    "a text": '"subscribe"',
    "no type": "{}",
    "an unknown type": '{"type": "start"}',
    "a type of the wrong type": '{"type": ["subscribe"]}',
    "no id": '{"type": "subscribe", "payload": {"query": "{ __typename }"}}',
    "an id of the wrong type": '{"type": "subscribe", "id": 1, "payload": {"query": "{ __typename }"}}',
    "an empty id": '{"type": "subscribe", "id": "", "payload": {"query": "{ __typename }"}}',
    "a very long id": json.dumps({"type": "subscribe", "id": "x" * 1000, "payload": {"query": "{ __typename }"}}),
    "no payload": '{"type": "subscribe", "id": "1"}',
    "a payload that is null": '{"type": "subscribe", "id": "1", "payload": null}',
    "a payload that is a list": '{"type": "subscribe", "id": "1", "payload": []}',
    "no query": '{"type": "subscribe", "id": "1", "payload": {}}',
    "variables of the wrong type": '{"type": "subscribe", "id": "1", "payload": {"query": "{ a }", "variables": []}}',
    "a complete without an id": '{"type": "complete"}',
    "a ping with a list": '{"type": "ping", "payload": []}',
    "deep nesting": '{"type": "ping", "payload": {"a": ' + "[" * 10_000 + "]" * 10_000 + "}}",
    "a number of 5,000 digits": '{"type": "ping", "payload": {"a": ' + "9" * 5_000 + "}}",
    "binary": b'{"type": "ping"}',
}


@pytest.mark.parametrize("name", INVALID)
async def test_an_invalid_message_closes_the_connection_with_4400_and_without_a_traceback(
    ann: Client, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_stream(ann) as stream:
        await stream.connection.send(INVALID[name])
        assert await _close_code(stream.connection) == 4400
    assert "Traceback" not in caplog.text


@pytest.mark.parametrize("payload", [[], "x", 1, True])
async def test_an_invalid_init_payload_closes_the_connection_with_4400(ann: Client, payload: object) -> None:
    async with open_socket(ann.websocket_url) as socket:
        await socket.send(json.dumps({"type": "connection_init", "payload": payload}))
        assert await _close_code(socket) == 4400


@pytest.mark.parametrize("query", ["{", "", "{ nothing }", "query A { __typename } query B { __typename }", "\ud800"])
async def test_an_invalid_document_ends_its_operation_only(ann: Client, query: str) -> None:
    async with open_stream(ann) as stream:
        await stream.subscribe(UPDATES, "good")
        await stream.subscribe(query, "bad")
        message = await stream.receive()
        assert (message["type"], message["id"]) == ("error", "bad")
        assert message["payload"][0]["extensions"]["code"] == "BAD_USER_INPUT"
        await stream.subscribe("{ renderLimits { fps } }", "bad")
        assert await stream.next("bad") == {"fps": 30}


async def test_a_message_that_is_too_large_closes_the_connection(ann: Client) -> None:
    async with open_stream(ann) as stream:
        await stream.connection.send(json.dumps({"type": "ping", "payload": {"a": "x" * 300_000}}))
        assert await _close_code(stream.connection) == 1009


async def test_a_client_that_sends_nothing_is_closed_with_4408(tmp_path: Path) -> None:
    async with (
        serve_faked(tmp_path, {"connection_init_timeout_s": 0.05}) as url,
        open_client(url) as client,
        open_socket(client.websocket_url) as socket,
    ):
        assert await _close_code(socket) == 4408


async def test_operations_of_a_connection_are_limited(ann: Client) -> None:
    async with open_stream(ann) as stream:
        for number in range(MAX_OPERATIONS):
            await stream.subscribe(UPDATES, str(number))
        await stream.subscribe("{ renderLimits { fps } }", "one too many")
        message = await stream.receive()
        assert (message["type"], message["id"]) == ("error", "one too many")
        assert message["payload"][0]["extensions"]["code"] == "LIMIT_EXCEEDED"
        await stream.send(type="complete", id="0")
        await stream.subscribe("{ renderLimits { fps } }", "now")
        assert await stream.next("now") == {"fps": 30}


async def test_connections_of_a_user_and_of_an_address_are_limited(ann: Client) -> None:
    async with AsyncExitStack() as stack:
        for _ in range(MAX_PER_USER):
            await stack.enter_async_context(open_stream(ann))
        async with open_socket(ann.websocket_url) as socket:
            await socket.send(json.dumps(INIT))
            assert await _close_code(socket) == 1013
        for _ in range(MAX_PER_ADDRESS - MAX_PER_USER):
            await stack.enter_async_context(open_stream(Client(ann.http, user="bob")))
        with pytest.raises(InvalidStatus) as rejected:
            async with open_socket(ann.websocket_url):
                pass
        assert rejected.value.response.status_code == 429


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", f"{ALLOWED_ORIGIN}.evil.example", "http://app.example"]
)
async def test_pages_of_other_origins_are_rejected(ann: Client, origin: str) -> None:
    with pytest.raises(InvalidStatus) as rejected:
        async with open_socket(ann.websocket_url, origin=origin):
            pass
    assert rejected.value.response.status_code == 403


async def test_the_reason_of_a_rejected_origin_is_in_the_log_and_without_settings_in_the_response(
    ann: Client, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(InvalidStatus) as rejected:
        async with open_socket(ann.websocket_url, origin="https://evil.example"):
            pass
    body = (rejected.value.response.body or b"").decode()
    assert json.loads(body)["errors"][0]["extensions"]["code"] == "FORBIDDEN"
    assert "RENDERCAST" not in body
    (line,) = [record.getMessage() for record in caplog.records if "rejected" in record.getMessage()]
    host = str(ann.http.base_url).partition("//")[2].rstrip("/")
    assert all(text in line for text in ("'https://evil.example'", f"'{host}'", "RENDERCAST_ALLOWED_ORIGINS"))


async def test_a_client_without_a_known_subprotocol_is_logged(ann: Client, caplog: pytest.LogCaptureFixture) -> None:
    async with open_socket(ann.websocket_url, protocol=Subprotocol("graphql-ws")) as socket:
        assert await _close_code(socket) == 4406
    assert "['graphql-ws']" in caplog.text


async def test_pages_of_this_site_and_of_allowed_origins_are_accepted(ann: Client) -> None:
    listed = (ALLOWED_ORIGIN, "https://other.example", "capacitor://localhost", "https://pr-1.pages.example")
    for origin in (str(ann.http.base_url).rstrip("/"), *listed):
        async with open_socket(ann.websocket_url, origin=origin) as socket:
            await socket.send(json.dumps(INIT))
            assert json.loads(await socket.recv()) == {"type": "connection_ack"}


async def test_a_client_that_vanished_is_disconnected(pinged: Client) -> None:
    """It stops answering pings without closing. Its share of the connection limit is released."""
    vanished = [await _connect(pinged) for _ in range(MAX_PER_USER)]
    for writer in vanished:
        writer.transport.pause_reading()  # type: ignore[attr-defined]  # asyncio's own transport has it
    await _until_served(pinged)
    for writer in vanished:
        writer.close()


async def test_a_client_that_stops_reading_is_disconnected(pinged: Client) -> None:
    """The replies to it fill the server's buffers, which are small here."""
    writer = await _connect(pinged)
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    padding = "x" * 1000
    with pytest.raises(ConnectionError):  # noqa: PT012
        async with asyncio.timeout(TEST_TIMEOUT_S):
            while True:
                writer.write(_frame(json.dumps({"type": "ping", "payload": {"a": padding}})))
                await writer.drain()
    writer.close()


async def test_connections_reset_during_an_operation_log_no_error(
    ann: Client, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(20):
        async with open_stream(ann) as stream:
            await stream.subscribe(UPDATES)
            raw: Any = stream.connection.transport.get_extra_info("socket")
            raw.setsockopt(sockets.SOL_SOCKET, sockets.SO_LINGER, struct.pack("ii", 1, 0))
            stream.connection.transport.abort()
    assert "Traceback" not in caplog.text


async def _connect(client: Client) -> asyncio.StreamWriter:
    """Open a raw WebSocket as ann that doesn't answer pings."""
    host, port = str(client.http.base_url).partition("//")[2].rstrip("/").split(":")
    reader, writer = await asyncio.open_connection(host, int(port), limit=1024)
    writer.write(
        (
            f"GET /graphql HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            "Sec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n"
        ).encode()
    )
    assert b"101" in await reader.readline()
    writer.write(_frame(json.dumps(INIT)))
    await writer.drain()
    return writer


def _frame(text: str) -> bytes:
    """Return a masked text frame (RFC 6455, section 5.2), of less than 64 KiB."""
    payload = text.encode()
    length = bytes([0x80 | len(payload)]) if len(payload) < 126 else bytes([0xFE]) + struct.pack(">H", len(payload))
    return b"\x81" + length + bytes(4) + payload


async def _close_code(socket: ClientConnection) -> int:
    with pytest.raises(ConnectionClosed) as closed:  # noqa: PT012
        async with asyncio.timeout(TEST_TIMEOUT_S):
            while True:
                await socket.recv()
    assert closed.value.rcvd is not None
    return int(closed.value.rcvd.code)
