"""Subscriptions over WebSockets. https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md.

Subscriptions share a WebSocket, because a server limits the connections of a user, by default to 20.
"""

import asyncio
import json
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import suppress
from itertools import count
from typing import Any

import aiohttp

from rendercast.client.connection import Connection
from rendercast.client.errors import (
    RendercastError,
    RequestRejected,
    ServerUnreachable,
    Unauthenticated,
    UnexpectedResponse,
)
from rendercast.client.http import IDLE_TIMEOUT_S, unreachable
from rendercast.client.reading import Json
from rendercast.client.responses import data_of, graphql_error, root_value

SUBPROTOCOL = "graphql-transport-ws"
CLOSE_TIMEOUT_S = 2.0
MAX_SUBSCRIPTIONS = 40  # of one WebSocket; a server accepts 50 by default, and may accept fewer
LIMIT_EXCEEDED = "LIMIT_EXCEEDED"
UNAUTHENTICATED_CLOSE_CODES = {4401, 4403}  # the token is missing, invalid or expired
PERMANENT_CLOSE_CODES = {4400, 4406, 4409}
CLOSED = "closed"  # the type of the message that stands for the end of the connection
LOST: Json = {"type": CLOSED, "code": None, "reason": ""}


class TransportBlockedError(Exception):
    """A transport can't be used. The cause may be a proxy, a limit, or that the server is unavailable."""


class WebSockets:
    """The WebSockets of a client. One is opened for the first subscription and closed after the last one.

    One that is not open and authenticated after `open_timeout_s` is considered blocked.
    """

    def __init__(self, connection: Connection, *, open_timeout_s: float) -> None:
        self._connection = connection
        self._open_timeout_s = open_timeout_s
        self._sockets: list[_Socket] = []
        self._max_subscriptions = MAX_SUBSCRIPTIONS
        self._opening = asyncio.Lock()
        self._failure: TransportBlockedError | ServerUnreachable | None = None  # the last one of an opening

    async def values(self, operation: Json) -> AsyncGenerator[Any, None]:
        """Yield the values of the only root field until the operation is complete.

        A value that was not taken is replaced by the next one. Raises `TransportBlockedError` if no WebSocket can be
        opened, `ServerUnreachable` when it is lost, and `RuntimeError` in another event loop.
        """
        _ = self._connection.http  # checks the event loop
        socket = await self._socket()
        inbox = socket.add()
        try:
            await socket.send({"id": inbox.id, "type": "subscribe", "payload": operation})
            while (message := await inbox.get())["type"] != "complete":
                if message["type"] == "next":
                    yield root_value(data_of(message["payload"]))
                else:
                    raise self._rejection(message, socket)
        except (KeyError, TypeError, ValueError) as error:
            raise UnexpectedResponse(error) from error
        finally:
            await socket.remove(inbox)
            if not socket.is_open:
                with suppress(ValueError):
                    self._sockets.remove(socket)

    async def close(self) -> None:
        """Close all WebSockets."""
        for socket in list(self._sockets):
            await socket.close()

    async def _socket(self) -> "_Socket":
        """Return a WebSocket for another subscription. All that wait for one that can't be opened get its error."""
        earlier = self._failure
        async with self._opening:
            for socket in self._sockets:
                if socket.has_room(self._max_subscriptions):
                    return socket
            if self._failure is not None and self._failure is not earlier:
                raise self._failure
            try:
                return await self._open()
            except (TransportBlockedError, ServerUnreachable) as error:
                self._failure = error
                raise

    async def _open(self) -> "_Socket":
        connection = self._connection
        authorization = await connection.authorization()
        try:
            async with asyncio.timeout(self._open_timeout_s):
                raw = await connection.http.ws_connect(
                    connection.address.websocket,
                    protocols=(SUBPROTOCOL,),
                    heartbeat=IDLE_TIMEOUT_S,
                    timeout=aiohttp.ClientWSTimeout(ws_close=CLOSE_TIMEOUT_S),
                )
                try:
                    await raw.send_json({"type": "connection_init", "payload": authorization})
                    await self._wait_for_acknowledgement(raw)
                except BaseException:
                    await raw.close()
                    raise
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise unreachable(connection.address.name, error) from error  # HTTP would fail too
        except (ServerUnreachable, aiohttp.ClientError, TimeoutError, OSError) as error:
            raise TransportBlockedError from error
        except (KeyError, TypeError, ValueError) as error:
            raise UnexpectedResponse(error) from error
        socket = _Socket(raw)
        self._sockets.append(socket)
        return socket

    async def _wait_for_acknowledgement(self, raw: aiohttp.ClientWebSocketResponse) -> None:
        while (message := await _receive(raw))["type"] != "connection_ack":
            if message["type"] == CLOSED:
                raise self._error(message)

    def _rejection(self, message: Json, socket: "_Socket") -> Exception:
        """Return the exception for a message that ends a subscription of this WebSocket."""
        error = self._error(message)
        if error.code != LIMIT_EXCEEDED:
            return error
        if not socket.subscriptions:
            return TransportBlockedError(str(error))
        self._max_subscriptions = min(self._max_subscriptions, socket.subscriptions)
        return ServerUnreachable(str(error), response_lost=True)  # the next try takes another WebSocket

    def _error(self, message: Json) -> RendercastError:
        """Return the exception for a message that ends a subscription, or a connection."""
        if message["type"] == "error":
            return graphql_error(message["payload"])
        name, code, reason = self._connection.address.name, message["code"], message["reason"]
        if code in UNAUTHENTICATED_CLOSE_CODES:
            return Unauthenticated(reason or "Sign in to do this.")
        if code in PERMANENT_CLOSE_CODES:
            return RequestRejected(f"{name} rejected the subscription: {reason} ({code}).", code="REJECTED")
        return ServerUnreachable(f"The connection to {name} was lost.", response_lost=True)


