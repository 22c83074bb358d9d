"""Suspensions of the process and steps of the wall clock lose no render."""

from datetime import timedelta

import pytest

from services.models import RenderStatus
from services.ports import MAX_DUE_DELAY
from services.worker.attempt_end import MAX_RETRY_S
from services.worker.render_run import QUEUE_TIMEOUT
from tests.support.fake_backend import FakeBackend
from tests.support.fake_clock import FakeClock
from tests.support.worker_bench import OPTIONS, SLOW, Bench

HOUR_S = 3600.0
STEPS = pytest.mark.parametrize("step_s", [HOUR_S, -HOUR_S])
LEASE_S = OPTIONS.lease.total_seconds()


async def disturb(clock: FakeClock, kind: str) -> None:
    if kind == "suspension":
        await clock.suspend(600)
    else:
        clock.jump({"forward": HOUR_S, "backward": -HOUR_S}[kind])


@pytest.mark.parametrize("kind", ["suspension", "forward", "backward"])
async def test_suspensions_and_clock_steps_do_not_end_an_attempt(bench: Bench, kind: str) -> None:
    async with bench.working():
        render_id = await bench.start()
        for frames in range(10, 90, 10):
            bench.backend.progress(render_id, frames)
            await bench.clock.advance(5)
            await disturb(bench.clock, kind)
            assert (await bench.get(render_id)).status is RenderStatus.RENDERING
        bench.backend.finish(render_id)
        await bench.clock.advance(2)
        done = await bench.get(render_id)
        assert (done.status, done.attempt) == (RenderStatus.COMPLETE, 1)
    assert bench.metric_values("leases_lost_total") == [0]


@pytest.mark.parametrize("kind", ["suspension", "forward", "backward"])
async def test_an_attempt_still_has_a_time_limit_after_a_disturbance(bench: Bench, kind: str) -> None:
    async with bench.working():
        render_id = await bench.start()
        await disturb(bench.clock, kind)
        await bench.clock.advance(bench.backend.limit.total_seconds() + 15)
        assert (await bench.get(render_id)).attempt == 2


@pytest.mark.parametrize("kind", ["suspension", "forward", "backward"])
async def test_a_disturbance_does_not_time_out_queued_renders(bench: Bench, kind: str) -> None:
    bench.backend.capacity = 1
    async with bench.working(bench.worker(options=SLOW)):
        running = await bench.start()
        await bench.clock.advance(OPTIONS.limits.queue_timeout.total_seconds() + 10)  # the worker is old enough
        waiting = await bench.start()
        for _ in range(30):
            await disturb(bench.clock, kind)
        bench.backend.finish(running)
        await bench.clock.advance(5)
        assert (await bench.get(waiting)).status is RenderStatus.RENDERING


async def test_a_render_that_waited_for_the_queue_timeout_while_the_worker_ran_fails(bench: Bench) -> None:
    bench.backend.capacity = 1
    async with bench.working(bench.worker(options=SLOW)):
        running, waiting = await bench.start(), await bench.start()
        bench.backend.limit = timedelta(hours=2)
        await bench.clock.advance(OPTIONS.limits.queue_timeout.total_seconds() + 10)
        bench.backend.finish(running)
        await bench.clock.advance(5)
        failed = await bench.get(waiting)
        assert (failed.failure, failed.started_at) == (QUEUE_TIMEOUT, None)
    assert await bench.quota_used() == 1


async def test_a_worker_that_starts_after_a_long_outage_runs_the_queued_renders(bench: Bench) -> None:
    render_id = await bench.start()
    await bench.clock.advance(100 * OPTIONS.limits.queue_timeout.total_seconds())
    async with bench.working():
        assert (await bench.get(render_id)).status is RenderStatus.RENDERING


@STEPS
async def test_a_clock_step_does_not_delay_a_further_attempt(bench: Bench, step_s: float) -> None:
    async with bench.working():
        render_id = await bench.start()
        bench.backend.break_down(render_id, retryable=True, busy=True)
        await bench.clock.advance(1)
        assert (await bench.get(render_id)).status is RenderStatus.QUEUED
        bench.clock.jump(step_s)
        await bench.clock.advance(MAX_RETRY_S)
        assert (await bench.get(render_id)).attempt == 2


def test_no_delay_of_a_render_counts_as_a_clock_step() -> None:
    assert timedelta(seconds=MAX_RETRY_S) < MAX_DUE_DELAY


@STEPS
async def test_a_clock_step_loses_no_lease_of_a_running_worker(bench: Bench, step_s: float) -> None:
    async with bench.working():
        render_id = await bench.start()
        bench.clock.jump(step_s)
        await bench.clock.advance(LEASE_S * 3)
        bench.backend.finish(render_id)
        await bench.clock.advance(2)
        assert (await bench.get(render_id)).status is RenderStatus.COMPLETE
    assert bench.backend.starts == [render_id]


async def test_a_suspended_worker_without_a_successor_continues_its_render(bench: Bench) -> None:
    async with bench.working():
        render_id = await bench.start()
        await bench.clock.suspend(LEASE_S * 10)
        bench.backend.finish(render_id)
        await bench.clock.advance(2)
        done = await bench.get(render_id)
        assert (done.status, done.attempt) == (RenderStatus.COMPLETE, 1)


async def test_a_worker_that_takes_over_adds_one_lease_to_the_running_time(bench: Bench) -> None:
    async with bench.working():
        render_id = await bench.start()
        await bench.clock.advance(60)
        bench.backend.progress(render_id, 45)
        await bench.clock.advance(2)
        running_s = (await bench.get(render_id)).running_s
        assert 60 <= running_s <= 62
    await bench.clock.advance(1000)
    async with bench.working(bench.worker("w2")):
        assert (await bench.get(render_id)).running_s == pytest.approx(running_s + LEASE_S)


async def test_a_worker_with_a_long_lease_that_takes_over_does_not_end_the_attempt(bench: Bench) -> None:
    assert SLOW.lease >= bench.backend.limit
    async with bench.working(bench.worker("w1", options=SLOW)):
        render_id = await bench.start()
    async with bench.working(bench.worker("w2", options=SLOW)):
        await bench.clock.advance(60)
        running = await bench.get(render_id)
        assert (running.status, running.attempt) == (RenderStatus.RENDERING, 1)
    assert bench.backend.stopped == []


async def test_workers_that_die_again_and_again_do_not_extend_an_attempt_without_limit(bench: Bench) -> None:
    backend = FakeBackend(limit=timedelta(seconds=10 * LEASE_S))
    async with bench.working(bench.worker("first", backend)):
        render_id = await bench.start()
    for restart in range(10):
        assert (await bench.get(render_id)).attempt == 1
        async with bench.working(bench.worker(f"w{restart}", backend)):
            pass
    async with bench.working(bench.worker("last", backend)):
        await bench.clock.advance(5)
        assert (await bench.get(render_id)).attempt == 2
    assert (backend.stopped, backend.overlaps) == ([render_id], [])
