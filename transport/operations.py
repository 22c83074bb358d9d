"""Executes one GraphQL operation and sends its results, for every transport that can send several.

The transports also differ in how clients authenticate and stop an operation.
"""

import asyncio
from collections.abc import Collection
from contextlib import aclosing, suppress

from graphql import GraphQLError
from strawberry.types.execution import ExecutionResult, PreExecutionError
from strawberry.types.graphql import OperationType

from resolvers.context import Context
from resolvers.errors import mask_error
from resolvers.schema import RendercastSchema
from transport.live_subscription import LiveSubscription
from transport.operation_request import OperationRequest
from transport.results import CLIENT_DISCONNECTED, ResultSender, encode_message


class OperationRunner:
    """Executes operations on one schema. A result of more than `max_result_bytes` is replaced by an error."""

    def __init__(self, schema: RendercastSchema, *, max_result_bytes: int) -> None:
        self._schema = schema
        self.max_result_bytes = max_result_bytes

    async def run(
        self,
        request: OperationRequest,
        context: Context,
        sender: ResultSender,
        *,
        allowed_types: Collection[OperationType] | None = None,
    ) -> LiveSubscription | None:
        """Send all results of an operation, or its errors, and its end. Releases the context's slot.

        Returns when the operation has ended or its client has disconnected; an error of the server is logged. Returns
        a subscription that has not ended if it goes on by itself; the caller must close it. By default every type of
        operation is allowed.
        """
        try:
            if allowed_types is None or OperationType.SUBSCRIPTION in allowed_types:
                live = self._live(request, context, sender)
                if live is not None:
                    return live if await live.start() else None
            await self._send_results(request, context, sender, allowed_types)
        except CLIENT_DISCONNECTED:
            pass  # the transport detects it too
        except Exception as error:  # noqa: BLE001  # logged with its id
            with suppress(*CLIENT_DISCONNECTED):
                await sender.fail([mask_error(GraphQLError(str(error)), error)])
        finally:
            if context.slot is not None:
                context.slot.release()
        return None

    def _live(self, request: OperationRequest, context: Context, sender: ResultSender) -> LiveSubscription | None:
        """Return a subscription that starts without graphql-core; None for other operations."""
        context.document_id = request.document_id
        compiled = self._schema.compiled_subscription(
            request.query, request.operationName, request.variables or {}, context
        )
        if compiled is None:
            return None
        return LiveSubscription(compiled, sender, max_bytes=self.max_result_bytes)

    async def _send_results(
        self,
        request: OperationRequest,
        context: Context,
        sender: ResultSender,
        allowed_types: Collection[OperationType] | None,
    ) -> None:
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
                await sender.send(encode_message(result, sender.framing, max_bytes=self.max_result_bytes))
        await sender.complete()


def expires_at_s(context: Context) -> float | None:
    """Return when the caller's identity expires, in the event loop's time; None if it doesn't."""
    identity = context.identity
    if identity is None or identity.expires_at is None:
        return None
    left = identity.expires_at - context.services.clock.now()
    return asyncio.get_running_loop().time() + left.total_seconds()
