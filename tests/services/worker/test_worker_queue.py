"""The worker when the backend rejects starts or has no capacity: queueing, backoff, quota."""

import random
from datetime import timedelta

import pytest

from services.models import RenderStatus
from services.ports import AttemptProgress
from services.worker.attempt_end import MAX_RETRY_S
from services.worker.concurrency_limit import MAX_CONCURRENT_STARTS
from tests.support.memory_store import MemoryStore
from tests.support.worker_bench import MISCONFIGURED, OPTIONS, SLOW, Bench, SlowStarts


async def test_a_rejected_start_is_retried_and_does_not_count_as_an_attempt(bench: Bench) -> None:
    bench.backend.rejections = 3
    async with bench.working():
        render_id = await bench.start()
        waiting = await bench.get(render_id)
        assert (waiting.status, waiting.attempt, waiting.rejected_starts) == (RenderStatus.QUEUED, 0, 1)
        await bench.clock.advance(60)
        running = await bench.get(render_id)
        assert (running.status, running.attempt, running.rejected_starts) == (RenderStatus.RENDERING, 1, 3)


@pytest.mark.slow
async def test_a_render_that_is_always_rejected_times_out_and_costs_no_quota(bench: Bench) -> None:
    bench.backend.rejections = 1_000_000
    async with bench.working():
        render_id = await bench.start()
        await bench.clock.advance(OPTIONS.limits.queue_timeout.total_seconds() + 31)
        failed = await bench.get(render_id)
        assert failed.failure is not None
        assert (failed.status, failed.failure.code) == (RenderStatus.FAILED, "QUEUE_TIMEOUT")
    assert await bench.quota_used() == 0


async def test_an_impossible_start_fails_the_render_and_costs_no_quota(bench: Bench) -> None:
    bench.backend.impossible = MISCONFIGURED
    async with bench.working():
        failed = await bench.get(await bench.start())
    assert (failed.status, failed.failure, failed.attempt) == (RenderStatus.FAILED, MISCONFIGURED, 0)
    assert await bench.quota_used() == 0


async def test_no_renders_are_started_while_the_backend_has_no_capacity(bench: Bench) -> None:
    bench.backend.rejections = 1
    bench.backend.capacity = 1
    ids = [await bench.start() for _ in range(3)]
    async with bench.working():
        assert bench.backend.starts == []
        renders = [await bench.get(render_id) for render_id in ids]
        assert {render.status for render in renders} == {RenderStatus.QUEUED}
        assert sorted(render.rejected_starts for render in renders) == [0, 0, 1]
        positions = sorted([(r.rejected_starts == 0, await bench.renders.queue_position(r)) for r in renders])
        assert positions == [(False, 1), (True, 1), (True, 2)]  # the rejected one is next when its delay is over
        await bench.clock.advance(1)
        assert len(bench.backend.starts) == 1
    assert await bench.quota_used() == 3


async def test_starts_on_a_backend_without_capacity_become_rarer(bench: Bench) -> None:
    bench.backend.rejections = 1_000_000
    for _ in range(10):
        await bench.start()
    async with bench.working():
        await bench.clock.advance(600)
    rejected = 1_000_000 - bench.backend.rejections
    assert rejected < 10 * 4 * 600 / 15  # capacity 4, one start each per pause; pauses reach 15 to 30 s


async def test_a_start_wakes_one_worker_with_capacity(bench: Bench) -> None:
    """They poll every 30 s only. A woken worker that becomes full wakes the next, as the queue may have more."""
    random.seed(0)  # workers choose one of 64 channels at random: here different ones, so that a start wakes one only
    bench.backend.capacity = 1
    stores = [CountingStore(bench.store) for _ in range(3)]
    workers = [bench.worker(f"w{n}", options=SLOW, store=store) for n, store in enumerate(stores)]  # type: ignore[arg-type]
    async with bench.working(*workers):
        for number in range(1, 4):
            before = [store.acquires for store in stores]
            render_id = await bench.start()
            assert (await bench.get(render_id)).status is RenderStatus.RENDERING
            assert sum(worker.running for worker in workers) == number
            looked = sum(store.acquires > was for store, was in zip(stores, before, strict=True))
            assert looked <= min(2, 4 - number)


class CountingStore:
    """Counts the calls of one worker that look for the first render of the queue."""

    def __init__(self, store: MemoryStore) -> None:
        self.acquires = 0
        self._store = store

    def __getattr__(self, name: str) -> object:
        self.acquires += name == "acquire"
        return getattr(self._store, name)


