"""The progress of batches, its watchers, and the message about the end."""

import asyncio
from collections.abc import Mapping
from contextlib import aclosing
from datetime import timedelta

import pytest

from services.models import Render, RenderStatus
from services.models.batches import BatchProgress
from services.realtime.pubsub import open_pubsub
from services.renders import lifecycle
from services.renders.batches import BatchService
from tests.support.api_client import TEST_TIMEOUT_S
from tests.support.batches import (
    BROKEN,
    OUTPUT,
    end,
    launch,
    progress,
    start,
    text_of,
)
from tests.support.fake_backend import FakeBackend
from tests.support.fake_clock import FakeClock, settle
from tests.support.memory_store import MemoryStore
from tests.support.worker_bench import ANN, Bench

PAUSE_S = 1.0  # longer than the interval between two states


@pytest.fixture
def batches(bench: Bench) -> BatchService:
    return BatchService(renders=bench.renders)


async def test_progress_counts_by_status_and_lists_the_first_failures(clock: FakeClock, batches: BatchService) -> None:
    renders = await start(batches, *(str(number) for number in range(20)))
    assert await progress(batches) == BatchProgress(
        batch_id="b", counts={RenderStatus.QUEUED: 20}, percent=0, failures=()
    )
    for render in renders[:12]:
        await end(batches, render, failure=BROKEN)
    for render in renders[12:14]:
        await end(batches, render)
    found = await progress(batches)
    assert (found.total, found.ended, found.count(RenderStatus.QUEUED), found.percent) == (20, 14, 6, 70)
    assert [text_of(render) for render in found.failures] == [str(number) for number in range(10)]
    assert not found.has_ended
    for render in renders[14:]:
        await end(batches, render)
    found = await progress(batches)
    assert (found.percent, found.has_ended, found.estimated_completion_at) == (100, True, None)
    await batches.renders.delete(ANN, renders[0].id)
    assert (await progress(batches)).total == 19
    assert clock.now() == renders[0].created_at


async def test_the_percentage_contains_what_is_running_and_is_100_only_at_the_end(
    backend: FakeBackend, bench: Bench, batches: BatchService
) -> None:
    backend.capacity = 1
    one, two = await start(batches, "1", "2")
    async with bench.working():
        backend.progress(one.id, 45)
        await bench.clock.advance(1)
        assert (await progress(batches)).percent == 25
        backend.finish(one.id)
        await bench.clock.advance(1)
        assert (await progress(batches)).percent == 50
        backend.progress(two.id, 90)
        await bench.clock.advance(1)
        assert (await progress(batches)).percent == 99
        backend.finish(two.id)
        await bench.clock.advance(1)
        assert (await progress(batches)).percent == 100


async def test_the_end_is_estimated_from_the_speed_without_pauses(clock: FakeClock, batches: BatchService) -> None:
    async def run(render: Render) -> None:
        running = await launch(batches, render)
        await clock.advance(10)
        done = lifecycle.complete(running, output=OUTPUT, cost_usd=None, warnings=(), now=clock.now())
        assert await batches.renders.record_all([done])

    renders = await start(batches, *"12345678")
    await run(renders[0])
    assert (await progress(batches)).estimated_completion_at is None
    await run(renders[1])
    assert (await progress(batches)).estimated_completion_at == clock.now() + timedelta(seconds=60)
    await clock.advance(86_400)
    await run(renders[2])
    assert (await progress(batches)).estimated_completion_at == clock.now() + timedelta(seconds=50)


async def watch(batches: BatchService, seen: list[BatchProgress]) -> None:
    async with aclosing(batches.watch(ANN, "b")) as states:
        async for state in states:
            seen.append(state)  # noqa: PERF401  # while it is running


async def test_a_watcher_gets_the_current_progress_then_newer_ones_and_the_end(
    clock: FakeClock, batches: BatchService
) -> None:
    one, two = await start(batches, "1", "2")
    (other,) = await start(batches, "3", batch_id="other")
    seen: list[BatchProgress] = []
    async with asyncio.timeout(TEST_TIMEOUT_S), asyncio.TaskGroup() as group:
        group.create_task(watch(batches, seen))
        await settle()
        assert [each.ended for each in seen] == [0]
        await end(batches, other)
        await clock.advance(PAUSE_S)
        assert len(seen) == 1
        await end(batches, one)
        await clock.advance(PAUSE_S)
        assert [each.ended for each in seen] == [0, 1]
        await end(batches, two)
        await clock.advance(PAUSE_S)
    assert [each.ended for each in seen] == [0, 1, 2]


