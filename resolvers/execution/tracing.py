"""Spans of requests and of GraphQL operations, where there is a collector of traces."""

from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any

from graphql import ExecutionResult, GraphQLError, OperationType
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from resolvers.errors import cause_of
from resolvers.execution.executor import BoundedExecutor
from services.errors import Unavailable, UserError

if TYPE_CHECKING:
    from services.observability.tracing import Span, Tracing

ROUTE = "/graphql"
OF_TRACE = frozenset({b"traceparent", b"tracestate"})  # https://www.w3.org/TR/trace-context/


class TracedRequests:
    """Gives each request a span, in the trace that the caller's `traceparent` names."""

    def __init__(self, app: ASGIApp, tracing: "Tracing") -> None:
        self._app = app
        self._tracing = tracing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on a request and its answer."""
        headers = {name.decode(): value.decode("latin-1") for name, value in scope["headers"] if name in OF_TRACE}
        with self._tracing.request(scope["method"], ROUTE, headers) as span:

            def send_noted(message: Message) -> Awaitable[None]:
                if message["type"] == "http.response.start":
                    span.answered(int(message["status"]))
                return send(message)

            await self._app(scope, receive, send_noted)


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


def around_requests(tracing: "Tracing | None") -> list[Middleware]:
    """Return what goes around the route, nothing if nobody traces."""
    return [Middleware(TracedRequests, tracing)] if tracing else []


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
