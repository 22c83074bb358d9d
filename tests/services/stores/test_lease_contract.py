"""The leases of `RenderStore`, tested on every adapter."""

import asyncio
from datetime import UTC, datetime, timedelta

from services.ports import RenderStore
from tests.conftest import MakeRender
from tests.support.stored_renders import HOUR, NO_TIME, NOW, added, launched, not_due


class TestLeases:
    """The suite doesn't wait: a lease of zero length is expired at once."""

    async def test_acquires_the_oldest_that_is_due(self, store: RenderStore, make_render: MakeRender) -> None:
        await added(store, make_render(due_at=not_due()))
        old = await added(store, make_render(at=NOW + timedelta(milliseconds=1)))
        new = await added(store, make_render(at=NOW + timedelta(milliseconds=2), due_at=NOW))
        acquired = [await store.acquire(worker="w", lease=HOUR) for _ in range(3)]
        assert acquired == [old, new, None]

    async def test_a_render_that_is_due_later_than_any_delay_is_due_now(
        self, store: RenderStore, make_render: MakeRender
    ) -> None:
        """The wall clock was set back after the delay was computed."""
        render = await added(store, make_render(due_at=datetime.now(UTC) + HOUR))
        assert await store.acquire(worker="w", lease=HOUR) == render

    async def test_leases_each_render_to_one_worker_only(self, store: RenderStore, make_render: MakeRender) -> None:
        for _ in range(10):
            await added(store, make_render())
        acquired = await asyncio.gather(*(store.acquire(worker=f"w{i}", lease=HOUR) for i in range(30)))
        ids = [render.id for render in acquired if render]
        assert len(ids) == len(set(ids)) == 10

    async def test_an_expired_lease_goes_to_another_worker(self, store: RenderStore, make_render: MakeRender) -> None:
        render = await added(store, make_render())
        await store.acquire(worker="w1", lease=NO_TIME)
        assert await store.acquire(worker="w2", lease=HOUR) == render
        assert await store.acquire(worker="w3", lease=HOUR) is None

    async def test_skips_excluded_renders(self, store: RenderStore, make_render: MakeRender) -> None:
        running_id, other = sorted([(await added(store, make_render())).id for _ in range(2)])
        acquired = await store.acquire(worker="w", lease=HOUR, excluding=[running_id])
        assert acquired is not None
        assert acquired.id == other
        assert await store.acquire(worker="w", lease=HOUR, excluding=[running_id]) is None

    async def test_skips_queued_renders_without_queued(self, store: RenderStore, make_render: MakeRender) -> None:
        queued, left = [await added(store, make_render()) for _ in range(2)]
        running = launched(left)
        await store.record(running)
        acquired = [await store.acquire(worker="w", lease=HOUR, queued=False) for _ in range(2)]
        assert acquired == [running, None]
        assert await store.acquire(worker="w", lease=HOUR) == queued

    async def test_renews_leases_that_the_worker_still_holds(self, store: RenderStore, make_render: MakeRender) -> None:
        lost, held = ids = sorted([(await added(store, make_render())).id for _ in range(2)])
        await store.acquire(worker="w1", lease=NO_TIME)
        await store.acquire(worker="w2", lease=HOUR)
        await store.acquire(worker="w1", lease=NO_TIME)
        assert await store.renew(ids, worker="w1", lease=HOUR) == {held}
        assert await store.renew(ids, worker="w2", lease=HOUR) == {lost}
        assert await store.acquire(worker="w3", lease=HOUR) is None

    async def test_leases_that_are_not_renewed_expire(self, store: RenderStore, make_render: MakeRender) -> None:
        forgotten, running_id = sorted([(await added(store, make_render())).id for _ in range(2)])
        for excluded in ((), (forgotten,)):
            await store.acquire(worker="w1", lease=NO_TIME, excluding=excluded)
        assert await store.renew([running_id], worker="w1", lease=HOUR) == {running_id}
        assert await store.renew([], worker="w1", lease=HOUR) == frozenset()
        acquired = [await store.acquire(worker="w2", lease=HOUR) for _ in range(2)]
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
