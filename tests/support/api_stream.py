"""A GraphQL client for subscriptions that shares no code with the server: graphql-transport-ws message by message."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from tests.support.api_client import TEST_TIMEOUT_S, Client

GRAPHQL_TRANSPORT_WS = Subprotocol("graphql-transport-ws")


class Stream:
    """The operations of one WebSocket connection."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    async def send(self, **message: object) -> None:
        await self.connection.send(json.dumps(message))

    async def receive(self) -> dict[str, Any]:
        """Return the next message of any operation."""
        async with asyncio.timeout(TEST_TIMEOUT_S):
            message: dict[str, Any] = json.loads(await self.connection.recv())
        return message

    async def subscribe(self, document: str, operation: str = "1", **variables: object) -> None:
        payload = {"query": document, "variables": variables}
        await self.send(id=operation, type="subscribe", payload=payload)

    async def next(self, operation: str = "1") -> Any:
        """Return the value of the root field in the next message, which must be a `next` of this operation."""
        message = await self.receive()
        assert (message["type"], message["id"]) == ("next", operation), message
        assert "errors" not in message["payload"], message
        (value,) = message["payload"]["data"].values()
        return value

    async def rest(self, operation: str = "1") -> list[dict[str, Any]]:
        """Return all values until the operation completes."""
        values = []
        while (message := await self.receive())["type"] != "complete":
            assert (message["type"], message["id"]) == ("next", operation), message
            assert "errors" not in message["payload"], message
            values.extend(message["payload"]["data"].values())
        assert message["id"] == operation
        return values


@asynccontextmanager
async def open_socket(
    url: str, *, protocol: Subprotocol = GRAPHQL_TRANSPORT_WS, **options: Any
) -> AsyncIterator[ClientConnection]:
    """Open a WebSocket without `connection_init`."""
    async with connect(
        url, subprotocols=[protocol], compression=None, proxy=None, open_timeout=TEST_TIMEOUT_S, **options
    ) as connection:
        yield connection


@asynccontextmanager
async def open_stream(client: Client, **options: Any) -> AsyncIterator[Stream]:
    """Open a WebSocket authenticated as the client's user."""
    async with open_socket(client.websocket_url, **options) as connection:
        stream = Stream(connection)
        await stream.send(type="connection_init", payload=client.websocket_params)
        assert await stream.receive() == {"type": "connection_ack"}
        yield stream
