"""The order of the queue, tested on every adapter. `test_queue_bound.py` has its guarantee."""

from datetime import timedelta

import pytest

from services.media import Media
from services.models import QuotaWindow, Render
from services.ports import RenderStore
from services.renders import lifecycle
from services.renders.fair_queue import START_COST_FRAMES
from tests.conftest import MakeRender
from tests.support.stored_renders import HOUR, NOW, WINDOW_STARTS_AT, added, launched, not_due, window


def frames(number: int) -> Media:
    return Media(frames=number, fps=30.0, width=1280, height=720)


async def acquired(store: RenderStore, number: int) -> list[str]:
    """Acquire renders and return their owners."""
    renders = [await store.acquire(worker="w", lease=HOUR) for _ in range(number)]
    return [render.owner for render in renders if render is not None]


async def add_all(store: RenderStore, make_render: MakeRender, owners: str, *, weight: float = 1.0) -> list[Render]:
    renders = [make_render(owner=owner, at=NOW + timedelta(seconds=i)) for i, owner in enumerate(owners)]
    for render in renders:
        await store.add(render, window(render.owner, limit=1000), weight=weight)
    return renders


async def test_owners_take_turns_and_one_who_was_idle_comes_next(store: RenderStore, make_render: MakeRender) -> None:
    await add_all(store, make_render, "aaaaaabbb")
    assert await acquired(store, 4) == ["a", "b", "a", "b"]
    await add_all(store, make_render, "cc")
    assert await acquired(store, 1) == ["c"]


async def test_an_owner_gains_nothing_from_having_been_idle(store: RenderStore, make_render: MakeRender) -> None:
    await add_all(store, make_render, "aaaaaaaaaa")
    assert await acquired(store, 5) == ["a"] * 5
    await add_all(store, make_render, "bbbbbbbbbb")
    order = await acquired(store, 10)
    assert abs(order.count("a") - order.count("b")) <= 2


async def test_an_owner_is_not_punished_for_having_been_alone(store: RenderStore, make_render: MakeRender) -> None:
    await add_all(store, make_render, "aaaaaaaaaa")
    assert await acquired(store, 10) == ["a"] * 10
    await add_all(store, make_render, "bb")
    await add_all(store, make_render, "a")
    assert sorted(await acquired(store, 2)) == ["a", "b"]


async def test_turns_are_measured_in_frames(store: RenderStore, make_render: MakeRender) -> None:
    for owner, length in (("long", 9 * START_COST_FRAMES), ("short", 0)):
        for i in range(20):
            render = make_render(owner=owner, at=NOW + timedelta(seconds=i), media=frames(length), props=None)
            await store.add(render, window(owner))
    order = await acquired(store, 22)
    assert (order.count("long"), order.count("short")) == (2, 20)


async def test_an_owner_with_twice_the_weight_gets_twice_as_much(store: RenderStore, make_render: MakeRender) -> None:
    await add_all(store, make_render, "a" * 20)
    await add_all(store, make_render, "b" * 20, weight=2)
    order = await acquired(store, 15)
    assert order.count("b") == 10


async def test_a_render_that_is_queued_again_keeps_its_place(store: RenderStore, make_render: MakeRender) -> None:
    render, *others = await add_all(store, make_render, "aaaa")
    await store.acquire(worker="w", lease=HOUR)
    running = launched(render)
    await store.record(running, worker="w", lease=HOUR)
    await store.acquire(worker="w", lease=HOUR)
    again = lifecycle.interrupt(running)
    await store.record(again, worker="w", lease=HOUR)
    assert await store.queue_position(again) == 1
    assert await store.acquire(worker="w", lease=HOUR) == again
    assert await store.acquire(worker="w", lease=HOUR) == others[1]


@pytest.mark.parametrize("step", [1, -1])
async def test_renders_cancelled_in_the_queue_do_not_move_the_owners_next_one_back(
    store: RenderStore, make_render: MakeRender, step: int
) -> None:
    await add_all(store, make_render, "b" * 5)
    for render in (await add_all(store, make_render, "a" * 5))[::step]:
        await store.record(lifecycle.cancel(render, now=NOW))
    await add_all(store, make_render, "a")
    assert "a" in await acquired(store, 2)


async def test_the_windows_of_quotas_do_not_change_places(store: RenderStore, make_render: MakeRender) -> None:
    later = QuotaWindow(owner="a", limit=100, starts_at=WINDOW_STARTS_AT + HOUR, length=HOUR)
    first, *_ = await add_all(store, make_render, "abbb")
    second, third, fourth = (make_render(owner="a", at=NOW) for _ in range(3))
    await store.add(second, later)
    assert await store.queue_position(second) == 3
    await store.record(lifecycle.cancel(second, now=NOW))
    await store.add(third, later)
    assert await store.queue_position(third) == 3
    for render in (first, third):
        await store.record(lifecycle.cancel(render, now=NOW))
    await store.add(fourth, later)
    assert await store.queue_position(fourth) == 1


async def test_a_render_that_was_started_and_cancelled_counts(store: RenderStore, make_render: MakeRender) -> None:
    render, *_ = await add_all(store, make_render, "abb")
    await store.acquire(worker="w", lease=HOUR)
    running = launched(render)
    await store.record(running, worker="w", lease=HOUR)
    await store.record(lifecycle.cancel(running, now=NOW))
    await add_all(store, make_render, "a")
    assert (await acquired(store, 1)) == ["b"]


async def test_positions_count_the_renders_that_come_before(store: RenderStore, make_render: MakeRender) -> None:
    renders = await add_all(store, make_render, "aaab")
    await added(store, make_render(due_at=not_due()))
    positions = [await store.queue_position(render) for render in renders]
    assert positions in ([1, 3, 4, 2], [2, 3, 4, 1])
    order = [await store.acquire(worker="w", lease=HOUR) for _ in renders]
    assert [render and positions[renders.index(render)] for render in order] == [1, 2, 3, 4]
