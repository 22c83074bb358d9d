"""Executes one GraphQL operation and sends its results, for every transport that can send several.

The transports differ in the bytes around each result (`Framing`), in how an operation ends (`ResultSender`), and in how
clients authenticate and stop an operation.
"""

import asyncio
from collections.abc import Iterable
from contextlib import aclosing, suppress
from typing import Protocol

from graphql import GraphQLError
from starlette.requests import ClientDisconnect
from starlette.websockets import WebSocketDisconnect, WebSocketDisconnected
from strawberry import Schema
from strawberry.types.execution import ExecutionResult, PreExecutionError
from strawberry.types.graphql import OperationType

from resolvers.context import Context
from resolvers.errors import mask_error, result_too_large
from resolvers.execution.fast_path import DATA_END, DATA_START, Framing
from resolvers.execution.projection import Result
from resolvers.json_text import write_json
from transport.operation_request import OperationRequest

# For a WebSocket, Starlette raises the second once, then the third.
CLIENT_DISCONNECTED = (ClientDisconnect, WebSocketDisconnect, WebSocketDisconnected)


class ResultSender(Protocol):
    """Sends the messages of one operation to its client. Each method raises one of `CLIENT_DISCONNECTED`."""

    framing: Framing

    async def send(self, message: bytes) -> None:
        """Send a result in the framing. Waits while the client doesn't read."""
        ...

    async def fail(self, errors: Iterable[GraphQLError]) -> None:
        """Send the errors for which the operation ends. No other message follows."""
        ...

    async def complete(self) -> None:
        """Send that the operation has ended. No other message follows."""
        ...


class OperationRunner:
    """Executes operations on one schema. A result of more than `max_result_bytes` is replaced by an error."""

    def __init__(self, schema: Schema, *, max_result_bytes: int) -> None:
        self._schema = schema
        self.max_result_bytes = max_result_bytes

    async def run(
        self,
        request: OperationRequest,
        context: Context,
        sender: ResultSender,
        *,
        allowed_types: Iterable[OperationType] | None = None,
    ) -> None:
        """Send all results of an operation, or its errors, and its end. Releases the context's slot.

        Returns when the operation has ended or its client has disconnected; an error of the server is logged. By
        default every type of operation is allowed.
        """
        try:
            await self._send_results(request, context, sender, allowed_types)
        except CLIENT_DISCONNECTED:
            pass  # the transport detects it too
        except Exception as error:  # noqa: BLE001  # logged with its id
            with suppress(*CLIENT_DISCONNECTED):
                await sender.fail([mask_error(GraphQLError(str(error)), error)])
        finally:
            if context.slot is not None:
                context.slot.release()

    async def _send_results(
        self,
        request: OperationRequest,
        context: Context,
        sender: ResultSender,
        allowed_types: Iterable[OperationType] | None,
    ) -> None:
        context.document_id = request.document_id
        results = await self._schema.stream(
            request.query,
            variable_values=request.variables,
            context_value=context,
            operation_name=request.operationName,
            allowed_operation_types=allowed_types,
        )
        async with aclosing(results):
            async for result in results:
                if not isinstance(result, ExecutionResult):
                    raise TypeError("incremental delivery is not supported")
                if isinstance(result, PreExecutionError):
                    await sender.fail(result.errors or [])
                    return
                await sender.send(self._encode(result, sender.framing))
        await sender.complete()

    def _encode(self, result: ExecutionResult, framing: Framing) -> bytes:
        """Return the message with a result, or with an error in its place if it is too large."""
        message = framing.frame(_encode_result(result))
        if len(message) > self.max_result_bytes:
            error = result_too_large(self.max_result_bytes)
            message = framing.frame(_encode_result(ExecutionResult(data=None, errors=[error])))
        return message


def _encode_result(result: ExecutionResult) -> bytes:
    if isinstance(result.data, Result) and not result.errors:
        return DATA_START + result.data.text + DATA_END
    encoded: dict[str, object] = {"data": result.data}
    if result.errors:
        encoded["errors"] = [error.formatted for error in result.errors]
    return write_json(encoded)


def expires_at_s(context: Context) -> float | None:
    """Return when the caller's identity expires, in the event loop's time; None if it doesn't."""
    identity = context.identity
    if identity is None or identity.expires_at is None:
        return None
    left = identity.expires_at - context.services.clock.now()
    return asyncio.get_running_loop().time() + left.total_seconds()
