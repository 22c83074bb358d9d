"""Documents of older and newer versions beside those of this one."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from typing import Any

import pytest
from pymongo import AsyncMongoClient
from pymongo.database import Database

from services.errors import LeaseLost, StoreUnavailable
from services.models import Catalog, Render, replace
from services.renders import lifecycle
from services.stored_documents import SCHEMA_VERSION
from services.stores.mongo import MongoStore, open_mongo_store
from services.stores.mongo_quota import ENTRY_VERSION
from services.webhooks.messages import message_id, replay
from tests.conftest import MakeRender
from tests.support.mongo_server import connect_to_mongo
from tests.support.stored_renders import ALL, HOUR, NO_TIME, NOW, added, launched, window

pytestmark = pytest.mark.slow

NEWER = SCHEMA_VERSION + 1


@pytest.fixture
async def store(mongo_url: str) -> AsyncIterator[MongoStore]:
    async with open_mongo_store(AsyncMongoClient, mongo_url, webhooks_enabled=True) as opened:
        yield opened


@pytest.fixture
def database(mongo_url: str) -> Iterator[Database[dict[str, Any]]]:
    with connect_to_mongo(mongo_url, tz_aware=True) as client:
        yield client.get_default_database()


def make_newer(database: Database[dict[str, Any]], collection: str, document_id: str) -> dict[str, Any]:
    """Have the document be one that a newer version wrote, with a field that this one doesn't know."""
    change = {"$set": {"schema": NEWER, f"{collection.removesuffix('s')}.new_field": "new"}}
    changed = database[collection].find_one_and_update({"_id": document_id}, change, return_document=True)
    assert changed is not None
    return changed


@pytest.fixture
async def newer(store: MongoStore, database: Database[dict[str, Any]], make_render: MakeRender) -> Render:
    """A queued render of a newer version, older than all others."""
    render = await added(store, make_render(at=NOW - HOUR, idempotency_key="start:k"))
    make_newer(database, "renders", render.id)
    return render


async def test_lists_pass_over_documents_of_a_newer_version_and_are_as_long_as_requested(
    store: MongoStore, newer: Render, database: Database[dict[str, Any]], make_render: MakeRender
) -> None:
    renders = [await added(store, make_render(at=NOW + timedelta(seconds=i))) for i in range(5)]
    for render in renders[3:1:-1]:
        make_newer(database, "renders", render.id)
    assert await store.list(owner="ann", first=2, matching=ALL) == [renders[4], renders[1]]
    assert await store.list(owner="ann", first=9, matching=ALL) == [renders[4], renders[1], renders[0]]
    assert await store.unfinished(["ann"], first=2) == renders[:2]
    assert await store.get_many([newer.id, renders[0].id]) == [renders[0]]
    assert not await store.exists_newer(renders[4].id + "z", owner="ann", matching=ALL)
    assert store.skipped_documents == 3


async def test_a_worker_passes_over_documents_of_a_newer_version_and_counts_and_logs_them_once(
    store: MongoStore,
    newer: Render,
    database: Database[dict[str, Any]],
    make_render: MakeRender,
    caplog: pytest.LogCaptureFixture,
) -> None:
    before = database["renders"].find_one({"_id": newer.id})
    render = await added(store, make_render())
    assert await store.acquire(worker="w", lease=HOUR) == render
    for _ in range(2):
        assert await store.acquire(worker="w", lease=HOUR) is None
        assert await store.get_many([newer.id]) == []
    assert database["renders"].find_one({"_id": newer.id}) == before
    assert store.skipped_documents == 1
    assert caplog.text.count(newer.id) == 1


async def test_a_document_of_a_newer_version_is_neither_returned_nor_changed_nor_deleted(
    store: MongoStore, database: Database[dict[str, Any]], make_render: MakeRender
) -> None:
    render = await added(store, make_render(idempotency_key="start:k"))
    before = make_newer(database, "renders", render.id)
    with pytest.raises(StoreUnavailable, match=render.id):
        await store.get(render.id, owner="ann")
    with pytest.raises(StoreUnavailable, match=render.id):
        await store.add(make_render(idempotency_key="start:k"), window())
    assert not await store.record(launched(render))
    assert not await store.record(lifecycle.cancel(render, now=NOW))
    database["renders"].update_one({"_id": render.id}, {"$set": {"status": "complete"}})
    assert not await store.delete(render.id, owner="ann")
    assert database["renders"].find_one({"_id": render.id}) == {**before, "status": "complete"}
    assert await store.quota_used(window()) == 1
    assert (await store.add(make_render(), window())).used == 2


