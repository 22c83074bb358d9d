"""Traces for a collector of OpenTelemetry's; the only module that knows it, and loaded only where there is a collector.

Everything is set by OpenTelemetry's own variables. Spans are exported by a thread of their own from a bounded queue:
a collector that is slow or away costs spans and nothing else. Names and attributes are those of the semantic
conventions where these have one (https://opentelemetry.io/docs/specs/semconv/). What users wrote, their names, and
errors' own words are in none.
"""

import asyncio
import logging
import threading
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from functools import wraps
from typing import Any

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span as OpenTelemetrySpan
from opentelemetry.trace import SpanKind, Status, StatusCode, Tracer, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from services.errors import StartupError
from services.models import Render, RenderStatus
from services.observability import log_context, spans
from services.observability.wrapping import Adapter, Call, around

Attributes = Mapping[str, str | int]

FLUSH_S = 3.0  # for what was not exported yet when the process stops
MAX_NAME = 100  # of an operation, which clients choose
SERVER_FAULT = 500
ERROR_TYPE = "error.type"

log = logging.getLogger(__name__)


class Span:
    """One piece of work: when it began and ended, and what is known of it by then."""

    __slots__ = ("_span", "_told")

    def __init__(self, span: OpenTelemetrySpan) -> None:
        self._span = span
        self._told = ""

    @property
    def context(self) -> Context:
        """What a span is a child of this one by."""
        return set_span_in_context(self._span, Context())

    @property
    def traceparent(self) -> str:
        """Where this is, as https://www.w3.org/TR/trace-context/ has it."""
        known = self._span.get_span_context()
        return f"00-{known.trace_id:032x}-{known.span_id:016x}-{known.trace_flags:02x}"

    @property
    def trace_id(self) -> str:
        """The trace's id; empty if the trace is not kept."""
        return f"{self._span.get_span_context().trace_id:032x}" if self._span.is_recording() else ""

    def answered(self, status: int) -> None:
        """Note HTTP's status of the answer."""
        self._span.set_attribute("http.response.status_code", status)
        if status >= SERVER_FAULT:
            self.failed(str(status))

    def refused(self, code: str) -> None:
        """Note an error that is the caller's."""
        self._span.set_attribute(ERROR_TYPE, code)

    def failed(self, code: str) -> None:
        """Note an error."""
        self._span.set_attribute(ERROR_TYPE, code)
        self._span.set_status(Status(StatusCode.ERROR))

    def changed(self, render: Render) -> None:
        """Note what a render has become; of steps in the same phase only the first."""
        self._span.set_attributes({"rendercast.render.id": render.id, "rendercast.render.attempt": render.attempt})
        reached = render.phase or render.status
        if reached != self._told:
            self._told = reached
            self._span.add_event(reached)
        if render.status is RenderStatus.FAILED and render.failure:
            self.failed(render.failure.code)

    def end(self, at_ns: int | None = None) -> None:
        """End it, now unless it has ended before."""
        self._span.end(at_ns)


