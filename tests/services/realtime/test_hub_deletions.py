"""Deletions of renders as subscribers receive them: in order with the states, and after lost messages."""

import asyncio
from contextlib import aclosing
from datetime import timedelta

import pytest

from services import stored_documents
from services.models import DeletedRender, Render
from services.realtime.hub import ProgressHub
from services.realtime.pubsub import PubSub
from services.stored_documents import Announcement
from tests.conftest import MakeRender
from tests.services.conftest import RecordingPusher
from tests.support.fake_clock import FakeClock, settle
from tests.support.hub_states import ANN, NOW, advanced, changed, failed, launched, next_event, stored
from tests.support.memory_store import MemoryStore


async def deleted(hub: ProgressHub, store: MemoryStore, render: Render) -> DeletedRender:
    assert await store.delete(render.id, owner=render.owner)
    await hub.publish_deletion(render)
    return DeletedRender(id=render.id)


def announcement(render: Render, *, is_deleted: bool = False) -> tuple[str, str]:
    announced = Announcement(render=render, published_at=NOW, is_deleted=is_deleted)
    return f"renders:{render.owner}", stored_documents.encode_announcement(announced)


async def test_a_deletion_follows_the_states_of_its_render(
    hub: ProgressHub, memory_store: MemoryStore, render: Render
) -> None:
    async with aclosing(hub.subscribe_changes(ANN)) as events:
        assert await next_event(events) == render
        end = await changed(hub, memory_store, failed(render))
        assert await next_event(events) == end
        gone = await deleted(hub, memory_store, end)
        assert await next_event(events) == gone


async def test_deletions_of_renders_that_ended_before_are_reported(
    hub: ProgressHub, memory_store: MemoryStore, render: Render
) -> None:
    end = await changed(hub, memory_store, failed(render))
    async with aclosing(hub.subscribe_changes(ANN)) as events:
        first = asyncio.create_task(next_event(events))
        await settle()
        gone = await deleted(hub, memory_store, end)
        assert await first == gone


async def test_a_slow_subscriber_skips_the_states_of_a_deleted_render(
    hub: ProgressHub, memory_store: MemoryStore, render: Render, make_render: MakeRender
) -> None:
    async with aclosing(hub.subscribe_changes(ANN)) as events:
        assert await next_event(events) == render
        gone = await deleted(hub, memory_store, await changed(hub, memory_store, failed(render)))
        later = await stored(memory_store, make_render(at=NOW + timedelta(seconds=1)))
        await hub.publish(later)
        await settle()
        assert [await next_event(events), await next_event(events)] == [gone, later]


async def test_no_state_follows_the_deletion(
    hub: ProgressHub, pubsub: PubSub, memory_store: MemoryStore, render: Render, make_render: MakeRender
) -> None:
    """Messages of several processes can arrive in another order, together or one by one."""
    running = launched(render)
    end = failed(advanced(running, 45))
    other = make_render(at=NOW + timedelta(seconds=1))
    gone = announcement(end, is_deleted=True)
    async with aclosing(hub.subscribe_changes(ANN)) as events:
        assert await next_event(events) == render
        dispatch = pubsub._broadcast.listeners.dispatch
        dispatch([announcement(running), gone, announcement(end)])
        dispatch([announcement(end)])
        dispatch([gone, announcement(other)])
        assert [await next_event(events), await next_event(events)] == [DeletedRender(id=render.id), other]
    del memory_store


async def test_deletions_are_not_pushed_and_states_are(
    hub: ProgressHub, memory_store: MemoryStore, render: Render, pusher: RecordingPusher
) -> None:
    async with aclosing(hub.subscribe_changes(ANN, pusher)) as events:
        assert await next_event(events) == render
        following = asyncio.create_task(next_event(events))
        await settle()
        running = await changed(hub, memory_store, launched(render))
        await settle()
        assert pusher.revisions == [running.revision]
        end = await changed(hub, memory_store, failed(running))
        assert await following == end
        gone = await deleted(hub, memory_store, end)
        assert await next_event(events) == gone


async def test_subscribers_to_states_get_no_deletions(
    hub: ProgressHub, memory_store: MemoryStore, render: Render, make_render: MakeRender
) -> None:
    async with aclosing(hub.subscribe_all(ANN)) as states:
        assert await next_event(states) == render
        end = await changed(hub, memory_store, failed(render))
        assert await next_event(states) == end
        await deleted(hub, memory_store, end)
        later = await stored(memory_store, make_render(at=NOW + timedelta(seconds=1)))
        await hub.publish(later)
        assert await next_event(states) == later


async def test_the_stream_of_a_deleted_render_ends_at_once(
    hub: ProgressHub, memory_store: MemoryStore, render: Render
) -> None:
    async with aclosing(hub.subscribe(ANN, render.id)) as states:
        await next_event(states)
        end = failed(render)
        await memory_store.record(end)  # without publishing it
        await deleted(hub, memory_store, end)
        with pytest.raises(StopAsyncIteration):
            await next_event(states)


async def test_the_end_is_sent_before_the_stream_of_a_deleted_render_ends(
    hub: ProgressHub, memory_store: MemoryStore, render: Render
) -> None:
    async with aclosing(hub.subscribe(ANN, render.id)) as states:
        await next_event(states)
        end = await changed(hub, memory_store, failed(render))
        await deleted(hub, memory_store, end)
        await settle()
        assert await next_event(states) == end
        with pytest.raises(StopAsyncIteration):
            await next_event(states)


async def test_a_deletion_during_an_outage_is_found_when_the_connection_is_restored(
    hub: ProgressHub, pubsub: PubSub, memory_store: MemoryStore, clock: FakeClock, render: Render
) -> None:
    running = asyncio.create_task(hub.run())
    async with aclosing(hub.subscribe_changes(ANN)) as events:
        assert await next_event(events) == render
        end = await changed(hub, memory_store, failed(render))
        assert await next_event(events) == end
        await memory_store.delete(end.id, owner="ann")  # without publishing it
        following = asyncio.create_task(next_event(events))
        await clock.advance(5)
        await settle()
        assert not following.done(), "ended renders are not read at intervals"
        pubsub.reconnected.set()
        assert await following == DeletedRender(id=end.id)
        pubsub.reconnected.set()
        await settle()
    running.cancel()


async def test_a_render_of_a_newer_version_is_not_taken_for_deleted(
    hub: ProgressHub, memory_store: MemoryStore, render: Render, make_render: MakeRender
) -> None:
    async with aclosing(hub.subscribe_changes(ANN)) as events:
        assert await next_event(events) == render
        end = await changed(hub, memory_store, failed(render))
        assert await next_event(events) == end
        memory_store.unreadable.add(render.id)
        await hub.find_deletions()
        later = await stored(memory_store, make_render(at=NOW + timedelta(seconds=1)))
        await hub.publish(later)
        assert await next_event(events) == later
