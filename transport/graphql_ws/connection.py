"""The server's side of one graphql-transport-ws connection and its operations.

A client must authenticate within `INIT_TIMEOUT_S` seconds. A client that violates the protocol is disconnected with the
close code that the protocol defines. An error of one operation ends that operation only.
"""

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import ExitStack, aclosing, suppress
from dataclasses import dataclass, replace

from graphql import GraphQLError
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketDisconnected
from strawberry import Schema
from strawberry.types.execution import ExecutionResult, PreExecutionError

from auth.authenticator import Authenticator
from resolvers.context import Context, OperationSlot
from resolvers.errors import mask_error, result_too_large
from resolvers.execution.fast_path import FastPath, next_message
from resolvers.execution.projection import Result
from services.errors import TokenExpired, Unauthenticated
from services.json_text import write_json
from transport.authentication import identify
from transport.connection_limits import count_within_limit
from transport.graphql_ws.messages import (
    ClientMessage,
    CloseCode,
    Complete,
    ConnectionInit,
    Payload,
    Ping,
    Subscribe,
    SubscribePayload,
    parse_message,
)
from transport.text_writer import get_text_writer

INIT_TIMEOUT_S = 5.0
MAX_REASON_BYTES = 123  # RFC 6455, section 5.5: a control frame has at most 125 bytes, of which the code takes two
INIT_TIMEOUT = (CloseCode.INIT_TIMEOUT, "Connection initialisation timeout")
TOKEN_EXPIRED = (CloseCode.FORBIDDEN, str(TokenExpired()))
CLIENT_DISCONNECTED = (WebSocketDisconnect, WebSocketDisconnected)  # Starlette raises the first once, then the second


class ProtocolViolation(Exception):  # noqa: N818  # the protocol's term
    """The client violates the protocol. The connection is closed with this code and reason."""

    def __init__(self, code: CloseCode, reason: str) -> None:
        self.code = code
        self.reason = reason
        super().__init__(reason)


@dataclass(slots=True, kw_only=True)
class Operation:
    """An operation whose `complete` or `error` has not been sent yet."""

    task: asyncio.Task[None]
    fast_path: FastPath

    def cancel(self) -> None:
        """Stop sending results, and cancel the task."""
        self.fast_path.close()
        self.task.cancel()


