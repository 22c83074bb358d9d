"""The contract of `RenderStore`, tested on every adapter. Leases are tested in `test_lease_contract.py`."""

import asyncio
from datetime import timedelta

import pytest

from services.errors import LeaseLost
from services.media import Media, OutputFormat, OutputOptions, ProResProfile
from services.models import QuotaWindow, RenderPhase
from services.ports import AddOutcome, AttemptProgress, QueueStats, RenderStore
from services.renders import lifecycle
from tests.conftest import MakeRender
from tests.support.memory_store import copy_of
from tests.support.stored_renders import (
    ALL,
    FAILURE,
    HOUR,
    LATER,
    NO_TIME,
    NOW,
    OUTPUT,
    USERS_FAILURE,
    WINDOW_STARTS_AT,
    added,
    launched,
    not_due,
    window,
)


class TestAdd:
    async def test_keeps_every_value_of_a_render(self, store: RenderStore, make_render: MakeRender) -> None:
        render = make_render(
            generation_id="gen",
            idempotency_key="start:k",
            warnings=("one", "two"),
            failure=FAILURE,
            output=OUTPUT,
            cost_usd=0.25,
            started_at=NOW,
            running_s=12.5,
            completed_at=LATER,
            estimated_completion_at=LATER,
            backend_render_id="x",
        )
        await store.add(render, window())
        assert await store.get(render.id, owner="ann") == render

    async def test_keeps_the_props_and_the_output_of_a_composition(
        self, store: RenderStore, make_render: MakeRender
    ) -> None:
        render = make_render(
            composition_id="Promo-ü",
            props=None,
            input_props='{"$set":{"a.b":1e400},"text":"\\u0000 👋","padding":"' + "x" * 262_144 + '"}',
            output_options=OutputOptions(
                format=OutputFormat.PRORES, fps=29.97, transparent=True, prores_profile=ProResProfile.P4444
            ),
            media=Media(frames=90, fps=29.97, width=1920, height=None),
        )
        await store.add(render, window())
        assert await store.get(render.id, owner="ann") == render
        launch = launched(render)
        assert await store.record(launch)
        assert await store.get_many([render.id]) == [launch]

    async def test_takes_one_unit_each_until_the_quota_is_used_up(
        self, store: RenderStore, make_render: MakeRender
    ) -> None:
        results = [await store.add(make_render(), window(limit=2)) for _ in range(3)]
        assert [a.outcome for a in results] == [AddOutcome.ADDED, AddOutcome.ADDED, AddOutcome.OVER_QUOTA]
        assert [a.used for a in results] == [1, 2, 2]
        assert len(await store.list(owner="ann", first=10, matching=ALL)) == 2

    async def test_concurrent_calls_get_no_more_than_the_quota(
        self, store: RenderStore, make_render: MakeRender
    ) -> None:
        results = await asyncio.gather(*(store.add(make_render(), window(limit=5)) for _ in range(50)))
        assert sum(a.outcome is AddOutcome.ADDED for a in results) == 5

    async def test_counts_windows_and_owners_separately(self, store: RenderStore, make_render: MakeRender) -> None:
        await store.add(make_render(), window(limit=1))
        next_window = QuotaWindow(owner="ann", limit=1, starts_at=WINDOW_STARTS_AT + HOUR, length=HOUR)
        assert (await store.add(make_render(), next_window)).outcome is AddOutcome.ADDED
        assert (await store.add(make_render(owner="bob"), window("bob", limit=1))).outcome is AddOutcome.ADDED
        assert await store.quota_used(window()) == 1

    async def test_returns_the_render_of_an_idempotency_key_and_takes_no_unit(
        self, store: RenderStore, make_render: MakeRender
    ) -> None:
        first = make_render(idempotency_key="start:k")
        await store.add(first, window(limit=1))
        again = await store.add(make_render(idempotency_key="start:k"), window(limit=1))
        assert (again.outcome, again.render, again.used) == (AddOutcome.DUPLICATE, first, 1)

    async def test_concurrent_calls_with_one_key_add_one_render(
        self, store: RenderStore, make_render: MakeRender
    ) -> None:
        calls = (store.add(make_render(idempotency_key="start:k"), window()) for _ in range(20))
        results = await asyncio.gather(*calls)
        assert len({a.render.id for a in results}) == 1
        assert await store.quota_used(window()) == 1

    async def test_keeps_keys_of_different_owners_apart(self, store: RenderStore, make_render: MakeRender) -> None:
        await store.add(make_render(idempotency_key="start:k"), window())
        other = await store.add(make_render(owner="bob", idempotency_key="start:k"), window("bob"))
        assert other.outcome is AddOutcome.ADDED


