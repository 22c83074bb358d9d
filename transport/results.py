"""The results of operations as messages, for every transport that can send several.

The transports differ in the bytes around each result (`Framing`), and in how an operation ends (`ResultSender`).
"""

from collections.abc import Iterable
from typing import Protocol

import graphql
from graphql import GraphQLError
from starlette.requests import ClientDisconnect
from starlette.websockets import WebSocketDisconnect, WebSocketDisconnected
from strawberry.types.execution import ExecutionResult

from resolvers.errors import result_too_large
from resolvers.execution.fast_path import DATA_END, DATA_START, Framing
from resolvers.execution.projection import Result
from resolvers.json_text import write_json

# For a WebSocket, Starlette raises the second once, then the third.
CLIENT_DISCONNECTED = (ClientDisconnect, WebSocketDisconnect, WebSocketDisconnected)

AnyResult = Result | ExecutionResult | graphql.ExecutionResult


class ResultSender(Protocol):
    """Sends the messages of one operation to its client. Each method raises one of `CLIENT_DISCONNECTED`."""

    @property
    def framing(self) -> Framing:
        """What is around each result."""
        ...

    async def send(self, message: bytes) -> None:
        """Send a result in the framing. Waits while the client doesn't read."""
        ...

    async def fail(self, errors: Iterable[GraphQLError]) -> None:
        """Send the errors for which the operation ends. No other message follows."""
        ...

    async def complete(self) -> None:
        """Send that the operation has ended. No other message follows."""
        ...


def encode_message(result: AnyResult, framing: Framing, *, max_bytes: int) -> bytes:
    """Return the message with a result, or with an error in its place if it is too large."""
    message = framing.frame(_encode(result))
    if len(message) > max_bytes:
        message = framing.frame(_encode(ExecutionResult(data=None, errors=[result_too_large(max_bytes)])))
    return message


def _encode(result: AnyResult) -> bytes:
    data, errors = (result, None) if isinstance(result, Result) else (result.data, result.errors)
    if isinstance(data, Result) and not errors:
        return DATA_START + data.text + DATA_END
    encoded: dict[str, object] = {"data": data}
    if errors:
        encoded["errors"] = [error.formatted for error in errors]
    return write_json(encoded)
