"""Damaged documents in the embedded store: they are skipped or reported, and block neither others nor their erasure."""

import sqlite3
from pathlib import Path

import pytest

from services import stored_documents
from services.clock import SystemClock
from services.errors import StoreUnavailable
from services.models import Catalog
from services.ports import QueueStats
from services.renders.lifecycle import cancel
from services.stores.sqlite import open_sqlite_store
from services.stores.sqlite_migrations import MIGRATIONS
from services.webhooks import messages
from tests.conftest import MakeRender
from tests.support.stored_renders import ALL, HOUR, NOW, added, window

CLOCK = SystemClock()
TRUNCATE = """
    UPDATE renders SET document = substr(document, 1, 100);
    UPDATE webhooks SET document = substr(document, 1, 100);
    """


async def test_an_unreadable_message_is_skipped(
    tmp_path: Path, make_render: MakeRender, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_sqlite_store(tmp_path / "renders.sqlite3", CLOCK, webhooks_enabled=True) as store:
        renders = [make_render(at=NOW), make_render(at=NOW + HOUR)]
        for render in renders:
            await store.add(render, window())
            await store.record(cancel(render, now=NOW))
        broken, good = (messages.message_id(render.id) for render in renders)
        store._file.connection.execute("UPDATE webhooks SET document = '{\"tries\": true}' WHERE id = ?", (broken,))
        acquired = [await store.outbox.acquire(worker="w", lease=HOUR) for _ in range(2)]
        assert [message and message.id for message in acquired] == [good, None]
        assert [message.id for message in await store.outbox.list(first=5)] == [good]
    assert broken in caplog.text


async def test_a_damaged_catalog_is_not_returned_and_is_replaced(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    catalog = Catalog(site="https://site.example", version="1", compositions=(), discovered_at=NOW)
    async with open_sqlite_store(tmp_path / "renders.sqlite3", CLOCK) as store:
        await store.catalog.put(catalog)
        store._file.connection.execute("UPDATE catalogs SET document = '{}'")
        assert await store.catalog.get(catalog.site) is None
        assert (store.skipped_documents, caplog.text.count(catalog.site)) == (1, 1)
        await store.catalog.put(catalog)
        assert await store.catalog.get(catalog.site) == catalog


@pytest.mark.parametrize("document", [b'{"phase": "new"}', b'{"id', b'{"id": "\xff"}', b"\xff", b""])
async def test_an_unreadable_document_is_skipped(
    tmp_path: Path, make_render: MakeRender, caplog: pytest.LogCaptureFixture, document: bytes
) -> None:
    async with open_sqlite_store(tmp_path / "renders.sqlite3", CLOCK) as store:
        broken, good = (make_render(at=NOW), make_render(at=NOW + HOUR))
        for render in (broken, good):
            await store.add(render, window())
        damage = "UPDATE renders SET document = CAST(? AS TEXT) WHERE id = ?"
        store._file.connection.execute(damage, (document, broken.id))
        assert await store.acquire(worker="w", lease=HOUR) == good
        assert await store.acquire(worker="w", lease=HOUR) is None
        assert await store.list(owner="ann", first=5, matching=ALL) == [good]
        assert await store.get_many([broken.id, good.id]) == [good]
    assert broken.id in caplog.text


async def test_a_damaged_document_is_reported_where_it_alone_is_read(tmp_path: Path, make_render: MakeRender) -> None:
    async with open_sqlite_store(tmp_path / "renders.sqlite3", CLOCK, webhooks_enabled=True) as store:
        render = await added(store, make_render(idempotency_key="start:k"))
        await store.record(cancel(render, now=NOW))
        store._file.connection.executescript(TRUNCATE)
        message_id = messages.message_id(render.id)
        with pytest.raises(StoreUnavailable, match=f"can't read the stored document {render.id}"):
            await store.get(render.id, owner="ann")
        with pytest.raises(StoreUnavailable, match=render.id):
            await store.find_by_keys("ann", ["start:k"])
        with pytest.raises(StoreUnavailable, match=render.id):
            await store.add(make_render(idempotency_key="start:k"), window())
        with pytest.raises(StoreUnavailable, match=f"can't read the stored document {message_id}"):
            await store.outbox.get(message_id)
        assert store.skipped_documents == 2


async def test_a_file_of_the_previous_version_with_a_damaged_document_is_migrated(
    tmp_path: Path, make_render: MakeRender
) -> None:
    path = tmp_path / "renders.sqlite3"
    damaged, good = make_render(at=NOW), make_render(at=NOW + HOUR)
    with sqlite3.connect(path) as connection:
        connection.executescript(f"{MIGRATIONS[0]}; PRAGMA user_version = 1;")
        for render, length in ((damaged, 100), (good, 10_000)):
            values = (render.id, "ann", 1, "queued", stored_documents.encode(render)[:length])
            connection.execute("INSERT INTO renders VALUES (?, ?, ?, ?, NULL, NULL, NULL, NULL, NULL, ?)", values)
    connection.close()
    async with open_sqlite_store(path, CLOCK) as store:
        assert await store.list(owner="ann", first=5, matching=ALL) == [good]
        assert sorted(await store.render_ids("ann")) == [damaged.id, good.id]


@pytest.mark.parametrize("document", [b"{}", b'{"id": "\xff"}'])
async def test_damaged_renders_and_messages_are_erased_with_their_owner(
    tmp_path: Path, make_render: MakeRender, document: bytes
) -> None:
    owner = 'issuer "ä" ann'
    async with open_sqlite_store(tmp_path / "renders.sqlite3", CLOCK, webhooks_enabled=True) as store:
        mine, running, unlike, theirs = (make_render(owner=each) for each in (owner, owner, owner, "bob"))
        for render in (mine, running, unlike, theirs):
            await added(store, render)
        for render in (mine, unlike, theirs):
            await store.record(cancel(render, now=NOW))
        execute = store._file.connection.execute
        store._file.connection.executescript(TRUNCATE)
        execute("UPDATE renders SET document = CAST(? AS TEXT) WHERE id = ?", (document, unlike.id))
        damaged = {mine.id, running.id, unlike.id}
        for dry_run in (True, False):
            erased = await store.erase_records(owner, dry_run=dry_run)
            assert (erased.messages, set(erased.damaged)) == (2, damaged)
        assert await store.render_ids(owner) == []
        assert await store.render_ids("bob") == [theirs.id]
        assert execute("SELECT id FROM webhooks").fetchall() == [(messages.message_id(theirs.id),)]
        assert await store.queue() == QueueStats(depth=0, oldest_created_at=None)
