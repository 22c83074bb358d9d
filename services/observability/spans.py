"""What a trace is told of the work at hand, by code that needs not know whether there is one.

The span that the code works in is a context variable: it follows a task and what that starts. Where nobody traces there
is none, and all of this returns at once. `services/observability/tracing.py` makes spans.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from typing import TYPE_CHECKING

from services.models import Render
from services.observability import log_context

if TYPE_CHECKING:
    from services.observability.tracing import Span

SpanOf = Callable[[Render], AbstractContextManager[object]]

_present: ContextVar["Span | None"] = ContextVar("span", default=None)
_calls_wanted = ContextVar("calls_wanted", default=True)


def present() -> "Span | None":
    """Return the span that the code works in."""
    return _present.get()


def of_call() -> "Span | None":
    """Return the span that a call to an adapter is to be a part of; None if the call is not worth a span."""
    return _present.get() if _calls_wanted.get() else None


def traceparent() -> str | None:
    """Return where the present work is, as W3C Trace Context writes it, for what goes on with it elsewhere."""
    span = _present.get()
    return None if span is None else span.traceparent


def changed(render: Render) -> None:
    """Note a change of the render that the present work is for."""
    if (span := _present.get()) is not None:
        span.changed(render)


def failed(code: str) -> None:
    """Note that the present work came to nothing."""
    if (span := _present.get()) is not None:
        span.failed(code)


@contextmanager
def without_calls() -> Iterator[None]:
    """Have calls to adapters make no spans meanwhile: there are too many of them."""
    before = _calls_wanted.set(False)
    try:
        yield
    finally:
        _calls_wanted.reset(before)


@contextmanager
def within(span: "Span") -> Iterator[None]:
    """Make it the present span meanwhile, also of the log."""
    before, logged_before = _present.set(span), log_context.trace_id.set(span.trace_id)
    try:
        yield
    finally:
        log_context.trace_id.reset(logged_before)
        _present.reset(before)


def no_span(render: Render) -> AbstractContextManager[object]:
    """Return what stands for a span where nobody traces."""
    del render
    return nullcontext()
