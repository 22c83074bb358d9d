"""Follows renders and batches to their end: over a WebSocket, over SSE, or by polling, whichever the network allows."""

import asyncio
import random
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Any, Literal, TypeVar

from rendercast.client.backoff import backoff_s
from rendercast.client.connection import NOT_RENDERCAST, Connection
from rendercast.client.documents import Watched
from rendercast.client.errors import RequestRejected, ServerUnreachable, Unauthenticated, WatchTimedOut
from rendercast.client.events import event_values
from rendercast.client.http import CONNECT_TIMEOUT_S
from rendercast.client.reading import read
from rendercast.client.responses import root_value
from rendercast.client.websockets import TransportBlockedError, WebSockets

State = TypeVar("State")
Transport = Literal["websocket", "sse", "polling"]

TRANSPORTS: tuple[Transport, ...] = ("websocket", "sse", "polling")
OPEN_TIMEOUT_S = 2 * CONNECT_TIMEOUT_S
RECONNECT_TIMEOUT_S = 120.0  # for resuming after a lost connection
BLOCKED_FOR_S = 300.0  # for this time, a transport that was blocked is not tried again
POLL_INTERVAL_S = 2.0


class Watching:
    """Watches renders and batches of one server, with the first of the transports that works."""

    def __init__(
        self,
        connection: Connection,
        transports: Sequence[Transport] = TRANSPORTS,
        *,
        open_timeout_s: float = OPEN_TIMEOUT_S,
        poll_interval_s: float = POLL_INTERVAL_S,
    ) -> None:
        self._connection = connection
        self._transports = tuple(transports)
        self._open_timeout_s = open_timeout_s
        self._poll_interval_s = poll_interval_s
        self._websockets = WebSockets(connection, open_timeout_s=open_timeout_s)
        self._blocked = 0  # how many of the first transports are not tried before `_blocked_until`
        self._blocked_until = 0.0

    async def watch(self, watched: Watched[State], watched_id: str, *, timeout_s: float) -> AsyncGenerator[State, None]:
        """Yield the present state, then each newer one, until one is final.

        Connects again after a lost connection or an error in the server. Raises `ServerUnreachable` or
        `RequestRejected` after `RECONNECT_TIMEOUT_S` without success, `WatchTimedOut` after `timeout_s`, and
        `watched.not_found`, also if it is deleted.
        """
        end = asyncio.get_running_loop().time() + timeout_s
        newest: State | None = None
        async with aclosing(self._reconnecting(watched, watched_id)) as values:
            while True:
                try:
                    async with asyncio.timeout_at(end):
                        state = read(watched.kind, await anext(values))
                except TimeoutError:
                    message = f"It did not end within {timeout_s:g} seconds. It continues."
                    raise WatchTimedOut(message) from None
                if newest is None or watched.is_newer(state, newest):
                    newest = state
                    yield state
                if watched.has_ended(state):
                    return

    async def values(self, watched: Watched[Any], watched_id: str) -> AsyncGenerator[Any, None]:
        """Yield the states that one connection receives, until the subscription is complete.

        Raises `ServerUnreachable` when the connection is lost. Polling does not end by itself.
        """
        loop = asyncio.get_running_loop()
        known = self._blocked if loop.time() < self._blocked_until else 0
        for blocked, transport in enumerate(self._transports[known:], start=known):
            try:
                async with aclosing(self._values_from(transport, watched, watched_id)) as values:
                    async for value in values:
                        if blocked > known:
                            known = self._blocked = blocked
                            self._blocked_until = loop.time() + BLOCKED_FOR_S
                        yield value
            except TransportBlockedError:
                continue
            return
        message = f"{self._connection.address.name} can't be watched: the connection is blocked."
        raise ServerUnreachable(message, response_lost=True)

    async def close(self) -> None:
        """Close all connections."""
        await self._websockets.close()

    async def _reconnecting(self, watched: Watched[Any], watched_id: str) -> AsyncGenerator[Any, None]:
        """Yield the states of one connection after the other."""
        loop = asyncio.get_running_loop()
        failures, deadline, was_rejected = 0, 0.0, False
        while True:
            try:
                async with aclosing(self.values(watched, watched_id)) as values:
                    async for value in values:
                        failures, was_rejected = 0, False
                        self._connection.was_reached = True
                        yield value
            except Unauthenticated:
                if was_rejected or not self._connection.can_renew_token:
                    raise
                was_rejected = True
                continue
            except (RequestRejected, ServerUnreachable) as error:
                if error.code == "NOT_FOUND":
                    raise watched.missing_error() from None
                if self._is_permanent(error) or (failures and loop.time() > deadline):
                    raise
            failures += 1
            if failures == 1:
                deadline = loop.time() + RECONNECT_TIMEOUT_S
            await asyncio.sleep(backoff_s(failures))

    def _is_permanent(self, error: RequestRejected | ServerUnreachable) -> bool:
        """Return whether the next connection would end with the same error."""
        if isinstance(error, RequestRejected):
            return error.code != "INTERNAL"
        return error.code == NOT_RENDERCAST or not (self._connection.was_reached or error.response_lost)

    def _values_from(self, transport: Transport, watched: Watched[Any], watched_id: str) -> AsyncGenerator[Any, None]:
        operation = {"query": watched.subscription, "variables": {"id": watched_id}}
        match transport:
            case "websocket":
                return self._websockets.values(operation)
            case "sse":
                return event_values(self._connection, operation, open_timeout_s=self._open_timeout_s)
            case "polling":
                return self._polled(watched, watched_id)

    async def _polled(self, watched: Watched[Any], watched_id: str) -> AsyncGenerator[Any, None]:
        while True:
            value = root_value(await self._connection.execute(watched.query, {"id": watched_id}))
            if value is None:
                raise watched.missing_error()
            yield value
            await asyncio.sleep(self._poll_interval_s * random.uniform(0.5, 1.0))
