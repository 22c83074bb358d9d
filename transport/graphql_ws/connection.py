"""The server's side of one graphql-transport-ws connection and its operations.

A client must authenticate in time. A client that violates the protocol is disconnected with the close code that the
protocol defines. An error of one operation ends that operation only.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace

from graphql import GraphQLError
from starlette.websockets import WebSocket

from auth.authenticator import Authenticator
from resolvers.context import Context, OperationSlot
from resolvers.json_text import write_json
from services.errors import TokenExpired, Unauthenticated
from transport.authentication import identify
from transport.connection_limits import KeyedSlot, log_too_many_connections
from transport.graphql_ws.messages import (
    ClientMessage,
    CloseCode,
    Complete,
    ConnectionInit,
    Payload,
    Ping,
    Subscribe,
    parse_message,
)
from transport.graphql_ws.operation import Operation
from transport.operation_request import OperationRequest
from transport.operations import OperationRunner, expires_at_s
from transport.results import CLIENT_DISCONNECTED

log = logging.getLogger(__name__)

MAX_REASON_BYTES = 123  # RFC 6455, section 5.5: a control frame has at most 125 bytes, of which the code takes two
INIT_TIMEOUT = (CloseCode.INIT_TIMEOUT, "Connection initialisation timeout")
TOKEN_EXPIRED = (CloseCode.FORBIDDEN, str(TokenExpired()))


class ProtocolViolation(Exception):  # noqa: N818  # the protocol's term
    """The client violates the protocol. The connection is closed with this code and reason."""

    def __init__(self, code: CloseCode, reason: str) -> None:
        self.code = code
        self.reason = reason
        super().__init__(reason)


class Connection:
    """An accepted WebSocket and its operations. `connections_per_user` is shared by all connections."""

    def __init__(
        self,
        websocket: WebSocket,
        *,
        context: Context,
        runner: OperationRunner,
        authenticate: Authenticator,
        connections_per_user: Counter[str],
    ) -> None:
        self._websocket = websocket
        self._context = context
        self._authenticate = authenticate
        settings = context.services.settings
        self._limits = settings.connections
        self._runner = runner
        self._connections_per_user = connections_per_user
        self._init_received = False
        self._acknowledged = False
        # After the acknowledgement, the deadline is the token's expiry.
        self._deadline = asyncio.timeout(self._limits.connection_init_timeout_s)
        self._operations: dict[str, Operation] = {}
        self._operation_slots: asyncio.Semaphore | None = None  # made when it is needed
        self._admission: KeyedSlot | None = None  # to the user's connections

    async def run(self) -> None:
        """Serve the client until either side closes the connection. Returns when all operations have ended."""
        try:
            async with self._deadline:
                await self._receive_messages()
        except TimeoutError:
            await self._close(*(TOKEN_EXPIRED if self._acknowledged else INIT_TIMEOUT))
        except ProtocolViolation as violation:
            await self._close(violation.code, violation.reason)
        except CLIENT_DISCONNECTED:
            pass  # detected while sending a message
        finally:
            if self._admission is not None:
                self._admission.release()
            await self._cancel_operations()

    async def _receive_messages(self) -> None:
        while (text := await self._receive_text()) is not None:
            try:
                message = parse_message(text)
            except ValueError as error:
                raise ProtocolViolation(CloseCode.BAD_MESSAGE, "Invalid message") from error
            await self._handle_message(message)
            del text, message  # not kept until the next one

    async def _receive_text(self) -> str | None:
        """Return the next message; None if the client has disconnected."""
        received = await self._websocket.receive()
        if received["type"] == "websocket.disconnect":
            return None
        text: str | None = received.get("text")
        if text is None:
            raise ProtocolViolation(CloseCode.BAD_MESSAGE, "Messages must be text")
        return text

    async def _handle_message(self, message: ClientMessage) -> None:
        match message:
            case ConnectionInit(payload=payload):
                await self._handle_init(payload or {})
            case Ping(payload=payload):
                await self._send_pong(payload)
            case Subscribe(id=operation_id, payload=request):
                await self._context.turn()
                await self._handle_subscribe(operation_id, request)
            case Complete(id=operation_id) if operation_id in self._operations:
                await self._context.turn()
                if operation := self._operations.pop(operation_id, None):  # not if it has ended meanwhile
                    operation.cancel()
            case _:
                pass  # a pong, or the completion of an operation that has ended

    async def _send_pong(self, payload: Payload) -> None:
        try:
            await self._send({"type": "pong"} if payload is None else {"type": "pong", "payload": payload})
        except RecursionError as error:  # the JSON writer's nesting limit is a little below the parser's
            raise ProtocolViolation(CloseCode.BAD_MESSAGE, "Invalid message") from error

    async def _handle_init(self, params: dict[str, object]) -> None:
        if self._init_received:
            raise ProtocolViolation(CloseCode.TOO_MANY_REQUESTS, "Too many initialisation requests")
        self._init_received = True
        error = await identify(self._context, self._authenticate, self._websocket, params)
        if isinstance(error, Unauthenticated):
            raise ProtocolViolation(CloseCode.FORBIDDEN, str(error))
        if error is not None:
            raise ProtocolViolation(CloseCode.TRY_AGAIN_LATER, "Please try again later.")
        limit = self._limits.max_connections_per_user
        self._admission = KeyedSlot(self._connections_per_user, self._context.caller.limit_key, limit)
        if not self._admission.acquire():
            log_too_many_connections("a WebSocket", limit)
            raise ProtocolViolation(CloseCode.TRY_AGAIN_LATER, "Too many connections")
        self._deadline.reschedule(expires_at_s(self._context))
        await self._send({"type": "connection_ack"})
        self._acknowledged = True

    async def _handle_subscribe(self, operation_id: str, request: OperationRequest) -> None:
        if not self._acknowledged:
            raise ProtocolViolation(CloseCode.UNAUTHORIZED, "Unauthorized")
        if operation_id in self._operations:
            raise ProtocolViolation(CloseCode.SUBSCRIBER_EXISTS, f"Subscriber for {operation_id[:50]} already exists")
        limit = self._limits.max_operations_per_connection
        if len(self._operations) >= limit:
            payload = [_too_many_operations(limit).formatted]
            await self._send({"id": operation_id, "type": "error", "payload": payload})
            return
        operation = Operation(
            operation_id, self._websocket, self._operations, max_result_bytes=self._runner.max_result_bytes
        )
        slot = OperationSlot(self._slots)
        context = replace(self._context, slot=slot, fast_path=operation.fast_path)
        operation.start(self._runner, request, context)

    def _slots(self) -> asyncio.Semaphore:
        """Return the slots for operations that are executed at the same time."""
        if self._operation_slots is None:
            limit = self._context.services.settings.graphql.max_concurrent_operations
            self._operation_slots = asyncio.Semaphore(limit)
        return self._operation_slots

    async def _send(self, message: Mapping[str, object]) -> None:
        await self._websocket.send_text(write_json(message).decode())

    async def _close(self, code: CloseCode, reason: str) -> None:
        truncated = reason.encode()[:MAX_REASON_BYTES].decode(errors="ignore")
        with suppress(*CLIENT_DISCONNECTED):
            await self._websocket.close(code, truncated)

    async def _cancel_operations(self) -> None:
        operations = list(self._operations.values())
        self._operations.clear()  # they refer to it
        for operation in operations:
            await self._context.turn()
            operation.cancel()
        if tasks := [operation.task for operation in operations if operation.task is not None]:
            await asyncio.wait(tasks)


def _too_many_operations(limit: int) -> GraphQLError:
    return GraphQLError(
        f"A connection can have at most {limit} concurrent operations. Complete one first, or open another connection.",
        extensions={"code": "LIMIT_EXCEEDED"},
    )
