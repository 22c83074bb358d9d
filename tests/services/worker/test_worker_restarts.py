"""Workers that stop, are suspended, or lose leases to each other."""

import asyncio
import signal
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from services.background.supervision import supervise
from services.models import Render, RenderStatus
from services.realtime.hub import ProgressHub
from tests.support.fake_backend import FakeBackend
from tests.support.fake_clock import settle
from tests.support.memory_store import MemoryStore
from tests.support.text_renderer import text_renderer
from tests.support.worker_bench import OPTIONS, Bench


async def test_a_worker_that_stops_releases_its_renders_at_once(bench: Bench) -> None:
    async with bench.working():
        render_id = await bench.start()
    assert bench.backend.abandoned == [(render_id, "attempt-1")]
    async with bench.working(bench.worker("w2")):
        bench.backend.finish(render_id)
        await bench.clock.advance(1)
        assert (await bench.get(render_id)).status is RenderStatus.COMPLETE
    assert bench.backend.starts == [render_id]


async def test_a_render_whose_attempt_is_gone_is_started_again(bench: Bench) -> None:
    async with bench.working():
        render_id = await bench.start()
    bench.backend.forget(render_id)
    async with bench.working(bench.worker("w2")):
        await bench.clock.advance(1)
        assert (await bench.get(render_id)).attempt == 2
    assert bench.backend.starts == [render_id, render_id]


async def test_orderly_restarts_do_not_count_towards_max_attempts(bench: Bench) -> None:
    render_id = await bench.start()
    for restart in range(10):
        async with bench.working(bench.worker(f"w{restart}")):
            await bench.clock.advance(1)
        bench.backend.forget(render_id)
    async with bench.working(bench.worker("last")):
        await bench.clock.advance(1)
        bench.backend.finish(render_id)
        await bench.clock.advance(1)
        done = await bench.get(render_id)
        assert (done.status, done.attempt, done.interruptions) == (RenderStatus.COMPLETE, 11, 10)


@pytest.mark.parametrize("attempt", ["finished", "gone", "still running"])
async def test_a_render_acquired_long_after_its_deadline_is_polled_first(bench: Bench, attempt: str) -> None:
    """As after a machine was suspended, or a worker restarted the next morning."""
    async with bench.working():
        render_id = await bench.start()
    if attempt == "finished":
        bench.backend.finish(render_id)
    elif attempt == "gone":
        bench.backend.forget(render_id)
    await bench.clock.advance(bench.backend.limit.total_seconds() * 100)
    async with bench.working(bench.worker("w2")):
        await bench.clock.advance(2)
        found = await bench.get(render_id)
    expected = {
        "finished": (RenderStatus.COMPLETE, 1),
        "gone": (RenderStatus.RENDERING, 2),
        "still running": (RenderStatus.RENDERING, 1),
    }
    assert (found.status, found.attempt) == expected[attempt]


async def test_an_exception_while_stopping_does_not_restart_the_worker(bench: Bench) -> None:
    class FailsToAbandon(FakeBackend):
        async def abandon(self, render: Render) -> None:
            del render
            raise OSError("no")

    worker = bench.worker(backend=FailsToAbandon())
    working = asyncio.create_task(supervise("worker", worker.run))
    await settle()
    await bench.start()
    working.cancel()
    await settle()
    assert working.done()


async def test_leases_are_renewed_while_a_render_has_no_changes(bench: Bench) -> None:
    async with bench.working():
        render_id = await bench.start()
        async with bench.working(bench.worker("w2", FakeBackend())):
            await bench.clock.advance(60)
            assert (await bench.get(render_id)).attempt == 1
    assert bench.backend.starts == [render_id]


async def test_a_worker_that_lost_its_lease_stops_and_changes_nothing(bench: Bench) -> None:
    async with bench.working():
        render_id = await bench.start()
        await bench.store.release(worker="w1")  # as when it expires while this worker is paused
        assert await bench.store.reacquire(worker="successor", lease=timedelta(days=1)) is not None
        bench.backend.finish(render_id)
        await bench.clock.advance(30)
        assert (await bench.get(render_id)).status is RenderStatus.RENDERING
        assert bench.backend.abandoned == [(render_id, "attempt-1")]
    assert bench.metric_values("leases_lost_total") == [1]


