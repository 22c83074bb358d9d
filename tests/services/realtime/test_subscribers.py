"""What a subscriber is offered, what it takes, and what is pushed."""

import asyncio

import pytest

from services.models import Render, RenderStatus, replace
from services.realtime.fair_scheduler import FairScheduler
from services.realtime.owner_channels import OwnerChannel
from services.realtime.subscribers import StatePusher, Subscriber
from tests.conftest import MakeRender
from tests.services.conftest import RecordingPusher
from tests.support.fake_clock import settle


@pytest.fixture
def render(make_render: MakeRender) -> Render:
    return make_render(status=RenderStatus.RENDERING)


def subscribed(render_id: str | None, pusher: StatePusher | None = None) -> Subscriber:
    budget = FairScheduler(lambda: None).budget("ann")
    return Subscriber(render_id, budget, pusher, observe_lag=lambda _: None)


async def test_states_are_pushed_to_a_waiting_subscriber_and_the_terminal_one_is_taken_after_them(
    render: Render, pusher: RecordingPusher
) -> None:
    subscriber = subscribed(render.id, pusher)
    taking = asyncio.create_task(subscriber.take())
    await settle()
    assert subscriber.offer(render)
    assert subscriber.offer(halfway := replace(render, revision=7))
    assert not subscriber.offer(end := replace(render, revision=8, status=RenderStatus.FAILED))
    assert await taking == (end, None)
    assert pusher.revisions == [render.revision, halfway.revision]


async def test_no_state_is_pushed_before_a_pending_one_is_taken(render: Render, pusher: RecordingPusher) -> None:
    subscriber = subscribed(render.id, pusher)
    assert not subscriber.offer(render)
    assert not subscriber.offer(newer := replace(render, revision=7))
    assert await subscriber.take() == (newer, None)
    taking = asyncio.create_task(subscriber.take())
    await settle()
    assert subscriber.offer(replace(render, revision=8))
    assert not subscriber.offer(end := replace(render, revision=9, status=RenderStatus.CANCELLED))
    assert not subscriber.offer(replace(render, revision=8))
    assert pusher.revisions == [8]
    assert await taking == (end, None)


async def test_a_state_whose_push_fails_is_taken_instead_and_other_subscribers_get_theirs(
    render: Render, pusher: RecordingPusher
) -> None:
    class FailingPusher:
        def push(self, render: Render) -> bool:
            raise ValueError(render)

    channel = OwnerChannel()
    failing, other = [subscribed(render.id, FailingPusher()) for _ in range(20)], subscribed(render.id, pusher)
    for subscriber in (*failing, other):
        channel.add(subscriber)
    taking = [asyncio.create_task(subscriber.take()) for subscriber in (*failing, other)]
    await settle()
    assert channel.offer(render) == 1
    assert pusher.revisions == [render.revision]
    *taken, last = taking
    assert await asyncio.gather(*taken) == [(render, None)] * 20
    last.cancel()


async def test_nothing_is_pushed_to_a_cancelled_subscriber(render: Render, pusher: RecordingPusher) -> None:
    subscriber = subscribed(render.id, pusher)
    taking = asyncio.create_task(subscriber.take())
    await settle()
    taking.cancel()
    assert not subscriber.offer(render)
    assert pusher.revisions == []


async def test_other_subscribers_are_pushed_to_while_some_are_cancelled(
    render: Render, pusher: RecordingPusher
) -> None:
    channel = OwnerChannel()
    leaving, staying = [subscribed(render.id) for _ in range(20)], subscribed(render.id, pusher)
    for subscriber in (*leaving, staying):
        channel.add(subscriber)
    *taking, last = (asyncio.create_task(subscriber.take()) for subscriber in (*leaving, staying))
    await settle()
    for task in taking:
        task.cancel()  # takes effect in the next iteration of the event loop
    assert channel.offer(render) == 1
    assert pusher.revisions == [render.revision]
    last.cancel()
    await asyncio.gather(*taking, last, return_exceptions=True)


def test_a_subscriber_to_all_stores_a_bounded_number_of_ended_renders(make_render: MakeRender) -> None:
    subscriber = subscribed(None)
    unfinished = make_render()
    subscriber.offer(unfinished)
    for _ in range(1500):
        subscriber.offer(make_render(status=RenderStatus.FAILED))
    assert len(subscriber._ended) == 1000
    assert subscriber.unfinished_ids == {unfinished.id}