class _Inbox:
    """The messages of one subscription that were not taken yet: at most one value, and the end."""

    def __init__(self, subscription_id: str) -> None:
        self.id = subscription_id
        self.has_ended = False
        self._messages: deque[Json] = deque()
        self._changed = asyncio.Event()

    def put(self, message: Json) -> None:
        if self._messages and self._messages[-1]["type"] == message["type"] == "next":
            self._messages.pop()
        self._messages.append(message)
        self.has_ended = message["type"] != "next"
        self._changed.set()

    async def get(self) -> Json:
        while not self._messages:
            self._changed.clear()
            await self._changed.wait()
        return self._messages.popleft()


class _Socket:
    """An authenticated WebSocket, and the task that reads it."""

    def __init__(self, raw: aiohttp.ClientWebSocketResponse) -> None:
        self._raw = raw
        self._inboxes: dict[str, _Inbox] = {}
        self._ids = count(1)
        self._reading = asyncio.create_task(self._read())

    @property
    def is_open(self) -> bool:
        """Whether the connection is open, as far as is known."""
        return not self._reading.done() and not self._raw.closed

    @property
    def subscriptions(self) -> int:
        """The number of subscriptions that have not ended."""
        return sum(not inbox.has_ended for inbox in self._inboxes.values())

    def has_room(self, max_subscriptions: int) -> bool:
        """Return whether another subscription can be added."""
        return self.is_open and 0 < len(self._inboxes) < max_subscriptions

    def add(self) -> _Inbox:
        """Add a subscription. Call `remove` when it has ended."""
        inbox = _Inbox(str(next(self._ids)))
        self._inboxes[inbox.id] = inbox
        return inbox

    async def remove(self, inbox: _Inbox) -> None:
        """Remove a subscription. Unsubscribes if it has not ended, and closes the connection after the last one."""
        del self._inboxes[inbox.id]
        if not self._inboxes:
            await self.close()
        elif not inbox.has_ended:
            await self.send({"id": inbox.id, "type": "complete"})

    async def send(self, message: Json) -> None:
        """Send a message. If the connection is lost, each inbox gets that as a message."""
        with suppress(aiohttp.ClientError, OSError):
            await self._raw.send_json(message)

    async def close(self) -> None:
        """Close the connection. Each inbox gets that as a message."""
        self._reading.cancel()
        self._end(LOST)  # the task may not have started
        await self._raw.close()

    async def _read(self) -> None:
        message: Json = {}
        try:
            while (message := await _receive(self._raw))["type"] != CLOSED:
                if message["type"] == "ping":
                    await self.send({"type": "pong"})
                elif inbox := self._inboxes.get(str(message.get("id"))):
                    inbox.put(message)
        except (KeyError, TypeError, ValueError):
            pass  # not a message of the protocol
        finally:
            self._end(message if message.get("type") == CLOSED else LOST)

    def _end(self, message: Json) -> None:
        for inbox in self._inboxes.values():
            if not inbox.has_ended:
                inbox.put(message)


async def _receive(raw: aiohttp.ClientWebSocketResponse) -> Json:
    """Return the next message. The end of the connection is a message of the type `CLOSED`."""
    message = await raw.receive()
    if message.type is not aiohttp.WSMsgType.TEXT:
        return {"type": CLOSED, "code": raw.close_code, "reason": str(message.extra or "")}
    decoded: Json = json.loads(message.data)
    _ = decoded["type"]
    return decoded
