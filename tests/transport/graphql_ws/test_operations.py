"""Operations of a WebSocket that end while its client doesn't read, or while it ends."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from starlette.types import Message
from starlette.websockets import WebSocket, WebSocketState

from services.runtime.adapters import open_embedded
from services.settings import load_settings
from tests.support.fake_clock import settle
from tests.support.websocket_endpoint import websocket_endpoint
from transport.graphql_ws.operation import Operation

SCOPE: dict[str, Any] = {
    "type": "websocket",
    "path": "/graphql",
    "headers": [],
    "subprotocols": ["graphql-transport-ws"],
}


async def test_an_operation_counts_until_its_end_is_sent() -> None:
    """Otherwise a client that doesn't read could start operations that fail without limit."""
    reads = asyncio.Event()
    operations: dict[str, Operation] = {}

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    async def send(_: Message) -> None:
        await reads.wait()

    websocket = WebSocket(SCOPE, receive, send)
    websocket.application_state = WebSocketState.CONNECTED
    first, second = (Operation(id_, websocket, operations, max_result_bytes=1) for id_ in "12")
    tasks = [asyncio.create_task(end) for end in (first.complete(), second.fail([]))]
    await settle()
    assert set(operations) == {"1", "2"}
    reads.set()
    await asyncio.wait(tasks)
    assert not operations


async def test_a_connection_that_ends_while_an_operation_is_completed_ends_it_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = 0

    def count(difference: int) -> None:
        nonlocal opened
        opened += difference

    payload = {"query": "subscription { renderUpdates { id } }"}
    received: list[dict[str, object]] = [
        {"type": "connection_init"},
        {"type": "subscribe", "id": "1", "payload": payload},
        {"type": "complete", "id": "1"},
    ]
    is_accepted = False

    async def receive() -> Message:
        if not is_accepted:
            return {"type": "websocket.connect"}
        message = received.pop(0)
        if message["type"] == "complete":
            await settle()
            assert opened == 1
            asyncio.get_running_loop().call_soon(connection.cancel)  # as the expiry of a token does
        return {"type": "websocket.receive", "text": json.dumps(message)}

    async def send(_: Message) -> None:
        nonlocal is_accepted
        is_accepted = True

    async with open_embedded(load_settings(data_dir=tmp_path)) as services:
        monkeypatch.setattr(services.metrics, "subscription_opened", lambda: count(1))
        monkeypatch.setattr(services.metrics, "subscription_closed", lambda: count(-1))
        connection = asyncio.create_task(websocket_endpoint(services)(SCOPE, receive, send))
        await asyncio.wait([connection])
        assert opened == 0
