import pytest

from services.errors import RendercastError, StoreUnavailable
from services.observability.call_timing import timed
from services.observability.metrics import Metrics
from tests.support.fakes import MemoryStore
from tests.support.scraping import samples_of

TOOK = 'rendercast_store_duration_seconds_count{operation="queue"}'
FAILED = 'rendercast_store_failures_total{operation="queue"}'


async def test_each_call_is_timed_and_those_that_find_the_store_away_are_counted() -> None:
    metrics, memory = Metrics(), MemoryStore()
    store = timed(memory, metrics.store)
    assert await store.queue() == await memory.queue()
    memory.away = True
    with pytest.raises(StoreUnavailable):
        await store.queue()
    samples = samples_of(metrics.text().decode())
    assert (samples[TOOK], samples[FAILED]) == (2, 1)


async def test_other_errors_are_answers() -> None:
    class Refusing(MemoryStore):
        async def quota_used(self, window: object) -> int:
            del window
            raise RendercastError

    metrics = Metrics()
    store = timed(Refusing(), metrics.store)
    with pytest.raises(RendercastError):
        await store.quota_used(None)
    assert samples_of(metrics.text().decode())['rendercast_store_failures_total{operation="quota_used"}'] == 0


def test_what_is_no_call_is_the_adapters_own() -> None:
    memory = MemoryStore()
    store = timed(memory, Metrics().store)
    memory.reads = 7
    assert store.reads == 7
    with pytest.raises(AttributeError):
        store.nothing_there  # type: ignore[attr-defined]  # noqa: B018