class Tracing:
    """Makes the spans of one process."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer
        self._contexts = TraceContextTextMapPropagator()

    def request(self, method: str, route: str, headers: Mapping[str, str]) -> AbstractContextManager[Span]:
        """Return the span of an HTTP request, in the trace that its headers name."""
        attributes = {"http.request.method": method, "http.route": route}
        if request_id := log_context.request_id.get():
            attributes["rendercast.request.id"] = request_id
        parent = self._contexts.extract(headers, Context())
        return self._span(f"{method} {route}", SpanKind.SERVER, attributes, parent)

    def operation(self, kind: str, name: str | None) -> AbstractContextManager[Span]:
        """Return the span of a GraphQL operation: of its execution, within its request if that has one."""
        attributes = {"graphql.operation.type": kind}
        if name:
            attributes["graphql.operation.name"] = name[:MAX_NAME]
        request = spans.present()
        return self._span(kind, SpanKind.SERVER, attributes, request.context if request else Context())

    def attempt(self, render: Render) -> AbstractContextManager[Span]:
        """Return the span of a worker's care for a render, from taking it to its end or to where it lets go of it."""
        return self._span("render attempt", SpanKind.CONSUMER, _of(render), self._start_of(render))

    def webhook(self, render: Render) -> AbstractContextManager[Span]:
        """Return the span of one sending of a webhook."""
        return self._span("send webhook", SpanKind.CLIENT, _of(render), self._start_of(render))

    def store(self, adapter: Adapter, *, system: str) -> Adapter:
        """Return the store with a span around each call that is a part of one; and for what a worker takes."""

        def wrap(call: Call, name: str) -> Call:
            attributes = {"db.system.name": system, "db.operation.name": name, "db.collection.name": "renders"}
            title = f"{name} renders"
            return self._taking(call, title, attributes) if name == "acquire" else self._part(call, title, attributes)

        return around(adapter, wrap)

    def pubsub(self, adapter: Adapter, *, system: str) -> Adapter:
        """Return the broker with a span around each call that is a part of one."""

        def wrap(call: Call, name: str) -> Call:
            attributes = {"messaging.system": system, "messaging.operation.name": name}
            return self._part(call, name, attributes, SpanKind.PRODUCER)

        return around(adapter, wrap)

    def backend(self, adapter: Adapter) -> Adapter:
        """Return the backend with a span around each start and cancel; it is looked at too often for more."""

        def wrap(call: Call, name: str) -> Call:
            return self._part(call, f"{name} render", {}) if name in {"start", "cancel"} else call

        return around(adapter, wrap)

    def _part(self, call: Call, title: str, attributes: Attributes, kind: SpanKind = SpanKind.CLIENT) -> Call:
        @wraps(call)
        async def traced(*args: Any, **options: Any) -> Any:
            whole = spans.of_call()
            if whole is None:
                return await call(*args, **options)
            with self._span(title, kind, attributes, whole.context):
                return await call(*args, **options)

        return traced

    def _taking(self, call: Call, title: str, attributes: Attributes) -> Call:
        """Return the call with a span when it has brought a render: only then is it known which trace it is in."""

        @wraps(call)
        async def traced(*args: Any, **options: Any) -> Any:
            began_ns = time.time_ns()
            render: Render | None = await call(*args, **options)
            if render is not None:
                self._tracer.start_span(
                    title, self._start_of(render), SpanKind.CLIENT, {**attributes, **_of(render)}, start_time=began_ns
                ).end()
            return render

        return traced

    def _start_of(self, render: Render) -> Context:
        """Return where the render was started, if that was traced."""
        return self._contexts.extract({"traceparent": render.traceparent} if render.traceparent else {}, Context())

    @contextmanager
    def _span(self, name: str, kind: SpanKind, attributes: Attributes, parent: Context) -> Iterator[Span]:
        """Make a span the present one meanwhile. An error that ends it is noted by its class alone."""
        span = Span(self._tracer.start_span(name, parent, kind, attributes))
        try:
            with spans.within(span):
                yield span
        except Exception as error:
            span.failed(type(error).__name__)
            raise
        finally:
            span.end()


@asynccontextmanager
async def open_tracing() -> AsyncIterator[Tracing]:
    """Trace until this is closed, and export what is left then, within a few seconds. Raises `StartupError`."""
    logging.getLogger("opentelemetry.exporter").setLevel(logging.ERROR)  # which else tells of each try
    try:
        exporter = OTLPSpanExporter()
        provider = TracerProvider(resource=_resource(), shutdown_on_exit=False)
        provider.add_span_processor(BatchSpanProcessor(exporter))
    except ValueError as error:
        raise StartupError(f"A variable OTEL_… is wrong: {error}.") from error
    try:
        yield Tracing(provider.get_tracer("rendercast"))
    finally:
        await _close(provider)


def _resource() -> Resource:
    """Return what tells this process from others: what the variables say, and our name if they say none."""
    resource = Resource.create()
    named = str(resource.attributes[SERVICE_NAME])
    return resource.merge(Resource({SERVICE_NAME: "rendercast"})) if named.startswith("unknown_service") else resource


async def _close(provider: TracerProvider) -> None:
    """Export what is left. The provider itself would wait for a collector that is away, and for longer."""
    closing = threading.Thread(target=provider.shutdown, name="export of spans", daemon=True)
    closing.start()
    await asyncio.to_thread(closing.join, FLUSH_S)
    if closing.is_alive():
        log.warning("the last spans were not exported within %g s", FLUSH_S)


def _of(render: Render) -> dict[str, str]:
    return {"rendercast.render.id": render.id}
