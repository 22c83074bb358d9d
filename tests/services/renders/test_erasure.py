"""Erasing an owner's data, on every store."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from pymongo import AsyncMongoClient

from services.errors import BackendUnavailable
from services.models import Output, Render, RenderPhase
from services.ports import AttemptProgress, RenderStore
from services.realtime.pubsub import open_pubsub
from services.renders import lifecycle
from services.renders.erasure import Eraser
from services.runtime.services import compose
from services.settings import default_settings
from services.stores.mongo import open_mongo_store
from services.stores.sqlite import open_sqlite_store
from tests.conftest import MakeRender
from tests.support.fake_backend import FakeBackend
from tests.support.fake_clock import FakeClock, settle
from tests.support.memory_store import MemoryStore
from tests.support.stored_renders import ALL, HOUR, NOW, added, launched, window
from tests.support.worker_bench import ANN, Bench

OWNER = "https://issuer.example (a+b).*"


class InstantClock(FakeClock):
    """A clock whose sleeps end at once."""

    async def sleep(self, seconds: float) -> None:
        self._now += timedelta(seconds=seconds)


@asynccontextmanager
async def memory(_: Path) -> AsyncIterator[RenderStore]:
    yield MemoryStore(webhooks_enabled=True)


def sqlite(folder: Path) -> AbstractAsyncContextManager[RenderStore]:
    return open_sqlite_store(folder / "renders.sqlite3", FakeClock(), webhooks_enabled=True)


def mongo(url: str) -> AbstractAsyncContextManager[RenderStore]:
    return open_mongo_store(AsyncMongoClient, url, webhooks_enabled=True)


@pytest.fixture(params=[memory, sqlite, pytest.param(mongo, marks=pytest.mark.slow)])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[RenderStore]:
    location = request.getfixturevalue("mongo_url") if request.param is mongo else tmp_path
    async with request.param(location) as opened:
        yield opened


@pytest.fixture
async def make_eraser(store: RenderStore, backend: FakeBackend) -> AsyncIterator[Callable[..., Eraser]]:
    async with open_pubsub("memory://") as pubsub:
        clock = InstantClock()
        services = compose(
            default_settings(), clock=clock, store=store, pubsub=pubsub, backend=backend, with_worker=False
        )
        yield partial(Eraser, renders=services.renders, store=store, backend=backend, clock=clock)


@pytest.fixture
def eraser(make_eraser: Callable[..., Eraser]) -> Eraser:
    return make_eraser(stops_attempts=True)


async def completed(store: RenderStore, backend: FakeBackend, render: Render) -> Render:
    running = launched(await added(store, render))
    await store.record(running)
    output = Output(bucket="b", key=f"{render.id}.mp4", size_bytes=7)
    backend.outputs.add(output.key)
    complete = lifecycle.complete(running, output=output, cost_usd=None, warnings=(), now=NOW)
    await store.record(complete)
    return complete


async def test_erases_renders_files_messages_and_quota_of_one_owner_only(
    store: RenderStore, backend: FakeBackend, eraser: Eraser, make_render: MakeRender
) -> None:
    mine = [await completed(store, backend, make_render(owner=OWNER)) for _ in range(2)]
    others = [OWNER + "x", "x" + OWNER, OWNER.replace("+", "")]
    theirs = [await completed(store, backend, make_render(owner=owner)) for owner in others]
    deleted_earlier = await completed(store, backend, make_render(owner=OWNER))
    await store.delete(deleted_earlier.id, owner=OWNER)

    erasure = await eraser.erase(OWNER)

    assert (erasure.renders, erasure.messages, erasure.quota_windows, erasure.without_file) == (2, 3, 1, 0)
    assert (erasure.unfinished, erasure.unreadable) == ([], [])
    assert await store.render_ids(OWNER) == []
    assert await store.quota_used(window(OWNER)) == 0
    assert {f"{render.id}.mp4" for render in mine}.isdisjoint(backend.outputs)
    for render in theirs:
        assert await store.get(render.id, owner=render.owner) == render
        assert await store.quota_used(window(render.owner)) == 1
        assert f"{render.id}.mp4" in backend.outputs


async def test_erasing_again_erases_nothing(
    store: RenderStore, backend: FakeBackend, eraser: Eraser, make_render: MakeRender
) -> None:
    await completed(store, backend, make_render(owner=OWNER))
    await eraser.erase(OWNER)
    assert (await eraser.erase(OWNER)).is_empty
    assert (await eraser.preview(OWNER)).is_empty


async def test_a_preview_counts_the_same_and_changes_nothing(
    store: RenderStore, backend: FakeBackend, eraser: Eraser, make_render: MakeRender
) -> None:
    complete = await completed(store, backend, make_render(owner=OWNER))
    queued = await added(store, make_render(owner=OWNER))
    preview = await eraser.preview(OWNER)
    assert (preview.renders, preview.messages, preview.quota_windows) == (2, 1, 1)
    assert (preview.unfinished, preview.unreadable) == ([queued.id], [])
    assert sorted(await store.render_ids(OWNER)) == sorted([complete.id, queued.id])
    assert await store.quota_used(window(OWNER)) == 2
    assert backend.outputs == {f"{complete.id}.mp4"}


async def test_unfinished_renders_are_cancelled_and_their_attempts_stopped_first(
    store: RenderStore, backend: FakeBackend, eraser: Eraser, make_render: MakeRender
) -> None:
    await added(store, make_render(owner=OWNER))
    running = launched(await added(store, make_render(owner=OWNER)))
    await store.record(running)
    backend.attempts[running.id] = AttemptProgress(phase=RenderPhase.LAUNCHING, fraction=0.0, frames_rendered=0)
    erasure = await eraser.erase(OWNER)
    assert (erasure.renders, erasure.unfinished) == (2, [])
    assert running.id in backend.stopped
    assert await store.render_ids(OWNER) == []


async def test_where_workers_run_they_are_asked_to_cancel_and_what_they_do_not_end_is_named(
    store: RenderStore, backend: FakeBackend, make_eraser: Callable[..., Eraser], make_render: MakeRender
) -> None:
    complete = await completed(store, backend, make_render(owner=OWNER))
    running = launched(await added(store, make_render(owner=OWNER)))
    await store.record(running)
    eraser = make_eraser(stops_attempts=False)
    erasure = await eraser.erase(OWNER)
    assert (erasure.renders, erasure.unfinished) == (1, [running.id])
    assert backend.stopped == []
    (left,) = await store.list(owner=OWNER, first=5, matching=ALL)
    assert (left.id, left.cancel_requested) == (running.id, True)
    assert await store.get(complete.id, owner=OWNER) is None
    await store.record(lifecycle.cancel(left, now=NOW))
    again = await eraser.erase(OWNER)
    assert (again.renders, again.unfinished) == (1, [])


async def test_a_worker_cancels_a_render_without_progress_at_once(bench: Bench) -> None:
    async with bench.working():
        render_id = await bench.start()
        eraser = Eraser(
            renders=bench.renders, store=bench.store, backend=bench.backend, clock=bench.clock, stops_attempts=False
        )
        erasing = asyncio.create_task(eraser.erase(ANN.id))
        await settle()
        await bench.clock.advance(1)
        erasure = await erasing
    assert (erasure.renders, erasure.unfinished) == (1, [])
    assert bench.backend.stopped == [render_id]
    assert await bench.store.render_ids(ANN.id) == []


async def test_a_failure_of_the_storage_leaves_the_render_so_that_a_repetition_erases_it(
    store: RenderStore, backend: FakeBackend, eraser: Eraser, make_render: MakeRender
) -> None:
    complete = await completed(store, backend, make_render(owner=OWNER))
    backend.unavailable = True
    with pytest.raises(BackendUnavailable):
        await eraser.erase(OWNER)
    assert await store.get(complete.id, owner=OWNER) == complete
    backend.unavailable = False
    assert (await eraser.erase(OWNER)).renders == 1


async def test_videos_that_the_storage_does_not_have_are_counted(
    store: RenderStore, backend: FakeBackend, eraser: Eraser, make_render: MakeRender
) -> None:
    await completed(store, backend, make_render(owner=OWNER))
    backend.outputs.clear()
    assert (await eraser.erase(OWNER)).without_file == 1


async def test_more_renders_than_a_page_are_erased(bench: Bench, make_render: MakeRender) -> None:
    for _ in range(103):
        await bench.store.add(make_render(owner=ANN.id), window(ANN.id, limit=103))
    eraser = Eraser(
        renders=bench.renders, store=bench.store, backend=bench.backend, clock=bench.clock, stops_attempts=True
    )
    preview = await eraser.preview(ANN.id)
    assert (preview.renders, len(preview.unfinished)) == (103, 103)
    assert (await eraser.erase(ANN.id)).renders == 103
    assert await bench.store.acquire(worker="w", lease=HOUR) is None
