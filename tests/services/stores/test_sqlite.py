import sqlite3
from pathlib import Path

import pytest

from services import stored_documents
from services.clock import SystemClock
from services.compositions.ports import CatalogStore
from services.errors import StartupError, StoreUnavailable
from services.models import Catalog, QuotaWindow, Render, RenderFilter, WebhookStatus
from services.ports import MAX_QUEUE_POSITION, RenderStore
from services.renders.lifecycle import ACTIVE, cancel
from services.stores.sqlite import SqliteStore, open_sqlite_store
from services.stores.sqlite_migrations import MIGRATIONS
from services.stores.sqlite_outbox import open_sqlite_outbox
from services.webhooks import messages
from services.webhooks.messages import DeliveryResult
from services.webhooks.ports import Outbox
from tests.conftest import MakeRender
from tests.support.stored_renders import HOUR, NO_TIME, NOW, WINDOW_STARTS_AT, window

CLOCK = SystemClock()


async def test_acknowledged_changes_survive_reopening_the_file(tmp_path: Path, make_render: MakeRender) -> None:
    path = tmp_path / "renders.sqlite3"
    render = make_render()
    async with open_sqlite_store(path, CLOCK) as store:
        await store.add(render, window())
        await store.acquire(worker="dead", lease=HOUR)
    async with open_sqlite_store(path, CLOCK) as store:
        assert await store.get(render.id, owner="ann") == render
        assert await store.quota_used(window()) == 1
        assert await store.acquire(worker="new", lease=HOUR) == render


async def test_the_file_has_its_durability_settings_and_version(tmp_path: Path) -> None:
    path = tmp_path / "renders.sqlite3"
    async with open_sqlite_store(path, CLOCK) as store:
        pragmas = [store._file.connection.execute(f"PRAGMA {name}").fetchone()[0] for name in PRAGMAS]
    assert dict(zip(PRAGMAS, pragmas, strict=True)) == PRAGMAS


PRAGMAS = {"journal_mode": "wal", "synchronous": 2, "user_version": len(MIGRATIONS)}


async def test_a_file_of_a_newer_version_is_not_changed(tmp_path: Path) -> None:
    path = tmp_path / "renders.sqlite3"
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(StartupError, match="newer version of Rendercast"):
        async with open_sqlite_store(path, CLOCK):
            pass
    assert path.read_bytes() == before


@pytest.mark.parametrize("content", [b"not a database, but as long as the header of one would be...." * 10, None])
async def test_an_invalid_file_prevents_the_start(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "renders.sqlite3"
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)
    with pytest.raises(StartupError, match="can't be used"):
        async with open_sqlite_store(path, CLOCK):
            pass


async def test_on_a_full_disk_writes_fail_and_stored_renders_stay(tmp_path: Path, make_render: MakeRender) -> None:
    async with open_sqlite_store(tmp_path / "renders.sqlite3", CLOCK) as store:
        stored = await fill(store, make_render)
        assert len(stored) > 3
        with pytest.raises(StoreUnavailable, match="full"):
            await store.add(make_render(generation_id="x" * 5000), window(limit=10_000))
        assert await store.list(owner="ann", first=10_000, matching=RenderFilter()) == stored[::-1]
        assert await store.quota_used(window()) == len(stored)


async def fill(store: SqliteStore, make_render: MakeRender) -> list[Render]:
    store._file.connection.execute("PRAGMA max_page_count = 60")
    stored: list[Render] = []
    try:
        while True:
            render = make_render(generation_id="x" * 1000)
            await store.add(render, window(limit=10_000))
            stored.append(render)
    except StoreUnavailable:
        return sorted(stored, key=lambda render: render.id)


async def test_counters_of_old_windows_are_deleted(tmp_path: Path, make_render: MakeRender) -> None:
    async with open_sqlite_store(tmp_path / "renders.sqlite3", CLOCK) as store:
        await store.add(make_render(), window())
        later = QuotaWindow(owner="ann", limit=5, starts_at=WINDOW_STARTS_AT + 24 * 8 * HOUR, length=HOUR)
        await store.add(make_render(), later)
        (windows,) = store._file.connection.execute("SELECT count(*) FROM quota_windows").fetchone()
    assert windows == 1


async def test_every_statement_uses_an_index(tmp_path: Path, make_render: MakeRender) -> None:
    statements: list[str] = []
    async with open_sqlite_store(tmp_path / "renders.sqlite3", CLOCK, webhooks_enabled=True) as store:
        store._file.connection.set_trace_callback(statements.append)
        await use_everything(store, make_render)
        await use_outbox(store.outbox)
        await use_catalog(store.catalog)
        store._file.connection.set_trace_callback(None)
        queries = [text for text in statements if text.split()[0] in {"SELECT", "UPDATE", "DELETE"}]
        plans = {
            text: [row[3] for row in store._file.connection.execute(f"EXPLAIN QUERY PLAN {text}")] for text in queries
        }
    assert len(plans) > 10
    for text, steps in plans.items():
        # Two scans are allowed: acquiring reads the first of the renders that wait, listing messages those by age.
        scans = [step for step in steps if step.startswith(("SCAN renders", "SCAN webhooks", "SCAN catalogs"))]
        scans = [step for step in scans if not step.endswith(("renders_ready", "webhooks_by_age"))]
        assert scans == [], text
        # Unfinished renders of several owners are few, and sorted in memory; every other order comes from an index.
        assert "unfinished_of_owner" in str(steps) or "TEMP B-TREE" not in str(steps), text


