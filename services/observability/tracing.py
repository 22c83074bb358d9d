"""The spans of requests, operations, attempts and calls. Loaded only if traces are exported.

Names and attributes follow the semantic conventions where these define one
(https://opentelemetry.io/docs/specs/semconv/). No span contains users' texts, users' names or errors' messages.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from functools import wraps
from typing import Any

from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind, Tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from services.models import Render
from services.observability import log_context, spans
from services.observability.wrapping import Adapter, Call, wrap_calls

Attributes = Mapping[str, str | int]

MAX_NAME_LENGTH = 100  # of an operation's name, which clients choose


class Tracing:
    """Creates the spans of one process."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer
        self._propagator = TraceContextTextMapPropagator()

    def request(self, method: str, route: str, headers: Mapping[str, str]) -> AbstractContextManager[Span]:
        """Return the span of an HTTP request, in the trace of its `traceparent` header if it has one."""
        attributes = {"http.request.method": method, "http.route": route}
        if request_id := log_context.request_id.get():
            attributes["rendercast.request.id"] = request_id
        parent = self._propagator.extract(headers, Context())
        return self._span(f"{method} {route}", SpanKind.SERVER, attributes, parent)

    def operation(self, kind: str, name: str | None) -> AbstractContextManager[Span]:
        """Return the span of a GraphQL operation's execution, as a child of its request's span if there is one."""
        attributes = {"graphql.operation.type": kind}
        if name:
            attributes["graphql.operation.name"] = name[:MAX_NAME_LENGTH]
        return self._span(kind, SpanKind.SERVER, attributes)

    def attempt(self, render: Render) -> AbstractContextManager[Span]:
        """Return the span of a worker's run of a render, from its acquisition to its end or the loss of its lease."""
        return self._span("render attempt", SpanKind.CONSUMER, _render_attributes(render), self._start_of(render))

    def webhook(self, render: Render) -> AbstractContextManager[Span]:
        """Return the span of one delivery attempt of a webhook."""
        return self._span("send webhook", SpanKind.CLIENT, _render_attributes(render), self._start_of(render))

    def store(self, adapter: Adapter, *, system: str) -> Adapter:
        """Return the store with a span for each call within another span, and for each render acquired."""

        def wrap(call: Call, name: str) -> Call:
            attributes = {"db.system.name": system, "db.operation.name": name, "db.collection.name": "renders"}
            traced = self._traced_acquire if name == "acquire" else self._traced
            return traced(call, f"{name} renders", attributes)

        return wrap_calls(adapter, wrap)

    def pubsub(self, adapter: Adapter, *, system: str) -> Adapter:
        """Return the pub/sub adapter with a span for each call within another span."""

        def wrap(call: Call, name: str) -> Call:
            attributes = {"messaging.system": system, "messaging.operation.name": name}
            return self._traced(call, name, attributes, SpanKind.PRODUCER)

        return wrap_calls(adapter, wrap)

    def backend(self, adapter: Adapter) -> Adapter:
        """Return the backend with a span for each start and stop. Progress polls are too frequent for spans."""

        def wrap(call: Call, name: str) -> Call:
            return self._traced(call, f"{name} render", {}) if name in {"start", "stop"} else call

        return wrap_calls(adapter, wrap)

    def _traced(self, call: Call, title: str, attributes: Attributes, kind: SpanKind = SpanKind.CLIENT) -> Call:
        @wraps(call)
        async def traced(*args: Any, **options: Any) -> Any:
            if not spans.wants_call_span():
                return await call(*args, **options)
            with self._span(title, kind, attributes):
                return await call(*args, **options)

        return traced

    def _traced_acquire(self, call: Call, title: str, attributes: Attributes) -> Call:
        """Return the call with a span that is created after the call returned a render: its trace is unknown before."""

        @wraps(call)
        async def traced(*args: Any, **options: Any) -> Any:
            started_ns = time.time_ns()
            render: Render | None = await call(*args, **options)
            if render is not None:
                self._tracer.start_span(
                    title,
                    self._start_of(render),
                    SpanKind.CLIENT,
                    {**attributes, **_render_attributes(render)},
                    start_time=started_ns,
                ).end()
            return render

        return traced

    def _start_of(self, render: Render) -> Context:
        """Return the context in which the render was started; empty if that was not traced."""
        headers = {"traceparent": render.traceparent} if render.traceparent else {}
        return self._propagator.extract(headers, Context())

    @contextmanager
    def _span(self, name: str, kind: SpanKind, attributes: Attributes, parent: Context | None = None) -> Iterator[Span]:
        """Make a new span the current one within this context. `parent` is the current context by default.

        For an exception that leaves the context, only the class is recorded: the message may contain users' data.
        """
        with self._tracer.start_as_current_span(
            name, parent, kind, attributes, record_exception=False, set_status_on_exception=False
        ) as span:
            try:
                yield span
            except Exception as error:
                spans.record_failure(type(error).__name__)
                raise


def _render_attributes(render: Render) -> dict[str, str]:
    return {"rendercast.render.id": render.id}
