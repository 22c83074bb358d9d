"""One client and its operations: the server's side of graphql-transport-ws, in the protocol's own words.

A connection is given a few seconds to say who it is. What doesn't keep to the protocol is answered by the close code
that the protocol has for it; what is wrong with one operation ends that operation only.
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

from auth.bearer import Authenticate
from resolvers.context import Context, OperationSlot
from resolvers.errors import masked, result_too_large
from resolvers.execution.fast_path import SEND_NOW, FastPath, SendNow, message, send_nothing
from resolvers.execution.projection import Result
from services.errors import TokenExpired, Unauthenticated
from services.json_text import write_json
from transport.authentication import identify
from transport.connection_limits import counted
from transport.graphql_ws.messages import (
    CloseCode,
    Complete,
    ConnectionInit,
    Message,
    Payload,
    Ping,
    Request,
    Subscribe,
    read_message,
)

INIT_TIMEOUT_S = 5.0
MAX_REASON_BYTES = 123  # RFC 6455, section 5.5: a control frame has 125, of which the code takes two
INIT_TIMEOUT = (CloseCode.INIT_TIMEOUT, "Connection initialisation timeout")
GONE = (WebSocketDisconnect, WebSocketDisconnected)  # for the first that writes to it, and for all others
TOKEN_EXPIRED = (CloseCode.FORBIDDEN, str(TokenExpired()))


class ProtocolViolation(Exception):  # noqa: N818  # the protocol's word
    """The client doesn't keep to the protocol; the connection ends with this code."""

    def __init__(self, code: CloseCode, reason: str) -> None:
        self.code = code
        self.reason = reason
        super().__init__(reason)


@dataclass(slots=True, kw_only=True)
class Operation:
    """What a client asked for and has not been told the end of."""

    task: asyncio.Task[None]
    feed: FastPath

    def cancel(self) -> None:
        """Tell no more of it."""
        self.feed.end()
        self.task.cancel()


