"""How a server closes a WebSocket."""

import asyncio
import json
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from tests.support.api_client import TEST_TIMEOUT_S, Client
from tests.support.api_stream import open_socket


async def close_code_and_reason(connection: ClientConnection, received: list[str] | None = None) -> tuple[int, str]:
    """Return the code and reason of the server's close frame; `received` gets all messages before it."""
    received = [] if received is None else received
    with pytest.raises(ConnectionClosed) as caught:  # noqa: PT012
        async with asyncio.timeout(TEST_TIMEOUT_S):
            while True:
                received.append(str(await connection.recv()))
    assert caught.value.rcvd is not None
    return caught.value.rcvd.code, caught.value.rcvd.reason


async def rejected_init(client: Client, **options: Any) -> tuple[int, str]:
    """Return the close code and reason after a `connection_init` that the server rejects."""
    async with open_socket(client.websocket_url, **options) as connection:
        await connection.send(json.dumps({"type": "connection_init", "payload": client.websocket_params}))
        return await close_code_and_reason(connection)