async def test_a_worker_acquires_a_render_again_only_after_its_run_has_ended(bench: Bench) -> None:
    class SlowHub(ProgressHub):
        published = asyncio.Event()

        async def publish(self, render: Render) -> None:
            await self.published.wait()
            await super().publish(render)

    hub = SlowHub(
        store=bench.store,
        pubsub=bench.pubsub,
        clock=bench.clock,
        metrics=bench.metrics,
        check_interval=timedelta(seconds=5),
    )
    hub.published.set()
    render_id = await bench.start()
    async with bench.working(bench.worker(hub=hub)):
        hub.published.clear()
        bench.backend.forget(render_id)
        await bench.clock.advance(5)  # the render is QUEUED again and could be acquired, but that isn't published yet
        hub.published.set()
        await bench.clock.advance(1)
        assert (await bench.get(render_id)).backend_render_id == "attempt-2"


async def test_a_worker_suspended_beyond_the_deadline_keeps_the_video_of_its_successor(
    bench: Bench, tmp_path: Path
) -> None:
    open_backend = partial(
        text_renderer, tmp_path, width=64, height=64, base_url="http://x", clock=bench.clock, shared=True
    )
    suspended_store = MemoryStore(bench.clock)
    suspended_store._rows = bench.store._rows
    async with open_backend() as suspended_backend, open_backend() as other_backend:
        suspended = bench.worker("suspended", suspended_backend, store=suspended_store)
        async with bench.working(suspended):
            render_id = await bench.start()
            while not (attempt := suspended_backend._attempts.get(render_id)):  # noqa: ASYNC110  # as long as a process takes
                await asyncio.sleep(0.01)
            attempt.process.send_signal(signal.SIGSTOP)
            suspended_store.unavailable = True
            await bench.clock.advance(OPTIONS.lease.total_seconds())
            async with bench.working(bench.worker("successor", other_backend)):
                while (done := await bench.get(render_id)).output is None:
                    await bench.clock.advance(0.02)  # not much faster than the process renders
                    await asyncio.sleep(0.01)
            assert bench.clock.now() < done.created_at + suspended_backend.time_limit(done)
            await bench.clock.advance(suspended_backend.time_limit(done).total_seconds())
            while suspended_backend._attempts:  # noqa: ASYNC110  # the same
                await asyncio.sleep(0.01)
            suspended_store.unavailable = False
            await bench.clock.advance(60)
            assert not suspended.running
        assert await bench.get(render_id) == done
        assert await other_backend.has_output(done.output)


async def test_two_workers_start_each_render_once(bench: Bench) -> None:
    ids = [await bench.start() for _ in range(50)]
    workers = [bench.worker(f"w{number}") for number in range(2)]
    async with bench.working(*workers):
        for _ in range(60):
            for render_id in list(bench.backend.attempts):
                bench.backend.finish(render_id)
            await bench.clock.advance(1)
        assert {(await bench.get(render_id)).status for render_id in ids} == {RenderStatus.COMPLETE}
    assert sorted(bench.backend.starts) == sorted(ids)


async def test_a_worker_that_stops_waits_for_the_response_to_a_start(bench: Bench) -> None:
    bench.backend.start_gate = asyncio.Event()
    render_id = await bench.start()
    stopping = asyncio.create_task(bench.worker().run())
    await settle()
    stopping.cancel()
    await settle()
    assert not stopping.done()
    bench.backend.start_gate.set()
    with pytest.raises(asyncio.CancelledError):
        await stopping
    assert (await bench.get(render_id)).backend_render_id == "attempt-1"
    async with bench.working():
        bench.backend.finish(render_id)
        await bench.clock.advance(1)
        assert (await bench.get(render_id)).status is RenderStatus.COMPLETE
    assert bench.backend.starts == [render_id]


async def test_a_worker_that_stops_during_a_slow_start_releases_its_other_render_at_once(bench: Bench) -> None:
    stopping = asyncio.create_task(bench.worker().run())
    await settle()
    other = await bench.start()
    bench.backend.start_gate = asyncio.Event()
    slow = await bench.start()
    stopping.cancel()
    await settle()
    async with bench.working(bench.worker("w2")):
        bench.backend.finish(other)
        await bench.clock.advance(2)
        assert (await bench.get(other)).status is RenderStatus.COMPLETE
        await bench.clock.advance(OPTIONS.lease.total_seconds() * 3)
        bench.backend.start_gate.set()
        with pytest.raises(asyncio.CancelledError):
            await stopping
        running = await bench.get(slow)
        assert (running.attempt, running.backend_render_id) == (1, "attempt-2")
        bench.backend.finish(slow)
        await bench.clock.advance(2)
        assert (await bench.get(slow)).status is RenderStatus.COMPLETE
    assert bench.backend.starts == [other, slow]
