"""Functions that record facts on the current trace span. Without tracing there is no current span: they do nothing.

OpenTelemetry's context contains the current span, and a task inherits it from the task that creates it.
`services/observability/tracing.py` creates spans.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from http import HTTPStatus
from weakref import WeakKeyDictionary

from opentelemetry.trace import Span, Status, StatusCode, get_current_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from services.models import Render, RenderStatus

SpanOf = Callable[[Render], AbstractContextManager[object]]

ERROR_TYPE = "error.type"

_propagator = TraceContextTextMapPropagator()
_call_spans_wanted = ContextVar("call_spans_wanted", default=True)
_recorded_steps: WeakKeyDictionary[Span, str] = WeakKeyDictionary()


def traceparent() -> str | None:
    """Return the current span as a `traceparent` of https://www.w3.org/TR/trace-context/; None without one."""
    headers: dict[str, str] = {}
    _propagator.inject(headers)
    return headers.get("traceparent")


def record_change(render: Render) -> None:
    """Record a stored change of the render; add an event if its phase or status differs from the last recorded one."""
    span = get_current_span()
    if not span.is_recording():
        return
    span.set_attributes({"rendercast.render.id": render.id, "rendercast.render.attempt": render.attempt})
    step = render.phase or render.status
    if step != _recorded_steps.get(span):
        _recorded_steps[span] = step
        span.add_event(step)
    if render.status is RenderStatus.FAILED and render.failure:
        record_failure(render.failure.code)


def record_failure(code: str) -> None:
    """Record that the current work failed because of the server, a dependency or the receiver."""
    span = get_current_span()
    span.set_attribute(ERROR_TYPE, code)
    span.set_status(Status(StatusCode.ERROR))


def record_rejection(code: str) -> None:
    """Record an error that the caller caused. The span's status stays unset, as the semantic conventions require."""
    get_current_span().set_attribute(ERROR_TYPE, code)


def record_response(status: int) -> None:
    """Record the HTTP status of the response."""
    get_current_span().set_attribute("http.response.status_code", status)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        record_failure(str(status))


def wants_call_span() -> bool:
    """Return whether a call to an adapter gets its own span: made within a span, and not in `without_call_spans`."""
    return _call_spans_wanted.get() and get_current_span().get_span_context().is_valid


@contextmanager
def without_call_spans() -> Iterator[None]:
    """Create no spans for calls to adapters within this context, for calls that are too frequent to be traced."""
    token = _call_spans_wanted.set(False)
    try:
        yield
    finally:
        _call_spans_wanted.reset(token)


def no_span(render: Render) -> AbstractContextManager[object]:
    """Return an empty context, used instead of the span of an attempt or webhook if tracing is off."""
    del render
    return nullcontext()