class TestReading:
    async def test_returns_no_renders_of_other_owners(self, store: RenderStore, make_render: MakeRender) -> None:
        render = await added(store, make_render(owner="bob"))
        assert await store.get(render.id, owner="ann") is None
        assert await store.list(owner="ann", first=10, matching=ALL) == []
        assert not await store.exists_newer("0" * 26, owner="ann", matching=ALL)

    async def test_get_many_returns_existing_renders_of_any_owner(
        self, store: RenderStore, make_render: MakeRender
    ) -> None:
        renders = [await added(store, make_render(owner=owner)) for owner in ("ann", "bob")]
        found = await store.get_many([*(r.id for r in renders), "0" * 26])
        assert {r.id for r in found} == {r.id for r in renders}
        assert await store.get_many([]) == []

    async def test_returns_unfinished_renders_of_owners_oldest_first(
        self, store: RenderStore, make_render: MakeRender
    ) -> None:
        owners = ("ann", "bob", "cat", "ann")
        renders = [
            await added(store, make_render(owner=o, at=NOW + timedelta(seconds=i))) for i, o in enumerate(owners)
        ]
        await store.record(lifecycle.cancel(renders[0], now=NOW))
        running = launched(renders[1])
        await store.record(running)
        assert await store.unfinished(["ann", "bob"], first=9) == [running, renders[3]]
        assert await store.unfinished(["ann", "bob"], first=1) == [running]
        assert await store.unfinished([], first=9) == []

    async def test_queue_position_counts_all_owners(self, store: RenderStore, make_render: MakeRender) -> None:
        first = await added(store, make_render(owner="bob"))
        second = await added(store, make_render(at=LATER))
        assert (await store.queue_position(first), await store.queue_position(second)) == (1, 2)
        await store.record(lifecycle.cancel(first, now=NOW))
        assert await store.queue_position(second) == 1

    async def test_queue_has_its_depth_and_oldest_render(self, store: RenderStore, make_render: MakeRender) -> None:
        assert await store.queue() == QueueStats(depth=0, oldest_created_at=None)
        old = await added(store, make_render(owner="bob"))
        running = await added(store, make_render(at=NOW - HOUR))
        await added(store, make_render(at=LATER, due_at=not_due()))
        await store.record(launched(running))
        assert await store.queue() == QueueStats(depth=2, oldest_created_at=NOW)
        await store.record(lifecycle.cancel(old, now=NOW))
        assert await store.queue() == QueueStats(depth=1, oldest_created_at=LATER)