async def test_a_watcher_gets_at_most_one_state_a_second(clock: FakeClock, batches: BatchService) -> None:
    renders = await start(batches, *"123456789")
    seen: list[BatchProgress] = []
    async with asyncio.timeout(TEST_TIMEOUT_S), asyncio.TaskGroup() as group:
        group.create_task(watch(batches, seen))
        await settle()
        for render in renders:
            await end(batches, render)
            await clock.advance(0.2)
        await clock.advance(PAUSE_S)
    assert [each.ended for each in seen] == [0, 5, 9]


async def test_a_watcher_notices_a_lost_message_at_the_next_check(bench: Bench, batches: BatchService) -> None:
    (one,) = await start(batches, "1")
    seen: list[BatchProgress] = []
    async with asyncio.timeout(TEST_TIMEOUT_S), asyncio.TaskGroup() as group:
        group.create_task(watch(batches, seen))
        await bench.clock.advance(PAUSE_S)
        assert await bench.store.record(lifecycle.cancel(one, now=bench.clock.now()))
        await bench.clock.advance(PAUSE_S)
        assert len(seen) == 1
        await bench.hub.refresh()
    assert [each.ended for each in seen] == [0, 1]


async def test_a_watch_ends_when_all_renders_are_deleted(bench: Bench, batches: BatchService) -> None:
    one, two = await start(batches, "1", "2")
    await end(batches, one)
    seen: list[BatchProgress] = []
    async with asyncio.timeout(TEST_TIMEOUT_S), asyncio.TaskGroup() as group:
        group.create_task(watch(batches, seen))
        await settle()
        await bench.renders.delete(ANN, one.id)
        await bench.clock.advance(PAUSE_S)
        assert await bench.store.record(lifecycle.cancel(two, now=bench.clock.now()))
        assert await bench.store.delete(two.id, owner=ANN.id)
        await bench.hub.refresh()
        await bench.clock.advance(PAUSE_S)
    assert [(each.ended, each.total) for each in seen] == [(1, 2), (0, 1)]


async def test_watchers_of_a_batch_share_its_reads(bench: Bench, batches: BatchService) -> None:
    one, two = await start(batches, "1", "2")
    seen: list[list[BatchProgress]] = [[] for _ in range(50)]
    async with asyncio.timeout(TEST_TIMEOUT_S), asyncio.TaskGroup() as group:
        for each in seen:
            group.create_task(watch(batches, each))
        await bench.clock.advance(PAUSE_S)
        reads = bench.store.reads
        await end(batches, one)
        await bench.clock.advance(PAUSE_S)
        assert {len(each) for each in seen} == {2}
        assert bench.store.reads - reads <= 2, "the first one's, and one for those that were called during it"
        await end(batches, two)
        await bench.clock.advance(PAUSE_S)
    assert {len(each) for each in seen} == {3}


class SlowCounts(MemoryStore):
    """Counts the renders of batches over several iterations of the event loop, and how many counts run at once."""

    running = most = 0

    async def count_by_status(self, owner: str, batch_id: str) -> Mapping[RenderStatus, int]:
        self.running += 1
        self.most = max(self.most, self.running)
        await asyncio.sleep(0)
        self.running -= 1
        return await super().count_by_status(owner, batch_id)


async def test_an_owner_who_watches_many_batches_reads_one_at_a_time(backend: FakeBackend, clock: FakeClock) -> None:
    store = SlowCounts(clock)
    async with open_pubsub("memory://") as pubsub:
        bench = Bench(store, backend, clock, pubsub)
        batches = BatchService(renders=bench.renders)
        for number in range(20):
            await start(batches, "1", batch_id=f"b{number}")
        watches = [batches.watch(ANN, f"b{number}") for number in range(20)]
        first = await asyncio.gather(*map(anext, watches))
        assert ({each.total for each in first}, store.most) == ({1}, 1)
        for each in watches:
            await each.aclose()


async def test_each_end_of_a_batch_has_one_message(backend: FakeBackend, clock: FakeClock) -> None:
    store = MemoryStore(clock, webhooks_enabled=True)
    async with open_pubsub("memory://") as pubsub:
        batches = BatchService(renders=Bench(store, backend, clock, pubsub).renders)

        async def ended() -> list[tuple[str, int, int, int]]:
            messages = [each.batch for each in await store.outbox.list(first=100) if each.event_type == "batch.ended"]
            return [(each.id, each.complete, each.failed, each.cancelled) for each in messages if each]

        one, two = await start(batches, "1", "2")
        await end(batches, one, failure=BROKEN)
        assert await ended() == []
        await end(batches, two)
        assert await ended() == [("b", 1, 1, 0)]
        await clock.advance(1)
        await start(batches, "3")
        await batches.cancel(ANN, "b")
        assert await ended() == [("b", 1, 1, 1), ("b", 1, 1, 0)]