class Connection:
    """One client that has been let in, and its operations."""

    def __init__(
        self,
        websocket: WebSocket,
        *,
        context: Context,
        schema: Schema,
        authenticate: Authenticate,
        of_user: Counter[str],
    ) -> None:
        self._websocket = websocket
        extensions = websocket.scope.get("extensions", {})
        self._send_now: SendNow = extensions.get(SEND_NOW, {}).get("send", send_nothing)
        self._context = context
        self._schema = schema
        self._authenticate = authenticate
        self._settings = context.services.settings
        self._of_user = of_user
        self._initialised = False
        self._acknowledged = False
        self._deadline = asyncio.timeout(INIT_TIMEOUT_S)
        self._operations: dict[str, Operation] = {}
        self._turns = asyncio.Semaphore(self._settings.max_operations_at_once)
        self._leaving = ExitStack()

    async def run(self) -> None:
        """Serve the client until either side ends the connection; all its operations have ended then."""
        try:
            async with self._deadline:
                await self._converse()
        except TimeoutError:
            await self._end(*(TOKEN_EXPIRED if self._acknowledged else INIT_TIMEOUT))
        except ProtocolViolation as violation:
            await self._end(violation.code, violation.reason)
        except GONE:
            pass  # it left while it was being answered
        finally:
            self._leaving.close()
            await self._end_operations()

    async def _converse(self) -> None:
        while (received := await self._websocket.receive())["type"] != "websocket.disconnect":
            text = received.get("text")
            if text is None:
                raise ProtocolViolation(CloseCode.BAD_MESSAGE, "Messages must be text")
            try:
                message = read_message(text)
            except ValueError as error:
                raise ProtocolViolation(CloseCode.BAD_MESSAGE, "Invalid message") from error
            await self._handle(message)

    async def _handle(self, message: Message) -> None:
        match message:
            case ConnectionInit(payload=payload):
                await self._initialise(payload or {})
            case Ping(payload=payload):
                await self._answer_ping(payload)
            case Subscribe(id=operation_id, payload=request):
                await self._subscribe(operation_id, request)
            case Complete(id=operation_id):
                if operation := self._operations.pop(operation_id, None):
                    operation.cancel()
            case _:
                pass  # a pong needs no answer

    async def _answer_ping(self, payload: Payload) -> None:
        try:
            await self._send({"type": "pong"} if payload is None else {"type": "pong", "payload": payload})
        except RecursionError as error:  # a little less deep than what can't be read
            raise ProtocolViolation(CloseCode.BAD_MESSAGE, "Invalid message") from error

    async def _initialise(self, params: dict[str, object]) -> None:
        if self._initialised:
            raise ProtocolViolation(CloseCode.TOO_MANY, "Too many initialisation requests")
        self._initialised = True
        refusal = await identify(self._context, self._authenticate, self._websocket, params)
        if isinstance(refusal, Unauthenticated):
            raise ProtocolViolation(CloseCode.FORBIDDEN, str(refusal))
        if refusal is not None:
            raise ProtocolViolation(CloseCode.TRY_AGAIN_LATER, "Please try again later.")
        admission = counted(self._of_user, self._context.caller.id, self._settings.max_connections_per_user)
        if not self._leaving.enter_context(admission):
            raise ProtocolViolation(CloseCode.TOO_MANY, "Too many connections")
        self._deadline.reschedule(self._expiry())
        await self._send({"type": "connection_ack"})
        self._acknowledged = True

    def _expiry(self) -> float | None:
        """Return when the caller's identity expires, by the event loop's clock; None if never."""
        identity = self._context.identity
        if identity is None or identity.expires_at is None:
            return None
        left = identity.expires_at - self._context.services.clock.now()
        return asyncio.get_running_loop().time() + left.total_seconds()

    async def _subscribe(self, operation_id: str, request: Request) -> None:
        if not self._acknowledged:
            raise ProtocolViolation(CloseCode.UNAUTHORIZED, "Unauthorized")
        if operation_id in self._operations:
            raise ProtocolViolation(CloseCode.SUBSCRIBER_EXISTS, f"Subscriber for {operation_id[:50]} already exists")
        limit = self._settings.max_operations_per_connection
        if len(self._operations) >= limit:
            await self._send_error(operation_id, [_too_many_operations(limit)])
            return
        head = write_json({"id": operation_id, "type": "next"})[:-1]
        feed = FastPath(head, send_now=self._send_now, longest=self._settings.max_result_bytes)
        task = asyncio.create_task(self._operate(operation_id, request, feed), name=f"operation {operation_id}")
        self._operations[operation_id] = Operation(task=task, feed=feed)

    async def _operate(self, operation_id: str, request: Request, feed: FastPath) -> None:
        """Send the results of an operation to its end. The client may use the id again as soon as it is told."""
        turn = OperationSlot(self._turns)
        try:
            await self._execute(operation_id, request, turn, feed)
        except GONE:
            pass  # nobody is left to tell
        except Exception as error:  # noqa: BLE001  # logged with its id
            with suppress(*GONE):
                await self._send_error(operation_id, [masked(GraphQLError(str(error)), error)])
        finally:
            turn.end()

    async def _execute(self, operation_id: str, request: Request, turn: OperationSlot, feed: FastPath) -> None:
        results = await self._schema.stream(
            request.query,
            variable_values=request.variables,
            context_value=replace(self._context, turn=turn, feed=feed),
            operation_name=request.operationName,
        )
        async with aclosing(results):
            async for result in results:
                if not isinstance(result, ExecutionResult):
                    raise TypeError("incremental delivery is not offered")
                if isinstance(result, PreExecutionError):
                    await self._send_error(operation_id, result.errors or [])
                    return
                await self._send_result(feed.head, result)
        self._forget(operation_id)
        await self._send({"id": operation_id, "type": "complete"})

    async def _send(self, message: Mapping[str, object]) -> None:
        await self._websocket.send_text(write_json(message).decode())

    async def _send_result(self, head: bytes, result: ExecutionResult) -> None:
        """Send a result in a message that begins like this."""
        text = _message(head, result)
        if len(text) > self._settings.max_result_bytes:
            refusal = result_too_large(self._settings.max_result_bytes)
            text = _message(head, ExecutionResult(data=None, errors=[refusal]))
        await self._websocket.send_text(text.decode())

    async def _send_error(self, operation_id: str, errors: Iterable[GraphQLError]) -> None:
        self._forget(operation_id)
        await self._send({"id": operation_id, "type": "error", "payload": [error.formatted for error in errors]})

    def _forget(self, operation_id: str) -> None:
        """Let the id be used again, unless it is already."""
        operation = self._operations.get(operation_id)
        if operation is not None and operation.task is asyncio.current_task():
            del self._operations[operation_id]

    async def _end(self, code: CloseCode, reason: str) -> None:
        brief = reason.encode()[:MAX_REASON_BYTES].decode(errors="ignore")
        with suppress(*GONE):
            await self._websocket.close(code, brief)

    async def _end_operations(self) -> None:
        operations = list(self._operations.values())
        for operation in operations:
            operation.cancel()
        if operations:
            await asyncio.wait([operation.task for operation in operations])


def _message(head: bytes, result: ExecutionResult) -> bytes:
    if isinstance(result.data, Result) and not result.errors:
        return message(head, result.data.text)
    payload: dict[str, object] = {"data": result.data}
    if result.errors:
        payload["errors"] = [error.formatted for error in result.errors]
    return b'%b,"payload":%b}' % (head, write_json(payload))


def _too_many_operations(limit: int) -> GraphQLError:
    return GraphQLError(
        f"There may be {limit} operations at once on a connection. Complete one first, or open another connection.",
        extensions={"code": "LIMIT_EXCEEDED"},
    )
