"""One operation of a graphql-transport-ws connection."""

import asyncio
from collections.abc import Iterable, Mapping, MutableMapping

from graphql import GraphQLError
from starlette.websockets import WebSocket

from resolvers.context import Context
from resolvers.execution.fast_path import FastPath, Framing
from resolvers.json_text import write_json
from transport.live_subscription import LiveSubscription
from transport.operation_request import OperationRequest
from transport.operations import OperationRunner
from transport.text_writer import get_text_writer


class Operation:
    """An operation whose `complete` or `error` has not been sent yet: the `ResultSender` of its results.

    It is in `operations`, by its id, until then; afterwards the client may use the id again.
    """

    __slots__ = ("_id", "_live", "_operations", "_websocket", "fast_path", "framing", "task")

    task: asyncio.Task[None] | None  # None while a subscription goes on without one

    def __init__(
        self,
        operation_id: str,
        websocket: WebSocket,
        operations: MutableMapping[str, "Operation"],
        *,
        max_result_bytes: int,
    ) -> None:
        self._id = operation_id
        self._websocket = websocket
        self._operations = operations
        self.framing = Framing(write_json({"id": operation_id, "type": "next"})[:-1] + b',"payload":', b"}")
        self.fast_path = FastPath(self.framing, write=get_text_writer(websocket.scope), max_bytes=max_result_bytes)
        self._live: LiveSubscription | None = None
        self.task = None
        operations[operation_id] = self

    def start(self, runner: OperationRunner, request: OperationRequest, context: Context) -> None:
        """Execute the operation."""
        self.task = asyncio.create_task(self._run(runner, request, context))

    async def send(self, message: bytes) -> None:
        """Send a result."""
        await self._websocket.send_text(message.decode())

    async def fail(self, errors: Iterable[GraphQLError]) -> None:
        """Send the errors for which the operation ends."""
        payload = [error.formatted for error in errors]
        await self._send_end({"id": self._id, "type": "error", "payload": payload})

    async def complete(self) -> None:
        """Send that the operation has ended."""
        await self._send_end({"id": self._id, "type": "complete"})

    def cancel(self) -> None:
        """Stop sending results. The operation has ended when `task` is done."""
        self.fast_path.close()
        live, self._live = self._live, None  # it refers to this object
        if live is not None:
            self.task = asyncio.create_task(live.close())
        elif self.task is not None:
            self.task.cancel()

    async def _run(self, runner: OperationRunner, request: OperationRequest, context: Context) -> None:
        self._live = await runner.run(request, context, self)
        if self._live is not None:
            self.task = None

    async def _send_end(self, message: Mapping[str, object]) -> None:
        await self._websocket.send_text(write_json(message).decode())
        # Now, since an operation whose end waits for the client to read counts towards the limit.
        if self._operations.get(self._id) is self:  # not if the client has ended it, and used its id again
            del self._operations[self._id]
