"""The hub with many subscribers that join and leave at the same time, also over slow pub/sub."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import pytest

from services.models import Caller, Render
from services.observability.metrics import Metrics
from services.realtime.hub import ProgressHub
from services.realtime.listeners import MessageListener
from services.realtime.pubsub import PubSub
from tests.conftest import MakeRender
from tests.support.fake_clock import FakeClock, settle
from tests.support.hub_states import ANN, advanced, changed, failed, launched, next_state, revisions_of, stored
from tests.support.memory_store import MemoryStore


async def test_holders_of_tokens_for_several_renders_of_a_user_take_turns_as_one_caller(
    hub: ProgressHub, memory_store: MemoryStore, make_render: MakeRender
) -> None:
    """Otherwise a user with many renders could give themselves as many shares of the time."""
    renders = [await stored(memory_store, make_render()) for _ in range(3)]
    async with AsyncExitStack() as stack:
        for caller in (ANN, *(replace(ANN, render_id=render.id) for render in renders)):
            subscription = hub.subscribe(caller, caller.render_id or renders[0].id)
            await next_state(await stack.enter_async_context(aclosing(subscription)))
        assert len(hub.scheduler._budgets) == 2, "the user's, and the one of all holders"


async def test_many_subscribers_to_one_render_all_get_rising_revisions_and_the_end(
    hub: ProgressHub, memory_store: MemoryStore, render: Render
) -> None:
    subscribers = [asyncio.create_task(revisions_of(hub, render)) for _ in range(100)]
    await settle()
    running = await changed(hub, memory_store, launched(render))
    for frames in range(1, 20):
        running = await changed(hub, memory_store, advanced(running, frames * 4))
        await settle()
    await changed(hub, memory_store, failed(running))
    for revisions in await asyncio.gather(*subscribers):
        assert revisions == sorted(set(revisions))
        assert revisions[-1] == running.revision + 1
    assert hub._channels == {}


async def test_cancelled_subscribers_leave_nothing_behind(hub: ProgressHub, render: Render, pubsub: PubSub) -> None:
    subscribers = [asyncio.create_task(revisions_of(hub, render)) for _ in range(50)]
    await settle()
    for subscriber in subscribers:
        subscriber.cancel()
    await asyncio.gather(*subscribers, return_exceptions=True)
    await settle()
    assert hub._channels == {}
    assert pubsub._broadcast.listeners._listeners == {}


class SlowPubSub(PubSub):
    """Subscribes and unsubscribes only while `available` is set."""

    available = asyncio.Event()

    @asynccontextmanager
    async def subscribe(self, channel: str, listener: MessageListener) -> AsyncIterator[None]:
        await self.available.wait()
        async with super().subscribe(channel, listener):
            yield
            await self.available.wait()


@pytest.fixture
def slow(pubsub: PubSub) -> SlowPubSub:
    slow = SlowPubSub(pubsub._broadcast)
    slow.available = asyncio.Event()
    return slow


@pytest.fixture
def slow_hub(memory_store: MemoryStore, slow: SlowPubSub, clock: FakeClock) -> ProgressHub:
    return ProgressHub(
        store=memory_store, pubsub=slow, clock=clock, metrics=Metrics(), check_interval=timedelta(seconds=5)
    )


async def test_subscribers_of_one_owner_do_not_wait_for_those_of_another(
    slow_hub: ProgressHub, slow: SlowPubSub, memory_store: MemoryStore, render: Render, make_render: MakeRender
) -> None:
    other = await stored(memory_store, make_render(owner="bob"))
    subscribers = [asyncio.create_task(revisions_of(slow_hub, render)) for _ in range(3)]
    await settle()
    async with aclosing(slow_hub.subscribe(Caller(id="bob"), other.id)) as states:
        joining = asyncio.create_task(next_state(states))
        await settle()
        assert slow_hub._channels.keys() == {"ann", "bob"}
        slow.available.set()
        assert await joining == other
    await changed(slow_hub, memory_store, failed(render))
    assert await asyncio.gather(*subscribers) == [[1, 2]] * 3


async def test_a_subscriber_works_although_others_are_cancelled_while_the_channel_is_subscribed(
    slow_hub: ProgressHub, slow: SlowPubSub, memory_store: MemoryStore, render: Render
) -> None:
    first, second, third = (asyncio.create_task(revisions_of(slow_hub, render)) for _ in range(3))
    await settle()
    first.cancel()
    third.cancel()
    await settle()
    slow.available.set()
    await settle()
    await changed(slow_hub, memory_store, failed(render))
    assert await second == [1, 2]
    assert slow_hub._channels == {}
    assert slow._broadcast.listeners._listeners == {}


async def test_a_subscriber_that_joins_while_the_last_one_leaves_gets_all_states(
    slow_hub: ProgressHub, slow: SlowPubSub, memory_store: MemoryStore, render: Render
) -> None:
    slow.available.set()
    last = asyncio.create_task(revisions_of(slow_hub, render))
    await settle()
    slow.available.clear()
    last.cancel()
    await settle()
    late = asyncio.create_task(revisions_of(slow_hub, render))
    await settle()
    slow.available.set()
    await settle()
    running = await changed(slow_hub, memory_store, launched(render))
    await settle()
    await changed(slow_hub, memory_store, failed(running))
    assert await late == [1, 2, 3]
    assert slow_hub._channels == {}
    assert slow._broadcast.listeners._listeners == {}
