import pytest

from services.errors import RendercastError, StoreUnavailable
from services.observability.call_timing import timed
from services.observability.metrics import Metrics
from tests.support.memory_store import MemoryStore
from tests.support.scraping import samples_of

DURATIONS = 'rendercast_store_duration_seconds_count{operation="queue"}'
FAILURES = 'rendercast_store_failures_total{operation="queue"}'


async def test_each_call_is_timed_and_calls_of_an_unavailable_store_are_counted() -> None:
    metrics, memory = Metrics(), MemoryStore()
    store = timed(memory, metrics.store)
    assert await store.queue() == await memory.queue()
    memory.unavailable = True
    with pytest.raises(StoreUnavailable):
        await store.queue()
    samples = samples_of(metrics.text().decode())
    assert (samples[DURATIONS], samples[FAILURES]) == (2, 1)


async def test_other_errors_are_no_failures() -> None:
    class Rejecting(MemoryStore):
        async def quota_used(self, window: object) -> int:
            del window
            raise RendercastError

    metrics = Metrics()
    store = timed(Rejecting(), metrics.store)
    with pytest.raises(RendercastError):
        await store.quota_used(None)
    assert samples_of(metrics.text().decode())['rendercast_store_failures_total{operation="quota_used"}'] == 0


def test_attributes_that_are_no_coroutine_methods_are_the_adapters_own() -> None:
    memory = MemoryStore()
    store = timed(memory, Metrics().store)
    memory.reads = 7
    assert store.reads == 7
    with pytest.raises(AttributeError):
        store.nothing_there  # type: ignore[attr-defined]  # noqa: B018
