"""Discovering the compositions at the start and when the site changes."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from services.compositions.refresh import CHECK_INTERVAL_S, CatalogRefresher, refresh_catalog
from services.errors import BackendUnavailable, StoreUnavailable
from services.models import Composition
from services.observability.metrics import Metrics
from tests.support.api_compositions import CARD, PROMO
from tests.support.fake_backend import ANIMATION, FakeBackend
from tests.support.fake_clock import FakeClock, settle
from tests.support.memory_catalog import MemoryCatalogStore
from tests.support.scraping import samples_of

MAX_BACKOFF_S = 60.0


class CountingBackend(FakeBackend):
    discoveries = 0

    async def compositions(self) -> tuple[Composition, ...]:
        self.discoveries += 1
        return await super().compositions()


@pytest.fixture
def backend() -> CountingBackend:
    return CountingBackend()


@pytest.fixture
def store(clock: FakeClock) -> MemoryCatalogStore:
    return MemoryCatalogStore(clock)


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
async def refresher(
    store: MemoryCatalogStore, backend: CountingBackend, clock: FakeClock, metrics: Metrics
) -> AsyncIterator[CatalogRefresher]:
    """A refresher that has been started."""
    refresher = CatalogRefresher(store, backend, clock=clock, metrics=metrics)
    running = asyncio.create_task(refresher.run())
    await settle()
    yield refresher
    running.cancel()
    await asyncio.wait([running])


def value_of(metrics: Metrics, series: str) -> float:
    return samples_of(metrics.text().decode())[series]


async def ids(store: MemoryCatalogStore) -> list[str] | None:
    catalog = await store.get("fake")
    return None if catalog is None else [each.id for each in catalog.compositions]


async def test_the_compositions_are_discovered_once_per_version(
    store: MemoryCatalogStore, backend: CountingBackend, clock: FakeClock
) -> None:
    first = await refresh_catalog(store, backend, clock)
    assert (first.site, first.version, first.discovered_at) == ("fake", "1", clock.now())
    assert await ids(store) == ["TextAnimation"]
    assert await refresh_catalog(store, backend, clock) == first
    assert backend.discoveries == 1
    backend.catalog = (ANIMATION, PROMO)
    assert await refresh_catalog(store, backend, clock) == first
    await refresh_catalog(store, backend, clock, always=True)
    assert backend.discoveries == 2
    backend.catalog, backend.version = (CARD,), "2"
    assert (await refresh_catalog(store, backend, clock)).version == "2"
    assert await ids(store) == ["Card"]


@pytest.mark.parametrize("always", [True, False])
async def test_the_stored_catalog_stays_if_the_site_can_not_be_read(
    store: MemoryCatalogStore, backend: CountingBackend, clock: FakeClock, *, always: bool
) -> None:
    await refresh_catalog(store, backend, clock)
    backend.version, backend.unavailable = "2", True
    with pytest.raises(BackendUnavailable):
        await refresh_catalog(store, backend, clock, always=always)
    assert await ids(store) == ["TextAnimation"]


async def test_an_unavailable_store_is_reported(
    store: MemoryCatalogStore, backend: CountingBackend, clock: FakeClock
) -> None:
    store.unavailable = True
    with pytest.raises(StoreUnavailable):
        await refresh_catalog(store, backend, clock)
    assert backend.discoveries == 0


@pytest.mark.usefixtures("refresher")
async def test_a_worker_discovers_at_its_start_and_when_the_site_changes(
    store: MemoryCatalogStore, backend: CountingBackend, clock: FakeClock, metrics: Metrics
) -> None:
    assert await ids(store) == ["TextAnimation"]
    assert value_of(metrics, "rendercast_compositions") == 1
    backend.catalog, backend.version = (ANIMATION, PROMO), "2"
    await clock.advance(CHECK_INTERVAL_S - 1)
    assert await ids(store) == ["TextAnimation"]
    await clock.advance(1)
    assert await ids(store) == ["TextAnimation", "Promo"]
    assert value_of(metrics, "rendercast_compositions") == 2
    await clock.advance(10 * CHECK_INTERVAL_S)
    assert backend.discoveries == 2


async def test_a_site_that_can_not_be_read_leaves_the_last_catalog_and_is_reported(
    refresher: CatalogRefresher,
    store: MemoryCatalogStore,
    backend: CountingBackend,
    clock: FakeClock,
    metrics: Metrics,
    caplog: pytest.LogCaptureFixture,
) -> None:
    backend.catalog, backend.version, backend.unavailable = (PROMO,), "2", True
    await clock.advance(CHECK_INTERVAL_S)
    assert await ids(store) == ["TextAnimation"]
    failures = value_of(metrics, "rendercast_discovery_failures_total")
    assert failures == 1
    assert "the last catalog stays in use" in caplog.text
    await clock.advance(MAX_BACKOFF_S)
    assert value_of(metrics, "rendercast_discovery_failures_total") > failures  # it is tried again, with a back-off
    assert refresher.last_tick_s is not None
    assert clock.monotonic() - refresher.last_tick_s <= MAX_BACKOFF_S
    backend.unavailable = False
    await clock.advance(MAX_BACKOFF_S)
    assert await ids(store) == ["Promo"]


@pytest.mark.usefixtures("refresher")
async def test_a_catalog_that_can_not_be_stored_is_discovered_again(
    store: MemoryCatalogStore, backend: CountingBackend, clock: FakeClock, metrics: Metrics
) -> None:
    store.unavailable = True
    backend.catalog, backend.version = (PROMO,), "2"
    await clock.advance(CHECK_INTERVAL_S)
    assert value_of(metrics, "rendercast_discovery_failures_total") >= 1
    store.unavailable = False
    await clock.advance(MAX_BACKOFF_S)
    assert await ids(store) == ["Promo"]