class TestRecord:
    async def test_replaces_exactly_the_previous_revision(self, store: RenderStore, make_render: MakeRender) -> None:
        render = await added(store, make_render())
        changed = launched(render)
        assert await store.record(changed)
        assert not await store.record(changed)
        assert not await store.record(lifecycle.cancel(render, now=NOW))
        assert await store.get(render.id, owner="ann") == changed

    async def test_rejects_a_render_that_does_not_exist(self, store: RenderStore, make_render: MakeRender) -> None:
        assert not await store.record(launched(make_render()))
        with pytest.raises(LeaseLost):
            await store.record(launched(make_render()), worker="w")

    async def test_records_one_of_two_concurrent_changes(self, store: RenderStore, make_render: MakeRender) -> None:
        render = await added(store, make_render())
        changes = [lifecycle.cancel(render, now=NOW), launched(render)]
        assert sorted(await asyncio.gather(*map(store.record, changes))) == [False, True]

    async def test_rejects_a_worker_whose_lease_was_lost(self, store: RenderStore, make_render: MakeRender) -> None:
        render = await added(store, make_render())
        await store.acquire(worker="w1", lease=NO_TIME)
        await store.reacquire(worker="w2", lease=HOUR)
        with pytest.raises(LeaseLost):
            await store.record(launched(render), worker="w1")
        assert await store.record(launched(render), worker="w2")

    async def test_keeps_the_lease_of_a_render_that_is_still_rendering(
        self, store: RenderStore, make_render: MakeRender
    ) -> None:
        render = await added(store, make_render())
        await store.acquire(worker="w", lease=HOUR)
        running = launched(render)
        assert await store.record(running, worker="w")
        progress = AttemptProgress(phase=RenderPhase.RENDERING_FRAMES, fraction=0.5, frames_rendered=45)
        assert await store.record(lifecycle.advance(running, progress), worker="w")
        assert await store.acquire(worker="other", lease=HOUR) is None

    async def test_renews_the_lease_of_the_worker(self, store: RenderStore, make_render: MakeRender) -> None:
        render = await added(store, make_render())
        await store.acquire(worker="w", lease=NO_TIME)
        assert await store.record(launched(render), worker="w", lease=HOUR)
        assert await store.acquire(worker="other", lease=HOUR) is None

    async def test_ends_the_lease_of_a_render_that_is_queued_again(
        self, store: RenderStore, make_render: MakeRender
    ) -> None:
        render = await added(store, make_render())
        await store.acquire(worker="w", lease=HOUR)
        running = launched(render)
        await store.record(running, worker="w")
        rejected = lifecycle.undo_launch(running, before=render, due_at=not_due())
        assert await store.record(rejected, worker="w")
        assert await store.acquire(worker="other", lease=HOUR) is None
        due = copy_of(rejected, revision=rejected.revision + 1, due_at=NOW)
        assert await store.record(due)
        assert await store.acquire(worker="other", lease=HOUR) == due

    async def test_an_ended_render_is_never_acquired(self, store: RenderStore, make_render: MakeRender) -> None:
        render = await added(store, make_render())
        await store.record(lifecycle.cancel(render, now=NOW))
        assert await store.acquire(worker="w", lease=HOUR) is None

    async def test_returns_the_quota_unit_of_a_render_that_was_never_started_or_failed_by_the_service(
        self, store: RenderStore, make_render: MakeRender
    ) -> None:
        never_ran, *started = [await added(store, make_render()) for _ in range(4)]
        await store.record(lifecycle.cancel(never_ran, now=NOW))
        assert await store.quota_used(window()) == 3
        lost, rejected, cancelled = [launched(render) for render in started]
        for running in (lost, rejected, cancelled):
            await store.record(running)
        await store.record(lifecycle.cancel(cancelled, now=NOW))
        await store.record(lifecycle.fail(rejected, failure=USERS_FAILURE, now=NOW))
        assert await store.quota_used(window()) == 3
        await store.record(lifecycle.fail(lost, failure=FAILURE, now=NOW))
        assert await store.quota_used(window()) == 2


class TestDelete:
    async def test_removes_an_ended_render_but_not_its_unit(self, store: RenderStore, make_render: MakeRender) -> None:
        render = await added(store, make_render(idempotency_key="start:k"))
        running = launched(render)
        await store.record(running)
        await store.record(lifecycle.complete(running, output=OUTPUT, cost_usd=None, warnings=(), now=NOW))
        assert await store.delete(render.id, owner="ann")
        assert not await store.delete(render.id, owner="ann")
        assert await store.get(render.id, owner="ann") is None
        assert await store.quota_used(window()) == 1

    async def test_keeps_unfinished_renders_and_those_of_other_owners(
        self, store: RenderStore, make_render: MakeRender
    ) -> None:
        render = await added(store, make_render())
        assert not await store.delete(render.id, owner="ann")
        await store.record(lifecycle.cancel(render, now=NOW))
        assert not await store.delete(render.id, owner="bob")
        assert await store.get(render.id, owner="ann") is not None


async def test_a_check_of_a_store_with_and_without_renders_succeeds(
    store: RenderStore, make_render: MakeRender
) -> None:
    await store.check()
    await added(store, make_render())
    await store.check()
    assert len(await store.list(owner="ann", first=10, matching=ALL)) == 1
