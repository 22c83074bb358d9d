"""Reading the stored catalog: how often, and what is returned while the store is unavailable."""

import asyncio
from datetime import timedelta

import pytest

from services.compositions.catalog import MAX_AGE_S, RETRY_S, CatalogReader
from services.errors import StoreUnavailable
from services.models import Catalog, Composition
from tests.support.api_compositions import CARD, PROMO
from tests.support.fake_clock import FakeClock, settle
from tests.support.memory_catalog import MemoryCatalogStore

SITE = "https://site.example"


@pytest.fixture
def store(clock: FakeClock) -> MemoryCatalogStore:
    return MemoryCatalogStore(clock)


@pytest.fixture
def reader(store: MemoryCatalogStore, clock: FakeClock) -> CatalogReader:
    return CatalogReader(store, site=SITE, clock=clock)


def catalog(clock: FakeClock, *compositions: Composition, version: str = "1", site: str = SITE) -> Catalog:
    return Catalog(site=site, version=version, compositions=compositions, discovered_at=clock.now())


async def ids(reader: CatalogReader) -> list[str] | None:
    known = await reader.read()
    return None if known is None else list(known.ids)


async def test_the_catalog_is_read_again_after_some_seconds(
    reader: CatalogReader, store: MemoryCatalogStore, clock: FakeClock
) -> None:
    await store.put(catalog(clock, PROMO))
    assert await ids(reader) == ["Promo"]
    await store.put(catalog(clock, PROMO, CARD, version="2"))
    await clock.advance(MAX_AGE_S - 0.01)
    assert await ids(reader) == ["Promo"]
    assert store.reads == 1
    await clock.advance(0.02)
    assert await ids(reader) == ["Promo", "Card"]
    assert store.reads == 2


async def test_a_missing_catalog_is_looked_for_every_second(
    reader: CatalogReader, store: MemoryCatalogStore, clock: FakeClock
) -> None:
    await store.put(catalog(clock, PROMO, site="https://other.example"))
    assert await ids(reader) is None
    await store.put(catalog(clock, PROMO))
    assert await ids(reader) is None
    assert store.reads == 1
    await clock.advance(RETRY_S)
    assert await ids(reader) == ["Promo"]


async def test_the_last_catalog_is_used_while_the_store_is_unavailable(
    reader: CatalogReader, store: MemoryCatalogStore, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    await store.put(catalog(clock, PROMO))
    assert await ids(reader) == ["Promo"]
    store.unavailable = True
    await clock.advance(MAX_AGE_S)
    assert await ids(reader) == ["Promo"]
    assert await ids(reader) == ["Promo"]  # without another attempt
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    store.unavailable = False
    await store.put(catalog(clock, CARD, version="2"))
    await clock.advance(RETRY_S)
    assert await ids(reader) == ["Card"]


async def test_the_error_of_the_store_is_raised_if_nothing_was_read_before(
    reader: CatalogReader, store: MemoryCatalogStore, clock: FakeClock
) -> None:
    store.unavailable = True
    with pytest.raises(StoreUnavailable):
        await reader.read()
    store.unavailable = False
    await store.put(catalog(clock, PROMO))
    assert await ids(reader) == ["Promo"]


class SlowStore(MemoryCatalogStore):
    """Responds to reads once `gate` is set."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(clock)
        self.gate = asyncio.Event()

    async def get(self, site: str) -> Catalog | None:
        found = await super().get(site)
        await self.gate.wait()
        return found


async def test_concurrent_callers_share_one_read(clock: FakeClock) -> None:
    store = SlowStore(clock)
    await store.put(catalog(clock, PROMO))
    reader = CatalogReader(store, site=SITE, clock=clock)
    readers = [asyncio.create_task(ids(reader)) for _ in range(50)]
    await settle()
    readers[0].cancel()
    await settle()
    store.gate.set()
    assert await asyncio.gather(*readers[1:]) == [["Promo"]] * 49
    assert store.reads == 2  # the first one was cancelled with its caller


async def test_validators_are_kept_until_the_catalog_changes(
    reader: CatalogReader, store: MemoryCatalogStore, clock: FakeClock
) -> None:
    await store.put(catalog(clock, PROMO))
    known = await reader.read()
    assert known is not None
    assert known.validator("Promo") is known.validator("Promo")
    assert [problem.path for problem in known.problems("Promo", {}, path="/props")] == ["/props/title"]
    assert known.get("Nope") is None
    with pytest.raises(KeyError):
        known.problems("Nope", {}, path="/props")
    await clock.advance(MAX_AGE_S)
    assert await reader.read() is known
    clock_later = clock.now() + timedelta(seconds=1)
    await store.put(Catalog(site=SITE, version="2", compositions=(PROMO,), discovered_at=clock_later))
    await clock.advance(MAX_AGE_S)
    assert await reader.read() is not known
