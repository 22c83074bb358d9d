"""Subscriptions to a render: over a WebSocket, or over SSE where a proxy or firewall blocks WebSockets.

https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md
https://github.com/enisdenjo/graphql-sse/blob/master/PROTOCOL.md, distinct connections mode
"""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, aclosing, asynccontextmanager
from http import HTTPStatus

import aiohttp

from commands.client import documents
from commands.client.errors import CommandError, ServerUnreachableError
from commands.client.graphql_responses import connection_lost, graphql_error, root_value, unauthenticated
from commands.client.http_client import CONNECT_TIMEOUT_S, IDLE_TIMEOUT_S, unreachable
from commands.client.options import Server
from commands.client.responses import Json, Render, read_render, unexpected_response

SUBPROTOCOL = "graphql-transport-ws"
EVENT_STREAM = "text/event-stream"
UNAUTHENTICATED_CLOSE_CODES = {4401, 4403}  # the token is missing, invalid or expired
PERMANENT_CLOSE_CODES = {4400, 4406, 4409}


class NoWebSocketError(Exception):
    """A WebSocket could not be opened. The cause may be a proxy, or that the server is unavailable."""


class Subscriptions:
    """Subscribes to renders of one server. Uses SSE from the first time that only SSE has worked.

    A WebSocket that is not open and authenticated after `websocket_timeout_s` is considered blocked.
    """

    def __init__(
        self, http: aiohttp.ClientSession, server: Server, *, websocket_timeout_s: float = 2 * CONNECT_TIMEOUT_S
    ) -> None:
        self._http = http
        self._server = server
        self._websocket_timeout_s = websocket_timeout_s
        self._authorization = {"Authorization": f"Bearer {server.token}"} if server.token else {}
        self._is_websocket_blocked = False

    async def states(self, render_id: str) -> AsyncGenerator[Render, None]:
        """Yield the states that one connection receives. Raises `ServerUnreachableError` when it is lost."""
        if not self._is_websocket_blocked:
            try:
                async with aclosing(self._states_from_websocket(render_id)) as states:
                    async for render in states:
                        yield render
            except NoWebSocketError:
                pass
            else:
                return
        async with aclosing(self._states_from_events(render_id)) as states:
            async for render in states:
                yield render

    async def _states_from_websocket(self, render_id: str) -> AsyncGenerator[Render, None]:
        try:
            async with self._open_websocket() as socket:
                payload = _operation(render_id)
                await socket.send_json({"id": "1", "type": "subscribe", "payload": payload})
                while (message := await self._receive(socket))["type"] != "complete":
                    if message["type"] == "next":
                        yield read_render(root_value(message["payload"], self._server))
                    elif message["type"] == "error":
                        raise graphql_error(message["payload"], self._server)
                    elif message["type"] == "ping":
                        await socket.send_json({"type": "pong"})
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise unreachable(self._server.name, error) from error
        except (KeyError, TypeError, ValueError) as error:
            raise unexpected_response(error) from error

    @asynccontextmanager
    async def _open_websocket(self) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
        """Yield an authenticated WebSocket. Raises `NoWebSocketError`, or `CommandError` if the token is refused."""
        async with AsyncExitStack() as stack:
            try:
                async with asyncio.timeout(self._websocket_timeout_s):
                    socket = await stack.enter_async_context(self._connect())
                    await self._authenticate(socket)
            except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
                raise  # HTTP would fail too
            except (ServerUnreachableError, aiohttp.ClientError, TimeoutError, OSError) as error:
                raise NoWebSocketError from error
            yield socket

    def _connect(self) -> AbstractAsyncContextManager[aiohttp.ClientWebSocketResponse]:
        return self._http.ws_connect(
            self._server.websocket, protocols=(SUBPROTOCOL,), heartbeat=IDLE_TIMEOUT_S, autoping=True
        )

    async def _authenticate(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        await socket.send_json({"type": "connection_init", "payload": self._authorization})
        while (await self._receive(socket))["type"] != "connection_ack":
            pass

    async def _receive(self, socket: aiohttp.ClientWebSocketResponse) -> Json:
        """Return the next message. Raises `CommandError` if the connection is closed."""
        message = await socket.receive()
        if message.type is aiohttp.WSMsgType.TEXT:
            decoded: Json = json.loads(message.data)
            return decoded
        code, reason = socket.close_code, str(message.extra or "")
        if code in UNAUTHENTICATED_CLOSE_CODES:
            raise unauthenticated(reason or "Sign in to do this.", self._server)
        if code in PERMANENT_CLOSE_CODES:
            raise CommandError(f"{self._server.name} rejected the subscription: {reason} ({code}).", code="REFUSED")
        raise connection_lost(self._server)

    async def _states_from_events(self, render_id: str) -> AsyncGenerator[Render, None]:
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT_S, sock_read=IDLE_TIMEOUT_S)
        headers = {"Accept": EVENT_STREAM, **self._authorization}
        try:
            async with self._http.post(
                self._server.endpoint, json=_operation(render_id), headers=headers, timeout=timeout
            ) as response:
                if response.content_type != EVENT_STREAM:
                    raise self._no_event_stream(response.status)
                self._is_websocket_blocked = True
                async with aclosing(_results(response.content)) as results:
                    async for result in results:
                        yield read_render(root_value(result, self._server))
        except EOFError:
            raise connection_lost(self._server) from None
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise unreachable(self._server.name, error) from error
        except (KeyError, TypeError, ValueError) as error:
            raise unexpected_response(error) from error

    def _no_event_stream(self, status: int) -> CommandError:
        message = f"{self._server.name} responded with status {status} to the subscription."
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.TOO_MANY_REQUESTS:
            return ServerUnreachableError(message, response_lost=True)
        return CommandError(f"{message} Check that its proxies allow WebSockets.", code="NO_WEBSOCKET")


def _operation(render_id: str) -> Json:
    return {"query": documents.PROGRESS, "variables": {"id": render_id}}


async def _results(lines: aiohttp.StreamReader) -> AsyncGenerator[Json, None]:
    """Yield the results of an event stream until it is complete. Raises `EOFError` if it ends before."""
    async for line in lines:
        field, _, value = line.decode().rstrip("\r\n").partition(":")
        if field == "event" and value.strip() == "complete":
            return
        if field == "data":
            result: Json = json.loads(value)
            yield result
    raise EOFError
