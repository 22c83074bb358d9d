"""The leases of `RenderStore`, tested on every adapter."""

import asyncio
from datetime import UTC, datetime, timedelta

from services.models import Render
from services.ports import RenderStore
from services.renders import lifecycle
from tests.conftest import MakeRender
from tests.support.api_client import pauses
from tests.support.stored_renders import HOUR, NO_TIME, NOW, added, launched, not_due


async def acquired_at_all(store: RenderStore) -> Render | None:
    """Acquire a render, whether its delay was over when it was recorded or afterwards."""
    return await store.acquire(worker="w", lease=HOUR) or await store.reacquire(worker="w", lease=HOUR)


class TestLeases:
    """The suite doesn't wait: a lease of zero length is expired at once."""

    async def test_acquires_those_without_a_delay_in_their_order(
        self, store: RenderStore, make_render: MakeRender
    ) -> None:
        await added(store, make_render(due_at=not_due()))
        old = await added(store, make_render(at=NOW + timedelta(milliseconds=1)))
        new = await added(store, make_render(at=NOW + timedelta(milliseconds=2), due_at=NOW))
        acquired = [await store.acquire(worker="w", lease=HOUR) for _ in range(3)]
        assert acquired == [old, new, None]
        assert await store.reacquire(worker="w", lease=HOUR) is None

    async def test_a_render_that_is_due_later_than_any_delay_is_due_now(
        self, store: RenderStore, make_render: MakeRender
    ) -> None:
        """The wall clock was set back after the delay was computed."""
        render = await added(store, make_render(due_at=datetime.now(UTC) + HOUR))
        assert await store.acquire(worker="w", lease=HOUR) == render

    async def test_a_render_is_not_acquired_again_during_its_delay(
        self, store: RenderStore, make_render: MakeRender
    ) -> None:
        running = launched(await added(store, make_render()))
        await store.acquire(worker="w", lease=HOUR)
        assert await store.record(running, worker="w", lease=HOUR)
        assert await store.record(lifecycle.requeue(running, due_at=not_due()), worker="w", lease=HOUR)
        assert await acquired_at_all(store) is None

    async def test_a_render_whose_delay_is_over_is_acquired_again(
        self, store: RenderStore, make_render: MakeRender
    ) -> None:
        running = launched(await added(store, make_render()))
        await store.acquire(worker="w", lease=HOUR)
        assert await store.record(running, worker="w", lease=HOUR)
        delayed = lifecycle.requeue(running, due_at=datetime.now(UTC) + timedelta(milliseconds=1))
        assert await store.record(delayed, worker="w", lease=HOUR)
        pause_s = pauses()
        while (again := await acquired_at_all(store)) is None:  # noqa: ASYNC110  # of the store
            await asyncio.sleep(next(pause_s))
        assert again == delayed

    async def test_leases_each_render_to_one_worker_only(self, store: RenderStore, make_render: MakeRender) -> None:
        for _ in range(10):
            await added(store, make_render())
        acquired = await asyncio.gather(*(store.acquire(worker=f"w{i}", lease=HOUR) for i in range(30)))
        ids = [render.id for render in acquired if render]
        assert len(ids) == len(set(ids)) == 10

    async def test_an_expired_lease_goes_to_another_worker(self, store: RenderStore, make_render: MakeRender) -> None:
        render = await added(store, make_render())
        await store.acquire(worker="w1", lease=NO_TIME)
        assert await store.reacquire(worker="w2", lease=HOUR) == render
        assert await store.reacquire(worker="w3", lease=HOUR) is None

    async def test_reacquires_rendering_ones_before_queued_ones_or_only_those(
        self, store: RenderStore, make_render: MakeRender
    ) -> None:
        queued, left = [await added(store, make_render(at=NOW + timedelta(seconds=i))) for i in range(2)]
        for _ in range(2):
            await store.acquire(worker="dead", lease=NO_TIME)
        running = launched(left)
        await store.record(running, worker="dead", lease=NO_TIME)
        acquired = [await store.reacquire(worker="w", lease=HOUR, queued=False) for _ in range(2)]
        assert acquired == [running, None]
        assert await store.reacquire(worker="w", lease=HOUR) == queued

    async def test_renews_leases_that_the_worker_still_holds(self, store: RenderStore, make_render: MakeRender) -> None:
        lost, held = ids = [(await added(store, make_render())).id for _ in range(2)]
        for _ in ids:
            await store.acquire(worker="w1", lease=NO_TIME)
        await store.reacquire(worker="w2", lease=HOUR)
        assert await store.renew(ids, worker="w1", lease=HOUR) == {held}
        assert await store.renew(ids, worker="w2", lease=HOUR) == {lost}
        assert await store.reacquire(worker="w3", lease=HOUR) is None

    async def test_leases_that_are_not_renewed_expire(self, store: RenderStore, make_render: MakeRender) -> None:
        forgotten, running_id = [(await added(store, make_render())).id for _ in range(2)]
        for _ in range(2):
            await store.acquire(worker="w1", lease=NO_TIME)
        assert await store.renew([running_id], worker="w1", lease=HOUR) == {running_id}
        assert await store.renew([], worker="w1", lease=HOUR) == frozenset()
        acquired = [await store.reacquire(worker="w2", lease=HOUR) for _ in range(2)]
        assert [render and render.id for render in acquired] == [forgotten, None]

    async def test_release_ends_the_leases_of_one_worker_at_once(
        self, store: RenderStore, make_render: MakeRender
    ) -> None:
        for _ in range(2):
            await added(store, make_render())
        mine = await store.acquire(worker="w1", lease=HOUR)
        await store.acquire(worker="w2", lease=HOUR)
        await store.release(worker="w1")
        assert await store.acquire(worker="w3", lease=HOUR) == mine
        assert await store.acquire(worker="w3", lease=HOUR) is None

    async def test_a_released_rendering_render_is_reacquired(self, store: RenderStore, make_render: MakeRender) -> None:
        running = launched(await added(store, make_render()))
        await store.acquire(worker="w1", lease=HOUR)
        await store.record(running, worker="w1", lease=HOUR)
        await store.release(worker="w1")
        assert await store.acquire(worker="w2", lease=HOUR) is None
        assert await store.reacquire(worker="w2", lease=HOUR) == running

    async def test_release_ends_only_the_leases_of_given_renders(
        self, store: RenderStore, make_render: MakeRender
    ) -> None:
        for _ in range(3):
            await added(store, make_render())
        first, second = [await store.acquire(worker="w1", lease=HOUR) for _ in range(2)]
        others = await store.acquire(worker="w2", lease=HOUR)
        assert first is not None
        assert others is not None
        await store.release([first.id, others.id], worker="w1")
        assert await store.acquire(worker="w3", lease=HOUR) == first
        assert await store.acquire(worker="w3", lease=HOUR) is None
        await store.release([], worker="w1")
        assert await store.acquire(worker="w3", lease=HOUR) is None
        await store.release(worker="w1")
        assert await store.acquire(worker="w3", lease=HOUR) == second
