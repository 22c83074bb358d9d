"""One operation of a graphql-transport-ws connection."""

import asyncio
from collections.abc import Iterable, Mapping, MutableMapping

from graphql import GraphQLError
from starlette.websockets import WebSocket

from resolvers.execution.fast_path import FastPath, Framing
from resolvers.json_text import write_json
from transport.text_writer import get_text_writer


class Operation:
    """An operation whose `complete` or `error` has not been sent yet: the `ResultSender` of its results.

    It is in `operations`, by its id, until then; afterwards the client may use the id again.
    """

    __slots__ = ("_id", "_operations", "_websocket", "fast_path", "framing", "task")

    task: asyncio.Task[None]

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
        operations[operation_id] = self

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
        """Stop sending results, and cancel the task."""
        self.fast_path.close()
        self.task.cancel()

    async def _send_end(self, message: Mapping[str, object]) -> None:
        if self._operations.get(self._id) is self:  # not if the client has ended it, and used its id again
            del self._operations[self._id]
        await self._websocket.send_text(write_json(message).decode())
