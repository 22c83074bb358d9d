"""The contract of `CatalogStore`, tested on every adapter."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import bson
import pytest
from motor.motor_asyncio import AsyncIOMotorClient
from pymongo import AsyncMongoClient

from services.clock import SystemClock
from services.compositions.ports import MAX_CATALOG_BYTES, MAX_CLOCK_ERROR, CatalogStore
from services.compositions.stored_documents import catalog_to_mapping, encode_catalog
from services.errors import StoreUnavailable
from services.media import OutputFormat
from services.models import Catalog, Composition, CompositionKind, replace
from services.stores.mongo import open_mongo_store
from services.stores.sqlite import open_sqlite_store
from tests.support.memory_catalog import MemoryCatalogStore

SITE = "https://site.example/sites/promo/index.html?ü"
NOW = datetime.now(UTC).replace(microsecond=123456)
SECOND = timedelta(seconds=1)
PROMO = Composition(
    id="Promo",
    kind=CompositionKind.VIDEO,
    width=1920,
    height=1080,
    fps=29.97,
    duration_in_frames=300,
    default_props='{"$set": {"a.b": "\\u0000"}, "title": "Grüße 👋"}',
    props_schema='{"type":"object","properties":{"$ref":{"type":"string"}}}',
    outputs=tuple(OutputFormat),
    is_dynamic=True,
)
STILL = Composition(
    id="Cover", kind=CompositionKind.STILL, width=1080, height=1080, fps=30, duration_in_frames=1, is_dynamic=None
)


def catalog(
    *, site: str = SITE, version: str = '"etag-1"', after: timedelta = timedelta(0), padding: int = 0
) -> Catalog:
    compositions = (PROMO, replace(STILL, default_props=f'{{"x":"{"x" * padding}"}}'))
    return Catalog(site=site, version=version, compositions=compositions, discovered_at=NOW + after)


@asynccontextmanager
async def memory(_: Path) -> AsyncIterator[CatalogStore]:
    yield MemoryCatalogStore(SystemClock())


@asynccontextmanager
async def sqlite(folder: Path) -> AsyncIterator[CatalogStore]:
    async with open_sqlite_store(folder / "renders.sqlite3", SystemClock()) as store:
        yield store.catalog


@asynccontextmanager
async def motor(url: str) -> AsyncIterator[CatalogStore]:
    async with open_mongo_store(AsyncIOMotorClient, url) as store:
        yield store.catalog


@asynccontextmanager
async def pymongo(url: str) -> AsyncIterator[CatalogStore]:
    async with open_mongo_store(AsyncMongoClient, url) as store:
        yield store.catalog


@pytest.fixture(params=[memory, sqlite, *(pytest.param(each, marks=pytest.mark.slow) for each in (motor, pymongo))])
async def catalogs(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[CatalogStore]:
    is_mongo = request.param in {motor, pymongo}
    location = request.getfixturevalue("mongo_url") if is_mongo else tmp_path
    opening: AbstractAsyncContextManager[CatalogStore] = request.param(location)
    async with opening as opened:
        yield opened


async def test_a_site_without_a_catalog_has_none(catalogs: CatalogStore) -> None:
    assert await catalogs.get(SITE) is None


async def test_every_value_of_a_catalog_is_kept(catalogs: CatalogStore) -> None:
    assert await catalogs.put(catalog())
    assert await catalogs.get(SITE) == catalog()


async def test_each_site_has_its_own_catalog(catalogs: CatalogStore) -> None:
    await catalogs.put(catalog())
    await catalogs.put(catalog(site="text", version="0.3.0"))
    assert await catalogs.get("text") == catalog(site="text", version="0.3.0")
    assert await catalogs.get(SITE) == catalog()
    assert await catalogs.get("other") is None
    assert not any([await catalogs.is_newer(site) for site in ("text", SITE, "other")])


async def test_a_catalog_replaces_one_that_was_discovered_before_or_at_the_same_time(catalogs: CatalogStore) -> None:
    await catalogs.put(catalog(version="1"))
    for newer in (catalog(version="2"), replace(catalog(version="3", after=SECOND), compositions=())):
        assert await catalogs.put(newer)
        assert await catalogs.get(SITE) == newer


async def test_a_catalog_does_not_replace_one_that_was_discovered_later(catalogs: CatalogStore) -> None:
    await catalogs.put(catalog(version="new"))
    assert not await catalogs.put(catalog(version="old", after=-SECOND))
    assert await catalogs.get(SITE) == catalog(version="new")


async def test_a_catalog_of_a_clock_that_was_wrong_is_replaced(catalogs: CatalogStore) -> None:
    await catalogs.put(catalog(version="of next year", after=timedelta(days=365)))
    assert await catalogs.put(catalog(version="of today"))
    assert await catalogs.get(SITE) == catalog(version="of today")


async def test_a_clock_that_is_a_little_fast_counts_as_right(catalogs: CatalogStore) -> None:
    ahead = catalog(version="ahead", after=MAX_CLOCK_ERROR / 2)
    await catalogs.put(ahead)
    assert not await catalogs.put(catalog())
    assert await catalogs.get(SITE) == ahead


async def test_of_concurrent_first_catalogs_the_last_discovered_is_kept(catalogs: CatalogStore) -> None:
    discovered = [catalog(version=str(number), after=number * SECOND) for number in range(20)]
    stored = await asyncio.gather(*(catalogs.put(each) for each in discovered))
    assert stored[-1]
    assert await catalogs.get(SITE) == discovered[-1]


async def test_the_largest_catalog_is_stored_and_a_larger_one_is_rejected(catalogs: CatalogStore) -> None:
    largest = catalog(padding=MAX_CATALOG_BYTES - 2_000)
    await catalogs.put(largest)
    with pytest.raises(StoreUnavailable, match=r"the limit is 12,000,000 bytes"):
        await catalogs.put(catalog(padding=MAX_CATALOG_BYTES, after=SECOND))
    assert await catalogs.get(SITE) == largest


def test_the_largest_catalog_of_small_compositions_fits_into_a_document_of_mongodb() -> None:
    small = replace(STILL, outputs=tuple(OutputFormat))
    many = replace(catalog(), compositions=tuple(replace(small, id=f"C{number}") for number in range(48_500)))
    assert MAX_CATALOG_BYTES * 0.98 < len(encode_catalog(many)) < MAX_CATALOG_BYTES
    assert len(bson.encode(catalog_to_mapping(many))) < 15.5 * 1024 * 1024
