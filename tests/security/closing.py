"""How a server ends a WebSocket."""

import asyncio
import json
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from tests.support.api_client import PATIENCE_S, Client, open_socket


async def ending(connection: ClientConnection, said: list[str] | None = None) -> tuple[int, str]:
    """Return the code and the reason with which the server closes the connection; `said` gets all it says before."""
    said = [] if said is None else said
    with pytest.raises(ConnectionClosed) as caught:  # noqa: PT012
        async with asyncio.timeout(PATIENCE_S):
            while True:
                said.append(str(await connection.recv()))
    assert caught.value.rcvd is not None
    return caught.value.rcvd.code, caught.value.rcvd.reason


async def refused(client: Client, **options: Any) -> tuple[int, str]:
    """Return how the server refuses the client's handshake, which it must do without another word."""
    async with open_socket(client.websocket_url, **options) as connection:
        await connection.send(json.dumps({"type": "connection_init", "payload": client.websocket_params}))
        return await ending(connection)
