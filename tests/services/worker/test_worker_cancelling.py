"""Cancelling renders that a worker runs."""

import pytest

from services.errors import RenderAlreadyFinished
from services.models import RenderStatus
from services.renders import lifecycle
from tests.support.fake_clock import settle
from tests.support.worker_bench import ANN, Bench


async def test_a_running_render_is_cancelled_at_once(bench: Bench) -> None:
    async with bench.working():
        render_id = await bench.start()
        requested = await bench.renders.cancel(ANN, render_id)
        assert (requested.status, requested.cancel_requested) == (RenderStatus.RENDERING, True)
        await settle()
        assert (await bench.get(render_id)).status is RenderStatus.CANCELLED
    assert bench.backend.stopped == [render_id]
    assert await bench.quota_used() == 1


async def test_a_queued_render_is_cancelled_without_a_worker_and_costs_nothing(bench: Bench) -> None:
    render_id = await bench.start()
    assert (await bench.renders.cancel(ANN, render_id)).status is RenderStatus.CANCELLED
    assert await bench.quota_used() == 0
    with pytest.raises(RenderAlreadyFinished):
        await bench.renders.cancel(ANN, render_id)


async def test_a_cancel_requested_while_no_worker_runs_is_done_by_the_next_worker(bench: Bench) -> None:
    async with bench.working():
        render_id = await bench.start()
    await bench.renders.cancel(ANN, render_id)
    async with bench.working(bench.worker("w2")):
        assert (await bench.get(render_id)).status is RenderStatus.CANCELLED


async def test_a_render_that_finishes_before_its_cancel_is_read_stays_complete(bench: Bench) -> None:
    """The change that loses the race is applied to the newer state, so that neither is lost."""
    async with bench.working():
        render_id = await bench.start()
        bench.backend.finish(render_id)
        await bench.store.record(lifecycle.request_cancel(await bench.get(render_id)))  # without waking the worker
        await bench.clock.advance(1)
        done = await bench.get(render_id)
        assert (done.status, done.cancel_requested) == (RenderStatus.COMPLETE, True)


async def test_a_cancel_does_not_wait_for_the_next_attempt(bench: Bench) -> None:
    async with bench.working():
        render_id = await bench.start()
        bench.backend.break_down(render_id, retryable=True)
        await bench.store.record(lifecycle.request_cancel(await bench.get(render_id)))  # without waking the worker
        await bench.clock.advance(1)
        assert (await bench.get(render_id)).status is RenderStatus.CANCELLED
