"""Servers that break the protocols of subscriptions, and limits on connections."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from rendercast.client import (
    AsyncClient,
    RendercastError,
    RequestRejected,
    ServerUnreachable,
    Unauthenticated,
    UnexpectedResponse,
)
from rendercast.client.addresses import read_address
from rendercast.client.connection import Connection
from rendercast.client.documents import WATCHED_BATCH, WATCHED_RENDER
from rendercast.client.watching import Transport, Watching
from rendercast.client.websockets import CLOSED, _Socket

from tests.support.api_client import TEST_TIMEOUT_S
from tests.support.fake_backend import ANIMATION
from tests.support.idle_site import ANN, open_idle_site

NO_RESULTS = ("{}", "[]", "null", '{"data": null}', '{"data": []}', '{"data": {}}')
PROGRESS = '{"id": "1", "type": "next", "payload": {"data": {"renderProgress": {}}}}'

COUNTS = ("queued", "rendering", "failed", "cancelled")
ENDED_BATCH = {
    **dict.fromkeys(COUNTS, 0),
    "batchId": "id",
    "total": 1,
    "complete": 1,
    "percent": 100,
    "hasEnded": True,
    "estimatedCompletionAt": None,
}


def errors(code: str) -> list[object]:
    return [{"message": "No.", "extensions": {"code": code}}]


def error_message(code: str) -> str:
    return json.dumps({"id": "1", "type": "error", "payload": errors(code)})


@asynccontextmanager
async def serving(
    method: str, handle: Callable[[web.Request], Awaitable[web.StreamResponse]], transport: Transport
) -> AsyncIterator[Watching]:
    """Serve one function, and yield what watches its server."""
    app = web.Application()
    app.router.add_route(method, "/graphql", handle)
    async with TestServer(app) as server:
        connection = Connection(read_address(str(server.make_url(""))), None, retry_timeout_s=0)
        watching = Watching(connection, [transport])
        yield watching
        await watching.close()
        await connection.close()


async def values(watching: Watching) -> Sequence[object]:
    async with asyncio.timeout(TEST_TIMEOUT_S), aclosing(watching.values(WATCHED_RENDER, "id")) as found:
        return [value async for value in found]


@pytest.mark.parametrize(
    ("messages", "error", "code"),
    [
        (["no JSON"], ServerUnreachable, "UNREACHABLE"),
        (["[]"], ServerUnreachable, "UNREACHABLE"),
        (["{}"], ServerUnreachable, "UNREACHABLE"),
        ([1013], ServerUnreachable, "UNREACHABLE"),
        ([4401], Unauthenticated, "UNAUTHENTICATED"),
        ([4400], RequestRejected, "REJECTED"),
        *(
            ([f'{{"id": "1", "type": "next", "payload": {payload}}}'], UnexpectedResponse, "NOT_UNDERSTOOD")
            for payload in NO_RESULTS
        ),
        (['{"id": "1", "type": "error", "payload": {}}'], UnexpectedResponse, "NOT_UNDERSTOOD"),
        ([error_message("TIMEOUT")], ServerUnreachable, "TIMEOUT"),
        ([error_message("FORBIDDEN")], RequestRejected, "FORBIDDEN"),
        ([PROGRESS, 4403], Unauthenticated, "UNAUTHENTICATED"),
    ],
)
async def test_a_message_of_a_websocket_that_ends_a_watch(
    messages: Sequence[str | int], error: type[RendercastError], code: str
) -> None:
    async def handle(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse(protocols=["graphql-transport-ws"])
        await socket.prepare(request)
        await socket.receive()
        await socket.send_str('{"type": "connection_ack"}')
        await socket.receive()
        for message in ('{"type": "ping"}', '{"id": "7", "type": "next"}', *messages):
            await (socket.close(code=message) if isinstance(message, int) else socket.send_str(message))
        await socket.receive()
        return socket

    async with serving("GET", handle, "websocket") as watching:
        with pytest.raises(error) as raised:
            await values(watching)
    assert raised.value.code == code


FAILED_EVENT = f"data: {json.dumps({'errors': errors('SERVICE_UNAVAILABLE')})}\n\n".encode()


@pytest.mark.parametrize(
    ("content", "error", "code"),
    [
        (b"", ServerUnreachable, "UNREACHABLE"),
        (b": keep-alive\n\n", ServerUnreachable, "UNREACHABLE"),
        (b"data: no JSON\n\n", UnexpectedResponse, "NOT_UNDERSTOOD"),
        *((f"data: {result}\n\n".encode(), UnexpectedResponse, "NOT_UNDERSTOOD") for result in NO_RESULTS),
        (FAILED_EVENT, ServerUnreachable, "SERVICE_UNAVAILABLE"),
    ],
)
async def test_an_event_stream_that_ends_a_watch(content: bytes, error: type[RendercastError], code: str) -> None:
    async def handle(request: web.Request) -> web.StreamResponse:
        del request
        return web.Response(body=content, content_type="text/event-stream")

    async with serving("POST", handle, "sse") as watching:
        with pytest.raises(error) as raised:
            await values(watching)
    assert raised.value.code == code


async def test_a_watch_goes_on_after_an_error_in_the_server() -> None:
    results: list[Mapping[str, object]] = [{"errors": errors("INTERNAL")}, {"data": {"batchProgress": ENDED_BATCH}}]

    async def handle(request: web.Request) -> web.StreamResponse:
        del request
        body = f"data: {json.dumps(results.pop(0))}\n\n".encode()
        return web.Response(body=body, content_type="text/event-stream")

    async with serving("POST", handle, "sse") as watching:
        states = [state async for state in watching.watch(WATCHED_BATCH, "id", timeout_s=TEST_TIMEOUT_S)]
    assert [state.complete for state in states] == [1]


@pytest.mark.parametrize("status", [500, 503])
async def test_a_server_that_fails_is_no_blocked_transport(status: int) -> None:
    async def handle(request: web.Request) -> web.StreamResponse:
        del request
        return web.Response(status=status)

    async with serving("POST", handle, "sse") as watching:
        with pytest.raises(ServerUnreachable, match=f"responded with status {status}"):
            await values(watching)


async def test_the_only_transport_that_is_blocked_is_reported() -> None:
    async def handle(request: web.Request) -> web.StreamResponse:
        del request
        return web.Response(status=403)

    async with serving("GET", handle, "websocket") as watching:
        with pytest.raises(ServerUnreachable, match="the connection is blocked"):
            await values(watching)


async def test_a_user_with_too_many_connections_polls(tmp_path: Path) -> None:
    async with (
        open_idle_site(tmp_path, ANIMATION, max_connections_per_user=1) as site,
        AsyncClient(site.url) as first,
        AsyncClient(site.url) as second,
        asyncio.timeout(TEST_TIMEOUT_S),
    ):
        render = await first.start(text="Hi")
        async with aclosing(first.watch(render.id)) as held, aclosing(second.watch(render.id)) as polled:
            assert (await anext(held)).status == (await anext(polled)).status == "QUEUED"
            await site.services.renders.cancel(ANN, render.id)
            assert [state.status async for state in polled] == ["CANCELLED"]


async def test_a_subscription_ends_if_its_connection_is_closed_before_it_is_read() -> None:
    async def accept(request: web.Request) -> web.WebSocketResponse:
        response = web.WebSocketResponse()
        await response.prepare(request)
        async for _ in response:
            pass
        return response

    app = web.Application()
    app.router.add_get("/", accept)
    async with TestClient(TestServer(app)) as client:
        socket = _Socket(await client.ws_connect("/"))
        inbox = socket.add()
        await socket.close()
        message = await asyncio.wait_for(inbox.get(), TEST_TIMEOUT_S)
    assert message["type"] == CLOSED
