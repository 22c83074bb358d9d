"""What one watcher is offered, takes and is pushed."""

import asyncio

import pytest

from services.models import Render, RenderStatus, replace
from services.realtime.subscribers import OwnerChannel, Push, Subscriber
from tests.conftest import MakeRender
from tests.support.fakes import settle


@pytest.fixture
def render(make_render: MakeRender) -> Render:
    return make_render(status=RenderStatus.RENDERING)


async def test_a_state_is_pushed_to_who_waits_and_what_was_not_is_taken_in_its_place(
    render: Render, pushed: list[int], push: Push
) -> None:
    watch = Subscriber(render.id, push)
    taking = asyncio.create_task(watch.take())
    await settle()
    assert watch.offer(render)
    assert watch.offer(halfway := replace(render, revision=7))
    assert not watch.offer(end := replace(render, revision=8, status=RenderStatus.FAILED))
    assert await taking == (end, None)
    assert pushed == [render.revision, halfway.revision]


async def test_nothing_is_pushed_past_what_was_not_taken_yet(render: Render, pushed: list[int], push: Push) -> None:
    watch = Subscriber(render.id, push)
    assert not watch.offer(render)
    assert not watch.offer(newer := replace(render, revision=7))
    assert await watch.take() == (newer, None)
    taking = asyncio.create_task(watch.take())
    await settle()
    assert watch.offer(replace(render, revision=8))
    assert not watch.offer(end := replace(render, revision=9, status=RenderStatus.CANCELLED))
    assert not watch.offer(replace(render, revision=8))
    assert pushed == [8]
    assert await taking == (end, None)


async def test_a_push_that_fails_loses_nothing_and_harms_nobody(render: Render, pushed: list[int], push: Push) -> None:
    def fail(state: Render) -> bool:
        raise ValueError(state)

    room = OwnerChannel()
    failing, other = [Subscriber(render.id, fail) for _ in range(20)], Subscriber(render.id, push)
    for watch in (*failing, other):
        room.join(watch)
    taking = [asyncio.create_task(watch.take()) for watch in (*failing, other)]
    await settle()
    assert room.tell(render) == 1
    assert pushed == [render.revision]
    *taken, last = taking
    assert await asyncio.gather(*taken) == [(render, None)] * 20
    last.cancel()


async def test_nothing_is_pushed_to_who_is_leaving(render: Render, pushed: list[int], push: Push) -> None:
    watch = Subscriber(render.id, push)
    taking = asyncio.create_task(watch.take())
    await settle()
    taking.cancel()
    assert not watch.offer(render)
    assert pushed == []


async def test_others_are_told_while_some_are_leaving(render: Render, pushed: list[int], push: Push) -> None:
    room = OwnerChannel()
    leaving, staying = [Subscriber(render.id) for _ in range(20)], Subscriber(render.id, push)
    for watch in (*leaving, staying):
        room.join(watch)
    *taking, last = (asyncio.create_task(watch.take()) for watch in (*leaving, staying))
    await settle()
    for task in taking:
        task.cancel()  # of which it hears in the next turn of the loop
    assert room.tell(render) == 1
    assert pushed == [render.revision]
    last.cancel()
    await asyncio.gather(*taking, last, return_exceptions=True)


def test_a_watcher_of_all_remembers_a_bounded_number_of_ended_renders(make_render: MakeRender) -> None:
    watch = Subscriber(None)
    unfinished = make_render()
    watch.offer(unfinished)
    for _ in range(1500):
        watch.offer(make_render(status=RenderStatus.FAILED))
    assert len(watch._ended) == 1000
    assert watch.awaited == {unfinished.id}