async def test_a_worker_stops_a_render_that_a_newer_version_has_changed(
    store: MongoStore, database: Database[dict[str, Any]], make_render: MakeRender
) -> None:
    render = await added(store, make_render())
    await store.acquire(worker="w", lease=HOUR)
    before = make_newer(database, "renders", render.id)
    with pytest.raises(LeaseLost):
        await store.record(launched(render), worker="w", lease=HOUR)
    assert await store.renew([render.id], worker="w", lease=NO_TIME) == frozenset()
    await store.release(worker="w")
    assert database["renders"].find_one({"_id": render.id}) == before


async def test_a_quota_of_a_newer_version_is_neither_read_nor_changed(
    store: MongoStore, database: Database[dict[str, Any]], make_render: MakeRender
) -> None:
    render = await added(store, make_render())
    (document,) = database["renders"].find()
    newer = {**document["quota"], "number": 2, "version": ENTRY_VERSION + 1, "new_field": "new"}
    database["renders"].insert_one({"_id": "newer", "quota": newer})
    with pytest.raises(StoreUnavailable, match="newer version"):
        await store.quota_used(window())
    used = await asyncio.gather(*(store.quota_used(window(owner)) for owner in ("ann", "bob")), return_exceptions=True)
    assert (type(used[0]), used[1]) == (StoreUnavailable, 0)
    with pytest.raises(StoreUnavailable, match="newer version"):
        await store.add(make_render(), window())
    assert await store.record(lifecycle.cancel(render, now=NOW))
    quotas = {document["_id"]: document["quota"] for document in database["renders"].find()}
    assert quotas == {render.id: document["quota"], "newer": newer}


async def test_a_webhook_message_of_a_newer_version_is_neither_sent_nor_changed(
    store: MongoStore, database: Database[dict[str, Any]], make_render: MakeRender
) -> None:
    renders = [await added(store, make_render(at=NOW + timedelta(seconds=i))) for i in range(2)]
    for render in renders:
        await store.record(lifecycle.cancel(render, now=NOW))
    message = await store.outbox.get(message_id(renders[0].id))
    assert message is not None
    before = make_newer(database, "webhooks", message.id)
    acquired = [await store.outbox.acquire(worker="w", lease=HOUR) for _ in range(2)]
    assert [each and each.render.id for each in acquired] == [renders[1].id, None]
    assert [each.render.id for each in await store.outbox.list(first=5)] == [renders[1].id]
    with pytest.raises(StoreUnavailable, match=message.id):
        await store.outbox.get(message.id)
    assert not await store.outbox.record(replay(message))
    assert database["webhooks"].find_one({"_id": message.id}) == before
    assert store.skipped_documents == 1


async def test_a_catalog_of_a_newer_version_is_neither_returned_nor_replaced(
    store: MongoStore, database: Database[dict[str, Any]], caplog: pytest.LogCaptureFixture
) -> None:
    catalog = Catalog(site="https://site.example", version="1", compositions=(), discovered_at=NOW)
    await store.catalog.put(catalog)
    before = make_newer(database, "catalogs", catalog.site)
    for _ in range(2):
        assert await store.catalog.get(catalog.site) is None
        assert await store.catalog.is_newer(catalog.site)
        with pytest.raises(StoreUnavailable, match="newer version"):
            await store.catalog.put(replace(catalog, version="2", discovered_at=NOW + HOUR))
    assert database["catalogs"].find_one({"_id": catalog.site}) == before
    assert store.skipped_documents == 1
    assert caplog.text.count(catalog.site) == 1


async def test_a_catalog_of_an_older_version_is_returned_and_replaced(
    store: MongoStore, database: Database[dict[str, Any]]
) -> None:
    catalog = Catalog(site="https://site.example", version="1", compositions=(), discovered_at=NOW)
    await store.catalog.put(catalog)
    database["catalogs"].update_one({"_id": catalog.site}, {"$set": {"schema": SCHEMA_VERSION - 1}})
    assert await store.catalog.get(catalog.site) == catalog
    assert not await store.catalog.is_newer(catalog.site)
    assert await store.catalog.put(replace(catalog, version="2"))
    stored = database["catalogs"].find_one({"_id": catalog.site})
    assert stored is not None
    assert (stored["schema"], stored["catalog"]["version"]) == (SCHEMA_VERSION, "2")


async def test_a_damaged_catalog_is_not_returned_and_is_replaced(
    store: MongoStore, database: Database[dict[str, Any]]
) -> None:
    catalog = Catalog(site="https://site.example", version="1", compositions=(), discovered_at=NOW)
    await store.catalog.put(catalog)
    database["catalogs"].update_one({"_id": catalog.site}, {"$unset": {"catalog.version": ""}})
    assert await store.catalog.get(catalog.site) is None
    assert store.skipped_documents == 1
    await store.catalog.put(catalog)
    assert await store.catalog.get(catalog.site) == catalog
