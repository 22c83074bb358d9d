"""Spans as an exporter in memory gets them; whole processes are in `tests/end_to_end/test_tracing.py`."""

import asyncio

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ParentBased

from services.errors import StoreUnavailable
from services.models import Failure, RenderPhase, RenderStatus, replace
from services.observability import log_context, spans
from services.observability.tracing import Tracing
from tests.conftest import MakeRender
from tests.support.fakes import MemoryStore

TRACE = "0af7651916cd43dd8448eb211c80319c"
HEADERS = {"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"}


class Watched:
    """Tracing, and what it has exported."""

    def __init__(self, *, sampled: bool = True) -> None:
        self._exporter = InMemorySpanExporter()
        provider = TracerProvider(sampler=None if sampled else ParentBased(ALWAYS_OFF), shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.tracing = Tracing(provider.get_tracer("test"))

    @property
    def spans(self) -> list[ReadableSpan]:
        return list(self._exporter.get_finished_spans())


async def test_a_call_is_a_part_of_what_it_is_made_in_and_else_nothing() -> None:
    watched = Watched()
    store = watched.tracing.store(MemoryStore(), system="memory")
    await store.queue()
    assert watched.spans == []
    with watched.tracing.operation("query", "Look"):
        await store.queue()
        with spans.without_calls():
            await store.queue()
        await asyncio.create_task(store.queue())
    first, second, operation = watched.spans
    assert first.name == second.name == "queue renders"
    assert first.parent is not None
    assert second.parent is not None
    assert operation.context is not None
    assert first.parent.span_id == second.parent.span_id == operation.context.span_id


async def test_an_error_is_told_by_its_class_and_not_in_its_words() -> None:
    watched, memory = Watched(), MemoryStore()
    memory.away = True
    with watched.tracing.request("POST", "/graphql", {}) as request:
        request.answered(503)
        with pytest.raises(StoreUnavailable):
            await watched.tracing.store(memory, system="memory").queue()
    failed, answered = watched.spans
    assert (failed.attributes or {})["error.type"] == "StoreUnavailable"
    assert (answered.attributes or {})["error.type"] == "503"
    for span in (failed, answered):
        assert not span.status.is_ok
        assert span.status.description is None
        assert not span.events


def test_a_render_goes_on_with_the_trace_that_it_was_started_in(make_render: MakeRender) -> None:
    watched = Watched()
    with watched.tracing.request("POST", "/graphql", HEADERS), watched.tracing.operation("mutation", None):
        traceparent = spans.traceparent()
        assert log_context.known()["trace_id"] == TRACE
    assert log_context.known() == {}
    assert spans.traceparent() is None
    for span_of in (watched.tracing.attempt, watched.tracing.webhook):
        with span_of(make_render(traceparent=traceparent)):
            pass
    operation, request, attempt, webhook = watched.spans
    assert {f"{span.context.trace_id:032x}" for span in watched.spans if span.context} == {TRACE}
    assert request.parent is not None
    assert f"{request.parent.span_id:016x}" == "b7ad6b7169203331"
    assert operation.context is not None
    for later in (attempt, webhook):
        assert later.parent is not None
        assert later.parent.span_id == operation.context.span_id


@pytest.mark.parametrize("traceparent", [None, "", "nonsense", f"00-{'0' * 32}-{'0' * 16}-01"])
def test_a_render_that_was_started_in_no_trace_begins_one(make_render: MakeRender, traceparent: str | None) -> None:
    watched = Watched()
    with watched.tracing.attempt(make_render(traceparent=traceparent)):
        pass
    assert watched.spans[0].parent is None


def test_an_attempt_tells_each_phase_once_and_why_its_render_failed(make_render: MakeRender) -> None:
    watched = Watched()
    render = make_render(status=RenderStatus.RENDERING, phase=RenderPhase.LAUNCHING, attempt=1)
    with watched.tracing.attempt(render), spans.without_calls():
        spans.changed(render)
        spans.changed(replace(render, progress=5))
        spans.changed(replace(render, phase=RenderPhase.ENCODING))
        failure = Failure(code="RENDER_FAILED", message="No.", retryable=False, detail="what a user wrote")
        spans.changed(replace(render, phase=None, status=RenderStatus.FAILED, failure=failure))
    (attempt,) = watched.spans
    assert [event.name for event in attempt.events] == ["launching", "encoding", "failed"]
    assert (attempt.attributes or {})["error.type"] == "RENDER_FAILED"
    assert "wrote" not in attempt.to_json()


def test_a_trace_that_is_not_kept_is_not_named_in_the_log_but_passed_on() -> None:
    watched = Watched(sampled=False)
    with watched.tracing.operation("mutation", None):
        assert "trace_id" not in log_context.known()
        assert int((spans.traceparent() or "")[-2:], 16) & 1 == 0, "not sampled"
    assert watched.spans == []


def test_nothing_happens_where_nobody_traces(make_render: MakeRender) -> None:
    spans.changed(make_render())
    spans.failed("RENDER_FAILED")
    with spans.no_span(make_render()), spans.without_calls():
        assert spans.of_call() is None
        assert spans.traceparent() is None
