"""Trace spans of GraphQL operations."""

from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any

from graphql import ExecutionResult, GraphQLError, OperationType

from resolvers.errors import cause_of
from resolvers.execution.executor import BoundedExecutor
from services.errors import Unavailable, UserError
from services.observability import spans

if TYPE_CHECKING:
    from services.observability.tracing import Tracing


class TracedExecutor(BoundedExecutor):
    """Creates a span for each query and mutation. Subscriptions have none, since they have no bounded duration."""

    tracing: "Tracing"

    def execute_operation(self, serially: bool | None = None) -> Any:  # noqa: FBT001  # graphql-core's signature
        """Return the result, or an awaitable of it."""
        result = super().execute_operation(serially)
        return result if self.operation.operation is OperationType.SUBSCRIPTION else self._in_span(result)

    async def _in_span(self, execution: Awaitable[ExecutionResult]) -> ExecutionResult:
        name = self.operation.name.value if self.operation.name else None
        with self.tracing.operation(self.operation.operation.value, name):
            result = await execution
            for error in result.errors or ():
                _record_error(error)
        return result


def traced(executor: type[BoundedExecutor], tracing: "Tracing") -> type[BoundedExecutor]:
    """Return the executor class with spans."""
    return type("ConfiguredTracedExecutor", (TracedExecutor, executor), {"tracing": tracing})


def _record_error(error: GraphQLError) -> None:
    match cause_of(error):
        case None | GraphQLError():
            spans.record_rejection(UserError.code)
        case UserError(code=code):
            spans.record_rejection(code)
        case Unavailable(code=code):
            spans.record_failure(code)
        case bug:
            spans.record_failure(type(bug).__name__)
