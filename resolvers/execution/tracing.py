"""Trace spans of GraphQL operations."""

from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any

from graphql import ExecutionResult, GraphQLError, OperationType

from resolvers.errors import cause_of
from resolvers.execution.executor import BoundedExecutor
from services.errors import Unavailable, UserError

if TYPE_CHECKING:
    from services.observability.tracing import Span, Tracing


class TracedExecutor(BoundedExecutor):
    """Gives each query and mutation a span. Subscriptions have none: they last as long as somebody watches."""

    tracing: "Tracing"

    def execute_operation(self, serially: bool | None = None) -> Any:  # noqa: FBT001  # graphql-core's signature
        """Return the result, or what it can be awaited by."""
        result = super().execute_operation(serially)
        return result if self.operation.operation is OperationType.SUBSCRIPTION else self._in_span(result)

    async def _in_span(self, executed: Awaitable[ExecutionResult]) -> ExecutionResult:
        name = self.operation.name.value if self.operation.name else None
        with self.tracing.operation(self.operation.operation.value, name) as span:
            result = await executed
            for error in result.errors or ():
                _note(error, span)
        return result


def traced(executor: type[BoundedExecutor], tracing: "Tracing") -> type[BoundedExecutor]:
    """Return the executor with spans."""
    return type("TracedExecutorWithin", (TracedExecutor, executor), {"tracing": tracing})


def _note(error: GraphQLError, span: "Span") -> None:
    match cause_of(error):
        case None | GraphQLError():
            span.refused(UserError.code)
        case UserError(code=code):
            span.refused(code)
        case Unavailable(code=code):
            span.failed(code)
        case bug:
            span.failed(type(bug).__name__)
