"""The worker, when an answer of the store or the backend is lost, or the store is away."""

import asyncio
from collections.abc import Collection
from contextlib import aclosing
from datetime import timedelta

from services.models import RenderStatus
from tests.support.fakes import MemoryStore
from tests.support.worker_bench import ANN, RULES, Bench


async def test_a_lost_answer_starts_no_second_attempt(bench: Bench) -> None:
    bench.backend.lost_answers = 1
    async with bench.working():
        render_id = await bench.start()
        await bench.clock.advance(10)
        bench.backend.finish(render_id)
        await bench.clock.advance(2)
        assert (await bench.get(render_id)).status is RenderStatus.COMPLETE
    assert bench.backend.starts == [render_id]


async def test_a_render_that_was_leased_without_an_answer_is_taken_when_its_lease_expires(bench: Bench) -> None:
    render_id = await bench.start()
    bench.store.lost_answers = {"acquire"}
    async with bench.working():
        await bench.clock.advance(RULES.lease.total_seconds() + 1)
        assert (await bench.get(render_id)).backend_render_id == "attempt-1"


async def test_a_launch_that_was_stored_without_an_answer_is_one_attempt(bench: Bench) -> None:
    render_id = await bench.start()
    bench.store.lost_answers = {"record"}
    async with bench.working():
        await bench.clock.advance(1)
        running = await bench.get(render_id)
        assert (running.attempt, running.backend_render_id) == (1, "attempt-1")


async def test_an_end_that_was_stored_without_an_answer_is_told(bench: Bench) -> None:
    async with bench.working(), aclosing(bench.hub.watch(ANN, await bench.start())) as states:
        running = await anext(states)
        bench.store.lost_answers = {"record"}
        bench.backend.finish(running.id)
        await bench.clock.advance(2)
        async with asyncio.timeout(10):
            assert (await anext(states)).status is RenderStatus.COMPLETE


async def test_a_launch_that_was_stored_without_an_answer_is_left_to_who_took_the_render_over(bench: Bench) -> None:
    """The backend isn't asked to start what another worker has found launched."""
    render_id = await bench.start()
    bench.store.lost_answers = {"record"}
    async with bench.working():
        await bench.store.release(worker="w1")
        assert await bench.store.acquire(worker="successor", lease=timedelta(days=1)) is not None
        await bench.clock.advance(60)
        assert (await bench.get(render_id)).attempt == 1
    assert bench.backend.starts == []


async def test_a_store_that_is_away_for_less_than_a_lease_costs_no_render(bench: Bench) -> None:

    class HangingStore(MemoryStore):
        async def renew(self, render_ids: Collection[str], *, worker: str, lease: timedelta) -> frozenset[str]:
            if self.away:
                await bench.clock.sleep(1)
            return await super().renew(render_ids, worker=worker, lease=lease)

    store = HangingStore(bench.clock)
    store._rows = bench.store._rows
    async with bench.working(bench.worker(store=store)):
        render_id = await bench.start()
        async with bench.working(bench.worker("w2")):
            await bench.clock.advance(4)
            store.away = True
            await bench.clock.advance(10)
            store.away = False
            await bench.clock.advance(60)
            assert bench.store._rows[render_id].worker == "w1"


async def test_a_store_that_is_away_for_a_while_loses_nothing(bench: Bench) -> None:
    async with bench.working():
        render_id = await bench.start()
        bench.store.away = True
        bench.backend.finish(render_id)
        await bench.clock.advance(120)
        bench.store.away = False
        await bench.clock.advance(60)
        assert (await bench.get(render_id)).status is RenderStatus.COMPLETE
        second = await bench.start()
        assert (await bench.get(second)).status is RenderStatus.RENDERING
