"""Cases of the WebSocket endpoint that need bare ASGI: sending fails while the client disconnects."""

import asyncio
import json
from pathlib import Path

import pytest
from starlette.types import Message

from services.runtime.adapters import open_embedded
from services.settings import load_settings
from tests.support.fake_clock import settle
from tests.support.websocket_endpoint import websocket_endpoint

SCOPE = {"type": "websocket", "path": "/graphql", "headers": [], "subprotocols": ["graphql-transport-ws"]}


async def test_a_disconnection_during_a_reply_raises_no_error(tmp_path: Path) -> None:
    received = iter(({"type": "connection_init"}, {"type": "ping"}))
    sent: list[Message] = []

    async def receive() -> Message:
        if not sent:
            return {"type": "websocket.connect"}
        return {"type": "websocket.receive", "text": json.dumps(next(received))}

    async def send(message: Message) -> None:
        sent.append(message)
        if "pong" in message.get("text", ""):
            raise OSError("disconnected")

    async with open_embedded(load_settings(data_dir=tmp_path)) as services:
        await websocket_endpoint(services)(SCOPE, receive, send)
    assert [message["type"] for message in sent] == ["websocket.accept", "websocket.send", "websocket.send"]


async def test_a_disconnection_during_several_operations_logs_no_error(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Each operation notices the disconnection separately, and so does the reply to the next message."""
    query = {"query": "{ renderQuota { limit } }"}
    received = [{"type": "connection_init"}, *({"type": "subscribe", "id": str(n), "payload": query} for n in range(3))]
    sent: list[Message] = []
    disconnected = asyncio.Event()

    async def receive() -> Message:
        if not sent:
            return {"type": "websocket.connect"}
        if not received:
            await disconnected.wait()
            await settle()
        message = received.pop(0) if received else {"type": "ping"}
        return {"type": "websocket.receive", "text": json.dumps(message)}

    async def send(message: Message) -> None:
        sent.append(message)
        if "next" in message.get("text", ""):
            disconnected.set()
            raise OSError("disconnected")

    async with open_embedded(load_settings(data_dir=tmp_path)) as services:
        await websocket_endpoint(services)(SCOPE, receive, send)
    assert "next" in sent[-1]["text"]
    assert caplog.text == ""
