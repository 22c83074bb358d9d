"""The cost of observability: CPU time that metrics, log ids and traces add to a delivery, a change and a request."""

import time
from collections.abc import Callable

from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from starlette.types import Message, Receive, Scope, Send

from services import stored_documents
from services.clock import SystemClock
from services.ids import new_render_id
from services.models import Render
from services.observability.metrics import Metrics
from services.observability.tracing import Tracing
from services.renders import lifecycle
from services.stored_documents import Announcement
from tests.conftest import PROPS
from transport.middleware import ResponseHeadersMiddleware
from transport.tracing import TracedRequests

TURNS = 20_000
ROUNDS = 7
SPANS_PER_REQUEST = 3  # the request, its operation and one call to the store
CLOCK = SystemClock()
METRICS = Metrics()


def main() -> None:
    print("## Observability\n")
    now = CLOCK.now()
    queued = Render(id=new_render_id(now), owner="ann", props=PROPS, created_at=now)
    render = lifecycle.launch(queued, now=now)
    announcement = Announcement(render=render, published_at=now)
    plain, whole = stored_documents.encode(render), stored_documents.encode_announcement(announcement)
    encoding = _us(lambda: stored_documents.encode_announcement(Announcement(render=render, published_at=CLOCK.now())))
    delivery = _us(lambda: METRICS.sent(1, published_at=now, now=CLOCK.now()))
    print(f"measuring the lag of a delivery: {delivery:.2f} µs")
    print(f"counting a change: {_us(lambda: METRICS.render_changed(render)):.2f} µs")
    print(
        f"the publishing time in a message, encoding: {encoding - _us(lambda: stored_documents.encode(render)):.2f} µs"
    )
    more = _us(lambda: stored_documents.decode_announcements([whole])) - _us(lambda: stored_documents.decode(plain))
    print(f"the same, decoding: {more:.2f} µs, once per process")
    middleware = _request(ResponseHeadersMiddleware(_respond)) - _request(_respond)
    print(f"the id of a request and the headers of its response: {middleware:.2f} µs")
    print(f"tracing a request: {_trace():.1f} µs, if a collector is configured\n")


async def _in_operation(scope: Scope, receive: Receive, send: Send) -> None:
    """Respond from an operation that reads the store once."""
    with TRACING.operation("query", "Get"):
        await STORE.get("", owner="")
    await _respond(scope, receive, send)


class Store:
    async def get(self, render_id: str, *, owner: str) -> None:
        del render_id, owner


EXPORTED = InMemorySpanExporter()  # instead of a collector
PROVIDER = TracerProvider(shutdown_on_exit=False)
PROVIDER.add_span_processor(BatchSpanProcessor(EXPORTED, max_queue_size=1_000_000))
TRACING = Tracing(PROVIDER.get_tracer("benchmark"))
STORE = TRACING.store(Store(), system="memory")


def _trace() -> float:
    """Return the microseconds to create and to encode the spans of a request, its operation and one call."""
    created = _request(TracedRequests(_in_operation, TRACING)) - _request(_respond)
    PROVIDER.force_flush()
    batch = EXPORTED.get_finished_spans()[:510]
    encoded = _us(lambda: encode_spans(batch).SerializeToString(), turns=10) / len(batch)
    return created + SPANS_PER_REQUEST * encoded


async def _respond(scope: Scope, receive: Receive, send: Send) -> None:
    del scope, receive
    await send({"type": "http.response.start", "status": 200, "headers": [(b"a", b"b")]})
    await send({"type": "http.response.body", "body": b""})


def _request(app: Callable[[Scope, Receive, Send], object]) -> float:
    scope = {"type": "http", "method": "POST", "headers": [(f"x-{number}".encode(), b"v") for number in range(12)]}

    async def receive() -> Message:
        return {}

    async def send(message: Message) -> None:
        del message

    def call() -> None:
        coroutine = app(scope, receive, send)
        try:
            coroutine.send(None)  # type: ignore[attr-defined]  # it never waits
        except StopIteration:
            return

    return _us(call)


def _us(work: Callable[[], object], *, turns: int = TURNS) -> float:
    """Return the microseconds of CPU time per call, the best of several rounds."""
    best = float("inf")
    for _ in range(ROUNDS):
        started = time.process_time()
        for _ in range(turns):
            work()
        best = min(best, time.process_time() - started)
    return best / turns * 1e6


if __name__ == "__main__":
    main()
