"""Watches of @rendercast/client with WebSocket servers that violate the protocol on the first connection."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from websockets.asyncio.server import ServerConnection, serve

from services.errors import ExecutionTimeout, RendercastError, Unavailable
from tests.support.api_stream import GRAPHQL_TRANSPORT_WS
from tests.typescript_client.package import NEEDS_NODE
from tests.typescript_client.program import CallError, Program

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module"), NEEDS_NODE]

ACK = json.dumps({"type": "connection_ack"})
RENDER = {"id": "1", "revision": 2, "status": "COMPLETE", "createdAt": "2026-01-01T00:00:00.000Z"}


def message(**values: object) -> str:
    return json.dumps({"id": "1", **values})


# What the server sends on the first connection, by name; the code with which it then closes it, or None.
FAULTS: dict[str, tuple[list[str | bytes], int | None]] = {
    "closed": ([], 1012),
    "too-many-connections": ([], 1013),
    "operation-before-ack": ([], 4401),
    "rejected-token": ([], 4403),
    "init-twice": ([ACK], 4429),
    "silent": ([], None),
    "html": (["<html>"], None),
    "binary": ([b"\x00\xff"], None),
    "null": (["null"], 1011),
    "array": ([ACK, "[]"], 1011),
    "nothing-in-it": ([ACK, message(type="next")], None),
    "no-data": ([ACK, message(type="next", payload={"data": None})], None),
    "early-end": ([ACK, message(type="complete")], None),
    "no-errors": ([ACK, message(type="error")], None),
    "errors-of-another-type": ([ACK, message(type="next", payload={"errors": {"a": 1}})], None),
    **{
        code: ([ACK, message(type="next", payload={"errors": [{"message": "", "extensions": {"code": code}}]})], None)
        for code in (Unavailable.code, ExecutionTimeout.code, RendercastError.code)
    },
    "unknown-type": ([ACK, message(type="other", payload=1)], None),
    "older-state": (
        [
            ACK,
            message(type="next", payload={"data": {"renderProgress": {**RENDER, "revision": 1, "status": "QUEUED"}}}),
            message(type="next", payload={"data": {"renderProgress": {**RENDER, "revision": 0, "status": "QUEUED"}}}),
        ],
        1011,
    ),
}


class FaultyServer:
    """The server. The path of the URL has the name of the fault. From the second connection on it behaves well."""

    def __init__(self) -> None:
        self.connections: Counter[str] = Counter()

    async def handle(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        name = connection.request.path.split("/")[1]
        self.connections[name] += 1
        await connection.recv()
        if self.connections[name] > 1:
            await connection.send(ACK)
        else:
            sent, code = FAULTS[name]
            for text in sent:
                await connection.send(text)
            if code is not None:
                await connection.close(code)
        async for received in connection:
            subscribed = json.loads(received)
            if subscribed["type"] == "subscribe" and (self.connections[name] > 1 or subscribed["id"] != "1"):
                await self.complete(connection, subscribed["id"])

    async def complete(self, connection: ServerConnection, operation: str) -> None:
        result = {"data": {"renderProgress": RENDER}}
        await connection.send(json.dumps({"id": operation, "type": "next", "payload": result}))
        await connection.send(json.dumps({"id": operation, "type": "complete"}))


@pytest_asyncio.fixture(loop_scope="module")
async def url() -> AsyncIterator[str]:
    server = FaultyServer()
    async with serve(server.handle, "127.0.0.1", 0, subprotocols=[GRAPHQL_TRANSPORT_WS]) as running:
        yield f"http://127.0.0.1:{running.sockets[0].getsockname()[1]}"


async def test_a_watch_ends_with_the_final_state_whatever_a_server_sends_first(program: Program, url: str) -> None:
    watches = {name: program.open(f"{url}/{name}", transports=["websocket"]).watch("1") for name in FAULTS}
    states = await asyncio.gather(*(watch.rest() for watch in watches.values()))
    revisions = {name: [state["revision"] for state in each] for name, each in zip(watches, states, strict=True)}
    assert revisions == {name: [1, 2] if name == "older-state" else [2] for name in FAULTS}


@pytest.mark.parametrize("code", ["BAD_USER_INPUT", 7])
async def test_an_invalid_document_is_an_error_at_once(program: Program, code: object) -> None:
    async def handle(connection: ServerConnection) -> None:
        await connection.recv()
        await connection.send(ACK)
        await connection.recv()
        error = {"message": "Unknown field.", "extensions": {"code": code}}
        await connection.send(message(type="error", payload=[error]))
        await connection.wait_closed()

    async with serve(handle, "127.0.0.1", 0, subprotocols=[GRAPHQL_TRANSPORT_WS]) as running:
        port = running.sockets[0].getsockname()[1]
        with pytest.raises(CallError) as caught:
            await program.open(f"http://127.0.0.1:{port}", transports=["websocket"]).watch("1").next()
    assert caught.value.details["code"] == str(code)
