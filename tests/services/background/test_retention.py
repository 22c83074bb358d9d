"""What is deleted after the retention, in the embedded store and in the output folder."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from services.background.retention import TICK_INTERVAL_S, RetentionLoop, RetentionTarget
from services.errors import StoreUnavailable
from services.models import Output, QuotaWindow, Render
from services.observability.liveness import MAX_SILENCE_S, Liveness
from services.renders import lifecycle
from services.storage.folder_storage import open_folder_storage
from services.storage.unfinished_files import unfinished
from services.stores.sqlite import SqliteStore, open_sqlite_store
from tests.conftest import MakeRender
from tests.support.fake_clock import FakeClock

RETENTION = timedelta(days=30)
HOUR_S = 3600.0
OUTPUT = Output(bucket="local", key="a.mp4", size_bytes=5)


@asynccontextmanager
async def running(*targets: RetentionTarget, clock: FakeClock) -> AsyncIterator[RetentionLoop]:
    loop = RetentionLoop(targets, retention=RETENTION, clock=clock)
    task = asyncio.create_task(loop.run())
    try:
        yield loop
    finally:
        task.cancel()
        await asyncio.wait([task])


@dataclass
class Target:
    """A target that records the moments before which it was to delete, and fails once."""

    moments: list[datetime] = field(default_factory=list)

    async def delete_ended_before(self, moment: datetime) -> int:
        self.moments.append(moment)
        if len(self.moments) == 1:
            raise StoreUnavailable("down")
        return 1


async def test_everything_is_looked_through_each_hour_and_the_loop_ticks_each_minute(clock: FakeClock) -> None:
    first, second, started = Target(), Target(), clock.now()
    async with running(first, second, clock=clock) as loop:
        await clock.advance(0)
        assert first.moments == second.moments == [started - RETENTION]
        await clock.advance(HOUR_S - 1)
        assert len(first.moments) == 1
        assert loop.last_tick_s is not None
        assert clock.monotonic() - loop.last_tick_s < TICK_INTERVAL_S
        await clock.advance(1)
        assert second.moments == [started - RETENTION, clock.now() - RETENTION]


@dataclass
class SlowTarget:
    """A target that takes this long for each deletion."""

    clock: FakeClock
    seconds: float
    deletions: int = 0

    async def delete_ended_before(self, moment: datetime) -> int:  # noqa: ARG002
        await self.clock.sleep(self.seconds)
        self.deletions += 1
        return 0


async def test_the_loop_is_alive_while_many_files_are_looked_through(clock: FakeClock) -> None:
    target = SlowTarget(clock, seconds=HOUR_S / 2)
    async with running(target, clock=clock) as loop:
        liveness = Liveness({"retention": loop}, clock)
        for _ in range(60):
            await clock.advance(TICK_INTERVAL_S)
            assert liveness.stalled() is None
        assert target.deletions == 1
        await clock.advance(HOUR_S)
        assert target.deletions == 2


class BrokenTarget:
    """A target with a bug."""

    async def delete_ended_before(self, moment: datetime) -> int:  # noqa: ARG002
        raise RuntimeError("a bug")


async def test_a_bug_of_a_deletion_ends_the_loop_at_once(clock: FakeClock) -> None:
    loop = RetentionLoop([BrokenTarget()], retention=RETENTION, clock=clock)
    async with asyncio.timeout(30):
        with pytest.raises(ExceptionGroup, match="TaskGroup") as raised:
            await loop.run()
    assert raised.value.subgroup(RuntimeError) is not None


async def test_a_deletion_that_hangs_is_noticed(clock: FakeClock) -> None:
    async with running(SlowTarget(clock, seconds=1e9), clock=clock) as loop:
        await clock.advance(HOUR_S + MAX_SILENCE_S)
        assert Liveness({"retention": loop}, clock).stalled() is not None


async def test_the_files_of_renders_are_removed_and_no_others(
    tmp_path: Path, clock: FakeClock, make_render: MakeRender
) -> None:
    storage = open_folder_storage(tmp_path, base_url="http://x", clock=clock, shared=True)
    old, new = make_render(), make_render()
    limit = clock.now() - RETENTION
    for name, age in {
        f"{old.id}.mp4": 1,
        f"{old.id}.jpg": 1,
        f"{old.id}.preview.jpg": 1,
        f"{new.id}.mp4": -1,
        f"{new.id}.txt": 1,
        "notes.mp4": 1,
        unfinished(storage.folder, new.id).name: 1,
    }.items():
        path = storage.folder / name
        path.touch()
        os.utime(path, (0, limit.timestamp() - age))
    assert await storage.delete_ended_before(limit) == 3
    kept = {path.name for path in storage.folder.iterdir()}
    assert kept == {f"{new.id}.mp4", f"{new.id}.txt", "notes.mp4", f"{new.id}.part"}
    assert await storage.delete_ended_before(limit) == 0


@pytest.fixture
async def store(tmp_path: Path, clock: FakeClock) -> AsyncIterator[SqliteStore]:
    async with open_sqlite_store(tmp_path / "store", clock) as opened:
        yield opened


async def add(store: SqliteStore, render: Render, *, completed_at: datetime | None) -> None:
    window = QuotaWindow(owner=render.owner, starts_at=render.created_at, limit=100, length=timedelta(hours=1))
    await store.add(render, window)
    if completed_at is not None:
        launched = lifecycle.launch(render, now=render.created_at)
        assert await store.record(launched)
        ended = lifecycle.complete(launched, output=OUTPUT, cost_usd=None, warnings=(), now=completed_at)
        assert await store.record(ended)


async def test_renders_are_deleted_by_their_end(store: SqliteStore, clock: FakeClock, make_render: MakeRender) -> None:
    limit, second = clock.now() - RETENTION, timedelta(seconds=1)
    long_ago = limit - timedelta(days=1)
    ended, ended_later, unfinished_one = (make_render(at=long_ago) for _ in range(3))
    await add(store, ended, completed_at=limit - second)
    await add(store, ended_later, completed_at=limit + second)
    await add(store, unfinished_one, completed_at=None)
    assert await store.delete_ended_before(limit) == 1
    assert set(await store.render_ids("ann")) == {ended_later.id, unfinished_one.id}


@pytest.mark.parametrize("document", ['{"id": "', "", "{}", "7"])
async def test_a_damaged_document_keeps_no_render_from_deletion(
    store: SqliteStore, clock: FakeClock, make_render: MakeRender, document: str
) -> None:
    limit, second = clock.now() - RETENTION, timedelta(seconds=1)
    old, damaged, damaged_unfinished = (make_render(at=limit - second) for _ in range(3))
    damaged_later = make_render(at=limit + second)
    await add(store, old, completed_at=limit - second)
    await add(store, damaged, completed_at=limit - second)
    await add(store, damaged_unfinished, completed_at=None)
    await add(store, damaged_later, completed_at=limit + second)
    for render in (damaged, damaged_unfinished, damaged_later):
        store._file.connection.execute("UPDATE renders SET document = ? WHERE id = ?", (document, render.id))
    assert await store.delete_ended_before(limit) == 2
    assert set(await store.render_ids("ann")) == {damaged_unfinished.id, damaged_later.id}
