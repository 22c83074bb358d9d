"""What only bare ASGI can show of a WebSocket."""

import asyncio
import json
from pathlib import Path

import pytest
from starlette.types import Message
from starlette.websockets import WebSocket

from auth.bearer import LocalDeveloper
from resolvers.schema import build_schema
from services.runtime.adapters import open_embedded
from services.settings import load_settings
from tests.support.fake_clock import settle
from transport.graphql_ws.endpoint import WebSockets

SCOPE = {"type": "websocket", "path": "/graphql", "headers": [], "subprotocols": ["graphql-transport-ws"]}


async def test_a_client_that_leaves_while_it_is_answered_is_nobodys_mistake(tmp_path: Path) -> None:
    said = iter(({"type": "connection_init"}, {"type": "ping"}))
    sent: list[Message] = []

    async def receive() -> Message:
        if not sent:
            return {"type": "websocket.connect"}
        return {"type": "websocket.receive", "text": json.dumps(next(said))}

    async def send(message: Message) -> None:
        sent.append(message)
        if "pong" in message.get("text", ""):
            raise OSError("it has left")

    async with open_embedded(load_settings(data_dir=tmp_path)) as services:
        websockets = WebSockets(services, schema=build_schema(), authenticate=LocalDeveloper(services.settings.server))
        await websockets.serve(WebSocket(SCOPE, receive, send))
    assert [message["type"] for message in sent] == ["websocket.accept", "websocket.send", "websocket.send"]


async def test_a_client_that_leaves_while_several_operations_run_is_nobodys_mistake(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Each of them finds out by itself, and so does the next message."""
    query = {"query": "{ renderQuota { limit } }"}
    said = [{"type": "connection_init"}, *({"type": "subscribe", "id": str(n), "payload": query} for n in range(3))]
    sent: list[Message] = []
    left = asyncio.Event()

    async def receive() -> Message:
        if not sent:
            return {"type": "websocket.connect"}
        if not said:
            await left.wait()
            await settle()
        message = said.pop(0) if said else {"type": "ping"}
        return {"type": "websocket.receive", "text": json.dumps(message)}

    async def send(message: Message) -> None:
        sent.append(message)
        if "next" in message.get("text", ""):
            left.set()
            raise OSError("it has left")

    async with open_embedded(load_settings(data_dir=tmp_path)) as services:
        websockets = WebSockets(services, schema=build_schema(), authenticate=LocalDeveloper(services.settings.server))
        await websockets.serve(WebSocket(SCOPE, receive, send))
    assert "next" in sent[-1]["text"]
    assert caplog.text == ""