class Connection:
    """An accepted WebSocket and its operations. `connections_per_user` is shared by all connections."""

    def __init__(
        self,
        websocket: WebSocket,
        *,
        context: Context,
        schema: Schema,
        authenticate: Authenticator,
        connections_per_user: Counter[str],
    ) -> None:
        self._websocket = websocket
        self._write_text = get_text_writer(websocket.scope)
        self._context = context
        self._schema = schema
        self._authenticate = authenticate
        settings = context.services.settings
        self._limits = settings.connections
        self._max_result_bytes = settings.graphql.max_result_bytes
        self._connections_per_user = connections_per_user
        self._init_received = False
        self._acknowledged = False
        self._deadline = asyncio.timeout(INIT_TIMEOUT_S)  # after the acknowledgement: the token's expiry
        self._operations: dict[str, Operation] = {}
        self._operation_slots = asyncio.Semaphore(settings.graphql.max_concurrent_operations)
        self._exit_stack = ExitStack()

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
            self._exit_stack.close()
            await self._cancel_operations()

    async def _receive_messages(self) -> None:
        while (received := await self._websocket.receive())["type"] != "websocket.disconnect":
            text = received.get("text")
            if text is None:
                raise ProtocolViolation(CloseCode.BAD_MESSAGE, "Messages must be text")
            try:
                message = parse_message(text)
            except ValueError as error:
                raise ProtocolViolation(CloseCode.BAD_MESSAGE, "Invalid message") from error
            await self._handle_message(message)

    async def _handle_message(self, message: ClientMessage) -> None:
        match message:
            case ConnectionInit(payload=payload):
                await self._handle_init(payload or {})
            case Ping(payload=payload):
                await self._send_pong(payload)
            case Subscribe(id=operation_id, payload=request):
                await self._handle_subscribe(operation_id, request)
            case Complete(id=operation_id):
                if operation := self._operations.pop(operation_id, None):
                    operation.cancel()
            case _:
                pass  # a pong needs no reply

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
        admission = count_within_limit(
            self._connections_per_user, self._context.caller.id, self._limits.max_connections_per_user
        )
        if not self._exit_stack.enter_context(admission):
            raise ProtocolViolation(CloseCode.TOO_MANY_REQUESTS, "Too many connections")
        self._deadline.reschedule(self._expires_at())
        await self._send({"type": "connection_ack"})
        self._acknowledged = True

    def _expires_at(self) -> float | None:
        """Return when the caller's identity expires, by the event loop's clock; None if it doesn't."""
        identity = self._context.identity
        if identity is None or identity.expires_at is None:
            return None
        left = identity.expires_at - self._context.services.clock.now()
        return asyncio.get_running_loop().time() + left.total_seconds()

    async def _handle_subscribe(self, operation_id: str, request: SubscribePayload) -> None:
        if not self._acknowledged:
            raise ProtocolViolation(CloseCode.UNAUTHORIZED, "Unauthorized")
        if operation_id in self._operations:
            raise ProtocolViolation(CloseCode.SUBSCRIBER_EXISTS, f"Subscriber for {operation_id[:50]} already exists")
        limit = self._limits.max_operations_per_connection
        if len(self._operations) >= limit:
            await self._send_error(operation_id, [_too_many_operations(limit)])
            return
        prefix = write_json({"id": operation_id, "type": "next"})[:-1]
        fast_path = FastPath(prefix, write=self._write_text, max_bytes=self._max_result_bytes)
        run = self._run_operation(operation_id, request, fast_path)
        task = asyncio.create_task(run, name=f"operation {operation_id}")
        self._operations[operation_id] = Operation(task=task, fast_path=fast_path)

    async def _run_operation(self, operation_id: str, request: SubscribePayload, fast_path: FastPath) -> None:
        """Send all results of an operation. The client may use the id again once `complete` or `error` is sent."""
        slot = OperationSlot(self._operation_slots)
        try:
            await self._send_results(operation_id, request, slot, fast_path)
        except CLIENT_DISCONNECTED:
            pass  # `run` handles it
        except Exception as error:  # noqa: BLE001  # logged with its id
            with suppress(*CLIENT_DISCONNECTED):
                await self._send_error(operation_id, [mask_error(GraphQLError(str(error)), error)])
        finally:
            slot.release()

    async def _send_results(
        self, operation_id: str, request: SubscribePayload, slot: OperationSlot, fast_path: FastPath
    ) -> None:
        results = await self._schema.stream(
            request.query,
            variable_values=request.variables,
            context_value=replace(self._context, slot=slot, fast_path=fast_path),
            operation_name=request.operationName,
        )
        async with aclosing(results):
            async for result in results:
                if not isinstance(result, ExecutionResult):
                    raise TypeError("incremental delivery is not supported")
                if isinstance(result, PreExecutionError):
                    await self._send_error(operation_id, result.errors or [])
                    return
                await self._send_next(fast_path.prefix, result)
        self._release_id(operation_id)
        await self._send({"id": operation_id, "type": "complete"})

    async def _send(self, message: Mapping[str, object]) -> None:
        await self._websocket.send_text(write_json(message).decode())

    async def _send_next(self, prefix: bytes, result: ExecutionResult) -> None:
        """Send a result, or an error in its place if it is too large."""
        text = _encode_next(prefix, result)
        if len(text) > self._max_result_bytes:
            error = result_too_large(self._max_result_bytes)
            text = _encode_next(prefix, ExecutionResult(data=None, errors=[error]))
        await self._websocket.send_text(text.decode())

    async def _send_error(self, operation_id: str, errors: Iterable[GraphQLError]) -> None:
        self._release_id(operation_id)
        await self._send({"id": operation_id, "type": "error", "payload": [error.formatted for error in errors]})

    def _release_id(self, operation_id: str) -> None:
        """Remove the operation that runs in the current task, unless its id has been used again since."""
        operation = self._operations.get(operation_id)
        if operation is not None and operation.task is asyncio.current_task():
            del self._operations[operation_id]

    async def _close(self, code: CloseCode, reason: str) -> None:
        truncated = reason.encode()[:MAX_REASON_BYTES].decode(errors="ignore")
        with suppress(*CLIENT_DISCONNECTED):
            await self._websocket.close(code, truncated)

    async def _cancel_operations(self) -> None:
        operations = list(self._operations.values())
        for operation in operations:
            operation.cancel()
        if operations:
            await asyncio.wait([operation.task for operation in operations])


def _encode_next(prefix: bytes, result: ExecutionResult) -> bytes:
    if isinstance(result.data, Result) and not result.errors:
        return next_message(prefix, result.data.text)
    payload: dict[str, object] = {"data": result.data}
    if result.errors:
        payload["errors"] = [error.formatted for error in result.errors]
    return b'%b,"payload":%b}' % (prefix, write_json(payload))


def _too_many_operations(limit: int) -> GraphQLError:
    return GraphQLError(
        f"A connection can have at most {limit} concurrent operations. Complete one first, or open another connection.",
        extensions={"code": "LIMIT_EXCEEDED"},
    )
