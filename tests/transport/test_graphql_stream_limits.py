"""Limits of GraphQL over SSE and multipart subscriptions, and how the server ends them."""

import asyncio
import itertools
import json
import socket
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Scope
from strawberry.types.graphql import OperationType

from resolvers.context import Context
from resolvers.execution.fast_path import TextWriter, reject_text
from resolvers.schema import build_schema
from services.models import Caller, Identity, Render, RenderStatus
from services.runtime.adapters import open_embedded
from services.runtime.services import Services
from services.settings import default_settings, load_settings
from tests.support.api_client import TEST_TIMEOUT_S, Client, open_client
from tests.support.api_server import rewired, serve
from tests.support.api_stream import open_socket
from tests.support.fake_backend import FakeBackend
from tests.support.fake_clock import settle
from tests.support.http_stream import EVENT_STREAM, MULTIPART, open_http_stream
from tests.support.memory_store import copy_of
from tests.support.waiting import wait_until
from transport import uvicorn_http
from transport.graphql_stream import GraphQLStreams, StreamedRequest
from transport.open_stream import ShutdownListener, extensions_of
from transport.operation_request import OperationRequest
from transport.operations import OperationRunner
from transport.stream_formats import EVENT_STREAM as EVENT_STREAM_FORMAT

UPDATES = "subscription { renderUpdates { id revision status } }"
SMALL_BUFFER = 4096
END = {"type": "http.response.body", "body": b"", "more_body": False}
STATES = 10_000  # more than the buffers between the server and a client that doesn't read
KEEP_ALIVES = {EVENT_STREAM: ":", MULTIPART: "{}"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A server with one user, who owns one queued render."""

    services: Services
    client: Client
    render: Render

    async def publish(self, *, revision: int, status: RenderStatus = RenderStatus.RENDERING) -> None:
        await self.services.hub.publish(copy_of(self.render, revision=revision, status=status))

    async def until_unsubscribed(self) -> None:
        await wait_until(lambda: not self.services.hub._channels)


class Connection:
    """A connection whose response is a stream."""

    on_shutdown: ShutdownListener

    def open_stream(self, on_shutdown: ShutdownListener) -> TextWriter:
        self.on_shutdown = on_shutdown
        return reject_text


@asynccontextmanager
async def open_server(
    folder: Path, *, expires_after: timedelta | None = None, send_buffer_bytes: int | None = None, **settings: object
) -> AsyncIterator[Server]:
    """Serve with these settings. The user's identity for a stream expires after this time."""

    async def user(connection: HTTPConnection, params: Mapping[str, object]) -> Identity:
        del params
        is_stream = connection.headers.get("accept") == EVENT_STREAM
        expires_at = services.clock.now() + expires_after if expires_after and is_stream else None
        return Identity(caller=Caller(id="ann"), expires_at=expires_at)

    async with open_embedded(load_settings(data_dir=folder, **settings)) as embedded:
        services = rewired(embedded, backend=FakeBackend(capacity=0))
        async with (
            serve(services, authenticate=user, send_buffer_bytes=send_buffer_bytes) as url,
            open_client(url) as client,
        ):
            render = await services.store.get(await client.start_render(), owner="ann")
            assert render is not None
            yield Server(services=services, client=client, render=render)


@pytest.mark.parametrize("accept", [EVENT_STREAM, MULTIPART])
async def test_keep_alives_are_sent_between_results(tmp_path: Path, accept: str) -> None:
    async with (
        open_server(tmp_path, ping_interval_s=0.05) as server,
        open_http_stream(server.client, UPDATES, accept=accept) as stream,
    ):
        await stream.next()
        assert [await stream.message() for _ in range(2)] == [KEEP_ALIVES[accept]] * 2
        await server.publish(revision=2)
        assert (await stream.next())["revision"] == 2


async def test_streams_and_websockets_share_the_users_limit(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with open_server(tmp_path, max_connections_per_user=2) as server, AsyncExitStack() as stack:
        await (await stack.enter_async_context(open_http_stream(server.client, UPDATES))).next()
        async with open_socket(server.client.websocket_url) as websocket:
            await websocket.send(json.dumps({"type": "connection_init"}))
            assert json.loads(await websocket.recv()) == {"type": "connection_ack"}
            headers = {"Accept": EVENT_STREAM}
            rejected = await server.client.http.post("/graphql", json={"query": UPDATES}, headers=headers)
            assert (rejected.status_code, rejected.headers["retry-after"]) == (429, "5")
            assert rejected.json()["errors"][0]["extensions"] == {"code": "LIMIT_EXCEEDED"}
            assert "rejected a stream: its user has 2 connections" in caplog.text
            assert await server.client.execute("{ renderLimits { fps } }") == {"fps": 30}
        async with asyncio.timeout(TEST_TIMEOUT_S):
            while True:
                async with open_http_stream(server.client, UPDATES) as second:
                    if second.response.status_code == 200:
                        break


async def test_the_expiry_of_the_token_is_the_last_result(tmp_path: Path) -> None:
    async with (
        open_server(tmp_path, expires_after=timedelta(seconds=0.5)) as server,
        open_http_stream(server.client, UPDATES) as stream,
    ):
        results = []
        while (result := await stream.result()) is not None:
            results.append(result)
        assert [error["extensions"] for error in results[-1]["errors"]] == [{"code": "UNAUTHENTICATED"}]
        assert "expired" in results[-1]["errors"][0]["message"]
        assert not stream.is_at_end  # it was complete
        assert await stream.message() is None
        await server.until_unsubscribed()


async def test_a_stop_of_the_server_ends_streams_so_that_clients_subscribe_again(tmp_path: Path) -> None:
    """An SSE client reconnects after an end without `complete`, Apollo Client after an error of the connection."""
    async with AsyncExitStack() as clients:
        async with open_server(tmp_path) as server:
            client = await clients.enter_async_context(open_client(str(server.client.http.base_url)))
            events = await clients.enter_async_context(open_http_stream(client, UPDATES))
            parts = await clients.enter_async_context(open_http_stream(client, UPDATES, accept=MULTIPART))
            await asyncio.gather(events.next(), parts.next())
        assert await events.result() is None
        assert events.is_at_end
        end = await parts.result()
        assert end is not None
        assert (end["payload"], end["errors"][0]["extensions"]) == (None, {"code": "SERVICE_UNAVAILABLE"})
        assert await parts.message() is None


async def test_a_stream_ends_as_soon_as_its_connection_requests_it(tmp_path: Path) -> None:
    """The connection chooses the time, which is before the end of the server's grace period."""
    connection, sent = Connection(), list[Message]()

    async def send(message: Message) -> None:
        sent.append(message)

    async with open_server(tmp_path) as server:
        running = asyncio.ensure_future(stream_of(server, UPDATES)(scope_of(connection), receive_nothing, send))
        while len(sent) < 3:  # noqa: ASYNC110  # the head, the opening and the first state
            await asyncio.sleep(0)
        connection.on_shutdown()
        await settle()
        assert running.done()
        assert sent[-1] == END


async def test_a_stream_that_ends_before_its_head_could_be_sent_is_a_complete_response(tmp_path: Path) -> None:
    """The connection waits if the client doesn't read the response to an earlier request."""
    connection, sent, reads = Connection(), list[Message](), asyncio.Event()

    async def send(message: Message) -> None:
        await reads.wait()
        sent.append(message)

    async with open_server(tmp_path) as server:
        running = asyncio.ensure_future(stream_of(server, UPDATES)(scope_of(connection), receive_nothing, send))
        await settle()
        connection.on_shutdown()
        await settle()
        reads.set()
        await running
        assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]
        assert sent[-1] == END


async def test_a_stream_that_ends_while_its_completion_waits_is_a_complete_response(tmp_path: Path) -> None:
    connection, sent, reads = Connection(), list[Message](), asyncio.Event()

    async def send(message: Message) -> None:
        if message.get("body") == EVENT_STREAM_FORMAT.completion:
            await reads.wait()
        sent.append(message)

    async with open_server(tmp_path) as server:
        response = stream_of(server, "{ renderLimits { fps } }")
        running = asyncio.ensure_future(response(scope_of(connection), receive_nothing, send))
        await settle()
        connection.on_shutdown()
        await settle()
        reads.set()
        await running
        assert sent[-1] == END


async def test_a_client_that_does_not_read_skips_to_the_newest_state(tmp_path: Path) -> None:
    async with open_server(tmp_path, send_buffer_bytes=SMALL_BUFFER) as server:
        reader, writer = await open_slow_request(server, UPDATES)
        await until_result(reader, 1)
        for revision in range(2, STATES):
            await server.publish(revision=revision)
            await asyncio.sleep(0)
        await server.publish(revision=STATES, status=RenderStatus.COMPLETE)
        revisions = [1]
        while revisions[-1] != STATES:
            revisions.append(await until_result(reader))
        writer.close()
    assert revisions == sorted(set(revisions))
    assert len(revisions) < STATES / 2
    assert max(later - earlier for earlier, later in itertools.pairwise(revisions)) > STATES / 2


async def test_a_client_that_stops_reading_is_disconnected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uvicorn_http, "WRITE_TIMEOUT_FACTOR", 0.02)  # 0.3 s
    async with open_server(tmp_path, send_buffer_bytes=SMALL_BUFFER) as server:
        reader, writer = await open_slow_request(server, UPDATES)
        await until_result(reader, 1)
        for revision in range(2, STATES):
            await server.publish(revision=revision)
            await asyncio.sleep(0)
        await server.until_unsubscribed()
        writer.close()


