"""Spans as an in-memory exporter receives them. `tests/end_to_end/test_tracing.py` tests whole processes."""

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
from tests.support.memory_store import MemoryStore

TRACE = "0af7651916cd43dd8448eb211c80319c"
HEADERS = {"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"}


class ExportedTracing:
    """Tracing, and the spans that it exported."""

    def __init__(self, *, sampled: bool = True) -> None:
        self._exporter = InMemorySpanExporter()
        provider = TracerProvider(sampler=None if sampled else ParentBased(ALWAYS_OFF), shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.tracing = Tracing(provider.get_tracer("test"))

    @property
    def spans(self) -> list[ReadableSpan]:
        return list(self._exporter.get_finished_spans())


async def test_a_call_has_a_span_only_within_another_span() -> None:
    exported = ExportedTracing()
    store = exported.tracing.store(MemoryStore(), system="memory")
    await store.queue()
    assert exported.spans == []
    with exported.tracing.operation("query", "List"):
        await store.queue()
        with spans.without_call_spans():
            await store.queue()
        await asyncio.create_task(store.queue())
    first, second, operation = exported.spans
    assert first.name == second.name == "queue renders"
    assert first.parent is not None
    assert second.parent is not None
    assert operation.context is not None
    assert first.parent.span_id == second.parent.span_id == operation.context.span_id


async def test_an_exception_is_recorded_by_its_class_and_not_by_its_message() -> None:
    exported, memory = ExportedTracing(), MemoryStore()
    memory.unavailable = True
    with exported.tracing.request("POST", "/graphql", {}):
        spans.record_response(503)
        with pytest.raises(StoreUnavailable):
            await exported.tracing.store(memory, system="memory").queue()
    failed, responded = exported.spans
    assert (failed.attributes or {})["error.type"] == "StoreUnavailable"
    assert (responded.attributes or {})["error.type"] == "503"
    for span in (failed, responded):
        assert not span.status.is_ok
        assert span.status.description is None
        assert not span.events


def test_a_render_continues_the_trace_in_which_it_was_started(make_render: MakeRender) -> None:
    exported = ExportedTracing()
    with exported.tracing.request("POST", "/graphql", HEADERS), exported.tracing.operation("mutation", None):
        traceparent = spans.traceparent()
        assert log_context.current_ids()["trace_id"] == TRACE
    assert log_context.current_ids() == {}
    assert spans.traceparent() is None
    for span_of in (exported.tracing.attempt, exported.tracing.webhook):
        with span_of(make_render(traceparent=traceparent)):
            pass
    operation, request, attempt, webhook = exported.spans
    assert {f"{span.context.trace_id:032x}" for span in exported.spans if span.context} == {TRACE}
    assert request.parent is not None
    assert f"{request.parent.span_id:016x}" == "b7ad6b7169203331"
    assert operation.context is not None
    for later in (attempt, webhook):
        assert later.parent is not None
        assert later.parent.span_id == operation.context.span_id


@pytest.mark.parametrize("traceparent", [None, "", "nonsense", f"00-{'0' * 32}-{'0' * 16}-01"])
def test_a_render_that_was_started_without_a_trace_starts_one(make_render: MakeRender, traceparent: str | None) -> None:
    exported = ExportedTracing()
    with exported.tracing.attempt(make_render(traceparent=traceparent)):
        pass
    assert exported.spans[0].parent is None


def test_an_attempt_has_an_event_for_each_phase_and_the_code_of_the_failure(make_render: MakeRender) -> None:
    exported = ExportedTracing()
    render = make_render(status=RenderStatus.RENDERING, phase=RenderPhase.LAUNCHING, attempt=1)
    with exported.tracing.attempt(render), spans.without_call_spans():
        spans.record_change(render)
        spans.record_change(replace(render, progress=5))
        spans.record_change(replace(render, phase=RenderPhase.ENCODING))
        failure = Failure(code="RENDER_FAILED", message="No.", retryable=False, detail="what a user wrote")
        spans.record_change(replace(render, phase=None, status=RenderStatus.FAILED, failure=failure))
    (attempt,) = exported.spans
    assert [event.name for event in attempt.events] == ["launching", "encoding", "failed"]
    assert (attempt.attributes or {})["error.type"] == "RENDER_FAILED"
    assert "wrote" not in attempt.to_json()


def test_a_trace_that_is_not_sampled_is_propagated_but_not_logged() -> None:
    exported = ExportedTracing(sampled=False)
    with exported.tracing.operation("mutation", None):
        assert "trace_id" not in log_context.current_ids()
        assert int((spans.traceparent() or "")[-2:], 16) & 1 == 0, "not sampled"
    assert exported.spans == []


def test_without_tracing_nothing_is_recorded(make_render: MakeRender) -> None:
    spans.record_change(make_render())
    spans.record_failure("RENDER_FAILED")
    spans.record_rejection("BAD_USER_INPUT")
    spans.record_response(500)
    with spans.no_span(make_render()):
        assert not spans.wants_call_span()
        assert spans.traceparent() is None
