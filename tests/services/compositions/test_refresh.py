"""Discovering the compositions at the start and when the site changes."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from services.compositions.refresh import CHECK_INTERVAL_S, CatalogRefresher, refresh_catalog
from services.errors import BackendUnavailable, StoreUnavailable
from services.models import Composition, replace
from services.observability.metrics import Metrics
from tests.support.api_compositions import CARD, PROMO, catalog_of
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
def changed() -> asyncio.Event:
    """The event that the site has changed."""
    return asyncio.Event()


@pytest.fixture
async def refresher(
    store: MemoryCatalogStore, backend: CountingBackend, clock: FakeClock, metrics: Metrics, changed: asyncio.Event
) -> AsyncIterator[CatalogRefresher]:
    """A refresher that has been started."""
    refresher = CatalogRefresher(store, backend, clock=clock, metrics=metrics, changed=changed)
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
    assert first is not None
    assert (first.site, first.version, first.discovered_at) == ("fake", "1", clock.now())
    assert await ids(store) == ["TextAnimation"]
    assert await refresh_catalog(store, backend, clock) == first
    assert backend.discoveries == 1
    backend.catalog = (ANIMATION, PROMO)
    assert await refresh_catalog(store, backend, clock) == first
    await refresh_catalog(store, backend, clock, always=True)
    assert backend.discoveries == 2
    backend.catalog, backend.version = (CARD,), "2"
    assert (await refresh_catalog(store, backend, clock)) == await store.get("fake")
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


@pytest.mark.parametrize("ahead", [timedelta(minutes=2), timedelta(minutes=10), timedelta(days=365)])
async def test_a_catalog_of_a_clock_that_is_ahead_is_replaced_by_one_discovery(
    store: MemoryCatalogStore,
    backend: CountingBackend,
    clock: FakeClock,
    caplog: pytest.LogCaptureFixture,
    ahead: timedelta,
) -> None:
    caplog.set_level("INFO")
    store.clock_error = ahead  # of this worker's clock from the store's
    await store.put(replace(catalog_of(backend, clock), version="0", discovered_at=clock.now() + ahead))
    assert (await refresh_catalog(store, backend, clock)) == await store.get("fake")
    assert await refresh_catalog(store, backend, clock) == await store.get("fake")
    assert await ids(store) == ["TextAnimation"]
    assert backend.discoveries == 1
    assert caplog.text.count("compositions discovered") == 1


async def test_a_catalog_that_another_worker_has_discovered_meanwhile_is_kept(
    store: MemoryCatalogStore, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")

    class SlowBackend(CountingBackend):
        async def compositions(self) -> tuple[Composition, ...]:
            await store.put(other)
            return await super().compositions()

    backend = SlowBackend()
    other = replace(catalog_of(backend, clock), version="2", discovered_at=clock.now() + timedelta(seconds=1))
    assert await refresh_catalog(store, backend, clock) == other == await store.get("fake")
    assert "compositions discovered" not in caplog.text


async def test_beside_a_catalog_of_a_newer_version_nothing_is_discovered(
    store: MemoryCatalogStore, backend: CountingBackend, clock: FakeClock
) -> None:
    store.newer_sites.add("fake")
    for always in (False, True):
        assert await refresh_catalog(store, backend, clock, always=always) is None
    assert backend.discoveries == 0
    store.newer_sites.clear()
    assert await refresh_catalog(store, backend, clock) == await store.get("fake")


async def test_a_worker_waits_beside_a_catalog_of_a_newer_version(
    store: MemoryCatalogStore,
    backend: CountingBackend,
    clock: FakeClock,
    metrics: Metrics,
    caplog: pytest.LogCaptureFixture,
) -> None:
    store.newer_sites.add("fake")
    running = asyncio.create_task(CatalogRefresher(store, backend, clock=clock, metrics=metrics).run())
    await clock.advance(10 * CHECK_INTERVAL_S)
    assert backend.discoveries == 0
    assert (value_of(metrics, "rendercast_discovery_failures_total"), caplog.text) == (0, "")
    store.newer_sites.clear()
    await clock.advance(CHECK_INTERVAL_S)
    assert await ids(store) == ["TextAnimation"]
    running.cancel()
    await asyncio.wait([running])


@pytest.mark.usefixtures("refresher")
async def test_a_reported_change_is_discovered_at_once(
    store: MemoryCatalogStore, backend: CountingBackend, changed: asyncio.Event
) -> None:
    backend.catalog, backend.version = (CARD,), "2"
    changed.set()
    await settle()
    assert await ids(store) == ["Card"]
    assert not changed.is_set()
    assert backend.discoveries == 2


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