async def test_a_client_of_http_1_0_gets_a_body_without_chunks(tmp_path: Path) -> None:
    async with open_server(tmp_path) as server:
        reader, writer = await open_slow_request(server, "{ renderLimits { fps } }", version="1.0")
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
        writer.close()
    assert b"transfer-encoding" not in head
    assert b"connection: close" in head
    assert body == b':\n\nevent: next\ndata: {"data":{"renderLimits":{"fps":30}}}\n\nevent: complete\ndata:\n\n'


def stream_of(server: Server, document: str) -> ASGIApp:
    """Return the response with the results of an operation of the user."""
    streamed = StreamedRequest(
        format=EVENT_STREAM_FORMAT,
        operation=OperationRequest(query=document),
        context=Context(services=server.services, identity=Identity(caller=Caller(id="ann"))),
        allowed_types=set(OperationType),
    )
    runner = OperationRunner(build_schema(), max_result_bytes=1024 * 1024)
    streams = GraphQLStreams(default_settings().connections, runner=runner, connections_per_user=Counter())
    return streams.response(streamed)


def scope_of(connection: Connection) -> Scope:
    return {"type": "http", "method": "POST", "extensions": extensions_of(connection)}


async def receive_nothing() -> Message:
    await asyncio.Event().wait()
    raise AssertionError


async def open_slow_request(
    server: Server, document: str, *, version: str = "1.1"
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Send an operation over a socket with small buffers, so that the server notices a client that doesn't read."""
    url = server.client.http.base_url
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BUFFER)
    connection.connect((url.host, url.port))
    reader, writer = await asyncio.open_connection(sock=connection, limit=SMALL_BUFFER)
    body = json.dumps({"query": document})
    writer.write(
        f"POST /graphql HTTP/{version}\r\nHost: {url.host}\r\nAccept: {EVENT_STREAM}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()
    )
    return reader, writer


async def until_result(reader: asyncio.StreamReader, revision: int | None = None) -> int:
    """Read to the next result, or the one with this revision; return its revision."""
    async with asyncio.timeout(TEST_TIMEOUT_S):
        while True:
            line = await reader.readline()
            assert line, "the response has ended"
            if line.startswith(b"data: {"):
                found = int(json.loads(line.removeprefix(b"data: "))["data"]["renderUpdates"]["revision"])
                if revision in (None, found):
                    return found