async def test_an_attempt_that_found_no_capacity_waits_and_pauses_the_queue(bench: Bench) -> None:
    async with bench.working():
        render_id = await bench.start()
        bench.backend.break_down(render_id, retryable=True, busy=True)
        await bench.clock.advance(1)
        waiting = await bench.start()
        assert (await bench.get(waiting)).status is RenderStatus.QUEUED
        await bench.clock.advance(1)
        assert (await bench.get(waiting)).status is RenderStatus.RENDERING
        await bench.clock.advance(8)
        assert (await bench.get(render_id)).status is RenderStatus.QUEUED
        await bench.clock.advance(20)
        assert (await bench.get(render_id)).attempt == 2


async def test_concurrent_starts_are_limited(bench: Bench) -> None:
    backend = SlowStarts(bench.clock, capacity=100, limit=timedelta(seconds=30))
    ids = [await bench.start() for _ in range(80)]
    async with bench.working(bench.worker(backend=backend)):
        await bench.clock.advance(1)
        statuses = [(await bench.get(render_id)).status for render_id in ids]
        assert (statuses.count(RenderStatus.RENDERING), statuses.count(RenderStatus.QUEUED)) == (16, 64)
        for _ in range(6):
            await bench.clock.advance(8)
            for render_id in backend.starts:
                backend.finish(render_id)
        assert {(await bench.get(render_id)).status for render_id in ids} == {RenderStatus.COMPLETE}
    assert backend.max_concurrent == MAX_CONCURRENT_STARTS


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("functions", [2, 5])
async def test_an_account_with_low_concurrency_completes_every_render(
    bench: Bench, workers: int, functions: int
) -> None:
    bench.backend.capacity, bench.backend.concurrency, bench.backend.functions = 25, 10, functions
    ids = [await bench.start() for _ in range(60)]
    async with bench.working(*[bench.worker(f"w{number}") for number in range(workers)]):
        for _ in range(600):
            running = [id_ for id_, attempt in bench.backend.attempts.items() if isinstance(attempt, AttemptProgress)]
            for render_id in running:
                bench.backend.draw(render_id, 18)  # so that each takes five seconds
            await bench.clock.advance(1)
        renders = [await bench.get(render_id) for render_id in ids]
    assert {render.status for render in renders} == {RenderStatus.COMPLETE}
    wasted = len(bench.backend.starts) + bench.backend.rejected - len(ids)
    assert wasted < 3 * len(ids)


@pytest.mark.slow
async def test_attempts_that_found_no_capacity_are_limited_by_the_queue_timeout_only(bench: Bench) -> None:
    async with bench.working():
        render_id = await bench.start()
        until = (await bench.get(render_id)).created_at + OPTIONS.limits.queue_timeout
        failures = 0
        while bench.clock.now() < until:
            assert (await bench.get(render_id)).status is RenderStatus.RENDERING
            bench.backend.break_down(render_id, retryable=True, busy=True)
            failures += 1
            await bench.clock.advance(MAX_RETRY_S + 5)
        assert (await bench.get(render_id)).busy_attempts == failures > OPTIONS.limits.max_attempts
        bench.backend.break_down(render_id, retryable=True, busy=True)
        await bench.clock.advance(2)
        failed = await bench.get(render_id)
        assert failed.failure is not None
        assert (failed.status, failed.failure.code) == (RenderStatus.FAILED, "BROKEN")


async def test_attempts_that_found_no_capacity_do_not_count_towards_max_attempts(bench: Bench) -> None:
    async with bench.working():
        render_id = await bench.start()
        for busy in (True, False, True, False, True, False):
            assert (await bench.get(render_id)).status is RenderStatus.RENDERING
            bench.backend.break_down(render_id, retryable=True, busy=busy)
            await bench.clock.advance(MAX_RETRY_S + 5)
        failed = await bench.get(render_id)
        assert (failed.status, failed.attempt, failed.busy_attempts) == (RenderStatus.FAILED, 6, 3)


async def test_running_renders_are_acquired_while_the_backend_has_no_capacity(bench: Bench) -> None:
    async with bench.working(bench.worker("dead")):
        running_id = await bench.start()
    bench.backend.rejections = 1_000_000
    waiting = await bench.start()
    await bench.store.reacquire(worker="dead", lease=timedelta(seconds=100))
    async with bench.working():
        bench.backend.finish(running_id)
        await bench.clock.advance(103)  # by now each pause lasts 15 to 30 s
        assert (await bench.get(running_id)).status is RenderStatus.COMPLETE
        assert (await bench.get(waiting)).status is RenderStatus.QUEUED


async def test_a_render_that_was_started_never_times_out_in_the_queue(bench: Bench) -> None:
    async with bench.working():
        render_id = await bench.start()
    bench.backend.forget(render_id)
    await bench.clock.advance(OPTIONS.limits.queue_timeout.total_seconds() * 2)
    async with bench.working(bench.worker("w2")):
        await bench.clock.advance(2)
        assert (await bench.get(render_id)).status is RenderStatus.RENDERING
