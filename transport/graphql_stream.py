"""Responses with several GraphQL results: GraphQL over SSE and multipart subscriptions.

A response is one operation. The client ends it by closing the connection.
"""

import asyncio
from collections import Counter
from collections.abc import Collection, Iterable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from functools import partial
from http import HTTPStatus

from graphql import GraphQLError
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Receive, Scope, Send
from strawberry.types.graphql import OperationType

from resolvers.context import Context
from resolvers.execution.fast_path import FastPath, Framing, TextWriter
from services.errors import LimitExceeded, TokenExpired
from services.settings import ConnectionSettings
from transport.connection_limits import KeyedSlot, log_too_many_connections
from transport.graphql_request import BadRequest
from transport.json_response import error_response
from transport.open_stream import open_stream
from transport.operation_request import OperationRequest
from transport.operations import OperationRunner, expires_at_s
from transport.stream_formats import StreamFormat

MAX_KEEP_ALIVE_INTERVAL_S = 7.0  # proxies with a read timeout of 10 s must not end a stream without changes
HEADERS = (
    (b"cache-control", b"no-store, no-transform"),  # a compressing proxy would buffer
    (b"x-accel-buffering", b"no"),  # read by nginx and others
)


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamedRequest:
    """A request whose response is a stream."""

    format: StreamFormat
    operation: OperationRequest
    context: Context
    allowed_types: Collection[OperationType]


class GraphQLStreams:
    """Creates streams within the limit per user. `connections_per_user` is shared with WebSockets."""

    def __init__(
        self, settings: ConnectionSettings, *, runner: OperationRunner, connections_per_user: Counter[str]
    ) -> None:
        self._settings = settings
        self._runner = runner
        self._connections_per_user = connections_per_user

    def response(self, streamed: StreamedRequest) -> ASGIApp:
        """Return the response to a request."""
        return partial(self._serve, streamed)

    async def _serve(self, streamed: StreamedRequest, scope: Scope, receive: Receive, send: Send) -> None:
        """Send all results, until the operation has ended or the client disconnects. Sends 429 beyond the limit."""
        with ExitStack() as stack:
            identity = streamed.context.identity
            if identity is not None:  # operations of anonymous callers end immediately: only queries are possible
                limit = self._settings.max_connections_per_user
                admission = KeyedSlot(self._connections_per_user, identity.caller.limit_key, limit)
                if not stack.enter_context(admission):
                    log_too_many_connections("a stream", limit)
                    await error_response(_too_many_connections(limit))(scope, receive, send)
                    return
            stack.enter_context(streamed.context.services.metrics.connected())
            keep_alive_s = min(MAX_KEEP_ALIVE_INTERVAL_S, self._settings.ping_interval_s)
            await _Stream(streamed, self._runner, send, keep_alive_s=keep_alive_s).run(scope, receive)


class _Stream:
    """One stream: the `ResultSender` of its operation."""

    def __init__(self, streamed: StreamedRequest, runner: OperationRunner, send: Send, *, keep_alive_s: float) -> None:
        self._streamed = streamed
        self._format = streamed.format
        self.framing: Framing = streamed.format.framing
        self._runner = runner
        self._send = send
        self._keep_alive_s = keep_alive_s
        self._deadline = asyncio.timeout_at(expires_at_s(streamed.context))
        self._server_stops = False
        self._is_started = False
        self._is_complete = False

    async def send(self, message: bytes) -> None:
        """Send a result."""
        await self._send_body(message, more_body=True)

    async def fail(self, errors: Iterable[GraphQLError]) -> None:
        """Send the errors for which the operation ends."""
        await self._send_body(self._format.failure(errors) + self._format.completion, more_body=False)

    async def complete(self) -> None:
        """Send that the operation has ended."""
        await self._send_body(self._format.completion, more_body=False)

    async def run(self, scope: Scope, receive: Receive) -> None:
        """Serve the stream. The expiry of the token and a shutdown end it early."""
        try:
            async with self._deadline:
                await self._serve(scope, receive)
        except TimeoutError:
            await self._end_early()
        except ClientDisconnect:
            pass

    async def _serve(self, scope: Scope, receive: Receive) -> None:
        write = open_stream(scope, self._end_for_restart)
        await self._send_head()
        if scope["method"] == "HEAD":
            await self._send_body(b"", more_body=False)
            return
        await self._send_body(self._format.opening, more_body=True)
        fast_path = FastPath(self.framing, write=write, max_bytes=self._runner.max_result_bytes)
        operation = asyncio.create_task(self._run_operation(fast_path), name="operation of a stream")
        try:
            await self._wait_for_disconnect(receive, write)
        finally:
            fast_path.close()
            operation.cancel()
            await asyncio.wait([operation])

    async def _run_operation(self, fast_path: FastPath) -> None:
        context = replace(self._streamed.context, fast_path=fast_path)
        allowed_types = self._streamed.allowed_types
        await context.turn()
        live = await self._runner.run(self._streamed.operation, context, self, allowed_types=allowed_types)
        if live is not None:
            try:
                await live.wait()
            finally:
                await live.close()

    async def _wait_for_disconnect(self, receive: Receive, write: TextWriter) -> None:
        """Return when the client has disconnected or the response is complete. Meanwhile, send keep-alives."""
        while True:
            try:
                async with asyncio.timeout(self._keep_alive_s):
                    message = await receive()
            except TimeoutError:
                write(self._format.keep_alive)  # not to a client that doesn't read, whose connection has a timeout
            else:
                if message["type"] == "http.disconnect":
                    return

    def _end_for_restart(self) -> None:
        """End the stream on shutdown: this is the `ShutdownListener`."""
        self._server_stops = True
        with suppress(RuntimeError):  # the stream is ending already
            self._deadline.reschedule(asyncio.get_running_loop().time())

    async def _end_early(self) -> None:
        if self._is_complete:
            return
        if not self._is_started:  # while the client did not read an earlier response
            await self._send_head()
        if self._server_stops:
            end = self._format.shutdown
        else:
            error = TokenExpired()
            errors = [GraphQLError(str(error), extensions={"code": error.code})]
            end = self._format.interrupted(errors) + self._format.completion
        await self._send_body(end, more_body=False)

    async def _send_head(self) -> None:
        headers = [(b"content-type", self._format.content_type), *HEADERS]
        await self._send({"type": "http.response.start", "status": HTTPStatus.OK, "headers": headers})
        self._is_started = True

    async def _send_body(self, body: bytes, *, more_body: bool) -> None:
        """Send a part of the body. Raises `ClientDisconnect`; uvicorn does not, but ends `receive`.

        https://asgi.readthedocs.io/en/latest/specs/www.html#disconnected-client-send-exception
        """
        try:
            await self._send({"type": "http.response.body", "body": body, "more_body": more_body})
        except OSError as error:
            raise ClientDisconnect from error
        self._is_complete = not more_body


def _too_many_connections(limit: int) -> BadRequest:
    message = f"A user can have at most {limit} open connections. Close one, then try again."
    return BadRequest(HTTPStatus.TOO_MANY_REQUESTS, message, (b"retry-after", b"5"), code=LimitExceeded.code)