async def use_everything(store: RenderStore, make_render: MakeRender) -> None:
    render = make_render(idempotency_key="start:k")
    await store.add(render, window())
    await store.quota_used(window())
    await store.get(render.id, owner="ann")
    await store.get_many([render.id])
    await store.list(owner="ann", first=5, matching=RenderFilter(), older_than="7")
    await store.list(owner="ann", first=5, matching=RenderFilter(statuses=ACTIVE, generation_id="g"))
    await store.list(owner="ann", first=5, matching=RenderFilter(), newer_than="7", oldest_first=True)
    await store.count(owner="ann", matching=RenderFilter())
    await store.exists_newer(render.id, owner="ann", matching=RenderFilter())
    await store.exists_older(render.id, owner="ann", matching=RenderFilter())
    await store.unfinished(["ann"], first=5)
    await store.queue_position(render)
    await store.acquire(worker="w", lease=HOUR)
    await store.reacquire(worker="w", lease=HOUR)
    await store.renew([render.id], worker="w", lease=HOUR)
    await store.release(worker="w")
    await store.record(cancel(render, now=NOW))
    await store.delete(render.id, owner="ann")


async def use_outbox(outbox: Outbox) -> None:
    (message,) = await outbox.list(first=5)
    await outbox.list(first=5, status=WebhookStatus.PENDING)
    await outbox.get(message.id)
    await outbox.acquire(worker="w", lease=HOUR)
    started = messages.start_attempt(message, now=NOW)
    assert await outbox.record(started, worker="w")
    assert await outbox.record(
        messages.finish_attempt(started, DeliveryResult(status_code=200), now=NOW, duration_s=0.1), worker="w"
    )
    await outbox.release(worker="w")
    await outbox.backlog()


async def use_catalog(catalogs: CatalogStore) -> None:
    catalog = Catalog(site="text", version="1", compositions=(), discovered_at=NOW)
    for _ in range(2):
        await catalogs.put(catalog)
    assert await catalogs.get("text") == catalog


async def test_an_outbox_is_opened_while_another_process_has_the_file_if_it_has_the_current_version(
    tmp_path: Path, make_render: MakeRender
) -> None:
    path = tmp_path / "renders.sqlite3"
    with pytest.raises(StartupError, match="no data file"):
        async with open_sqlite_outbox(path, CLOCK):
            pass
    assert not path.exists()
    async with open_sqlite_store(path, CLOCK, webhooks_enabled=True) as store:
        render = make_render()
        await store.add(render, window())
        await store.record(cancel(render, now=NOW))
        await store.outbox.acquire(worker="w", lease=HOUR)
        async with open_sqlite_outbox(path, CLOCK) as shared:
            (message,) = await shared.list(first=5)
            assert await shared.acquire(worker="other", lease=HOUR) is None
            assert await shared.record(messages.replay(message))
        assert await store.outbox.acquire(worker="w", lease=HOUR) == messages.replay(message)
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 1")
    connection.close()
    with pytest.raises(StartupError, match="another version"):
        async with open_sqlite_outbox(path, CLOCK):
            pass


async def test_a_file_of_the_previous_version_is_migrated_and_keeps_its_renders(
    tmp_path: Path, make_render: MakeRender
) -> None:
    path = tmp_path / "renders.sqlite3"
    render = make_render()
    with sqlite3.connect(path) as connection:
        connection.executescript(f"{MIGRATIONS[0]}; PRAGMA user_version = 1;")
        values = (render.id, "ann", 1, "queued", stored_documents.encode(render))
        connection.execute("INSERT INTO renders VALUES (?, ?, ?, ?, NULL, NULL, NULL, NULL, NULL, ?)", values)
    connection.close()
    async with open_sqlite_store(path, CLOCK, webhooks_enabled=True) as store:
        assert await store.get(render.id, owner="ann") == render
        assert await store.record(cancel(render, now=NOW))
        assert len(await store.outbox.list(first=5)) == 1


async def test_reads_work_while_another_program_writes(tmp_path: Path, make_render: MakeRender) -> None:
    path = tmp_path / "renders.sqlite3"
    async with open_sqlite_store(path, CLOCK) as store:
        render = make_render()
        await store.add(render, window())
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        assert await store.get(render.id, owner="ann") == render
        with pytest.raises(StoreUnavailable, match="locked"):
            await store.add(make_render(), window())
        other.close()
        await store.add(make_render(), window())


async def test_positions_are_counted_up_to_a_limit(tmp_path: Path, make_render: MakeRender) -> None:
    async with open_sqlite_store(tmp_path / "renders.sqlite3", CLOCK) as store:
        for _ in range(MAX_QUEUE_POSITION // 100):
            await store.add_many([make_render(at=NOW) for _ in range(100)], window(limit=2 * MAX_QUEUE_POSITION))
        last_but_one, last = [make_render(at=NOW + HOUR) for _ in range(2)]
        for render in (last_but_one, last):
            await store.add(render, window(limit=2 * MAX_QUEUE_POSITION))
        assert await store.queue_position(last) == MAX_QUEUE_POSITION
        for _ in range(2):
            await store.acquire(worker="w", lease=NO_TIME)
        assert await store.queue_position(last_but_one) == MAX_QUEUE_POSITION - 1
