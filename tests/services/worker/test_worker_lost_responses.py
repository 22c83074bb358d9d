"""The worker when a response of the store or the backend is lost, or the store is unavailable."""

import asyncio
from collections.abc import Collection
from contextlib import aclosing
from datetime import timedelta

from services.models import RenderStatus
from tests.support.api_client import TEST_TIMEOUT_S
from tests.support.memory_store import MemoryStore
from tests.support.worker_bench import ANN, OPTIONS, Bench


async def test_a_start_whose_response_is_lost_is_not_repeated(bench: Bench) -> None:
    bench.backend.lost_responses = 1
    async with bench.working():
        render_id = await bench.start()
        await bench.clock.advance(10)
        bench.backend.finish(render_id)
        await bench.clock.advance(2)
        assert (await bench.get(render_id)).status is RenderStatus.COMPLETE
    assert bench.backend.starts == [render_id]


async def test_a_render_leased_without_a_response_is_acquired_when_the_lease_expires(bench: Bench) -> None:
    render_id = await bench.start()
    bench.store.lost_responses = {"acquire"}
    async with bench.working():
        await bench.clock.advance(OPTIONS.lease.total_seconds() + 1)
        assert (await bench.get(render_id)).backend_render_id == "attempt-1"


async def test_a_launch_stored_without_a_response_is_one_attempt(bench: Bench) -> None:
    render_id = await bench.start()
    bench.store.lost_responses = {"record"}
    async with bench.working():
        await bench.clock.advance(1)
        running = await bench.get(render_id)
        assert (running.attempt, running.backend_render_id) == (1, "attempt-1")


async def test_an_end_stored_without_a_response_is_published(bench: Bench) -> None:
    async with bench.working(), aclosing(bench.hub.subscribe(ANN, await bench.start())) as states:
        running = await anext(states)
        bench.store.lost_responses = {"record"}
        bench.backend.finish(running.id)
        await bench.clock.advance(2)
        async with asyncio.timeout(TEST_TIMEOUT_S):
            assert (await anext(states)).status is RenderStatus.COMPLETE


async def test_a_launch_stored_without_a_response_is_not_started_after_the_lease_is_lost(bench: Bench) -> None:
    """The backend is not called for a render that another worker has acquired as RENDERING."""
    render_id = await bench.start()
    bench.store.lost_responses = {"record"}
    async with bench.working():
        await bench.store.release(worker="w1")
        assert await bench.store.reacquire(worker="successor", lease=timedelta(days=1)) is not None
        await bench.clock.advance(60)
        assert (await bench.get(render_id)).attempt == 1
    assert bench.backend.starts == []


async def test_a_store_outage_shorter_than_a_lease_loses_no_lease(bench: Bench) -> None:

    class HangingStore(MemoryStore):
        async def renew(self, render_ids: Collection[str], *, worker: str, lease: timedelta) -> frozenset[str]:
            if self.unavailable:
                await bench.clock.sleep(1)
            return await super().renew(render_ids, worker=worker, lease=lease)

    store = HangingStore(bench.clock)
    store._rows = bench.store._rows
    async with bench.working(bench.worker(store=store)):
        render_id = await bench.start()
        async with bench.working(bench.worker("w2")):
            await bench.clock.advance(4)
            store.unavailable = True
            await bench.clock.advance(8)  # with the longest delays, the next renewal is in the lease's last second
            store.unavailable = False
            await bench.clock.advance(60)
            assert bench.store._rows[render_id].worker == "w1"


async def test_an_end_during_a_store_outage_is_recorded_afterwards(bench: Bench) -> None:
    async with bench.working():
        render_id = await bench.start()
        bench.store.unavailable = True
        bench.backend.finish(render_id)
        await bench.clock.advance(120)
        bench.store.unavailable = False
        await bench.clock.advance(60)
        assert (await bench.get(render_id)).status is RenderStatus.COMPLETE
        second = await bench.start()
        assert (await bench.get(second)).status is RenderStatus.RENDERING
