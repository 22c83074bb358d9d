"""ASGI middleware that records a trace span for each HTTP request."""

from collections.abc import Awaitable
from typing import TYPE_CHECKING

from starlette.middleware import Middleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.observability import spans

if TYPE_CHECKING:
    from services.observability.tracing import Tracing

ROUTE = "/graphql"
TRACE_HEADERS = frozenset({b"traceparent", b"tracestate"})  # https://www.w3.org/TR/trace-context/


class TracedRequests:
    """Records a span for each request, in the trace that the request's `traceparent` header names."""

    def __init__(self, app: ASGIApp, tracing: "Tracing") -> None:
        self._app = app
        self._tracing = tracing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the application in a span that gets the response's status."""
        headers = {name.decode(): value.decode("latin-1") for name, value in scope["headers"] if name in TRACE_HEADERS}
        with self._tracing.request(scope["method"], ROUTE, headers):

            def send_recorded(message: Message) -> Awaitable[None]:
                if message["type"] == "http.response.start":
                    spans.record_response(int(message["status"]))
                return send(message)

            await self._app(scope, receive, send_recorded)


def tracing_middleware(tracing: "Tracing | None") -> list[Middleware]:
    """Return the middleware of the route; an empty list if tracing is off."""
    return [Middleware(TracedRequests, tracing)] if tracing else []
