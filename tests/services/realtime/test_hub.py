"""The hub over memory pub/sub: streams of states, lost messages, all renders of a user, and pushing."""

import asyncio
from contextlib import aclosing
from datetime import timedelta

import pytest

from services import stored_documents
from services.errors import RenderNotFound
from services.models import Caller, Render, replace
from services.observability.metrics import Metrics
from services.realtime.hub import MAX_UNFINISHED_PER_OWNER, ProgressHub
from services.realtime.pubsub import PubSub
from services.stored_documents import Announcement
from tests.conftest import MakeRender
from tests.services.conftest import RecordingPusher
from tests.support.fake_clock import FakeClock, settle
from tests.support.hub_states import ANN, NOW, advanced, changed, failed, launched, next_state, revisions_of, stored
from tests.support.memory_store import MemoryStore
from tests.support.scraping import samples_of


async def test_a_subscriber_gets_the_current_state_then_every_change_then_the_end(
    hub: ProgressHub, memory_store: MemoryStore, render: Render
) -> None:
    async with aclosing(hub.subscribe(ANN, render.id)) as states:
        assert await next_state(states) == render
        running = await changed(hub, memory_store, launched(render))
        assert await next_state(states) == running
        end = await changed(hub, memory_store, failed(running))
        assert await next_state(states) == end
        with pytest.raises(StopAsyncIteration):
            await next_state(states)


@pytest.mark.parametrize("to_all", [True, False])
async def test_the_lag_from_publishing_to_sending_is_measured(
    hub: ProgressHub,
    memory_store: MemoryStore,
    clock: FakeClock,
    metrics: Metrics,
    render: Render,
    to_all: bool,  # noqa: FBT001
) -> None:
    def lags() -> tuple[float, float]:
        samples = samples_of(metrics.text().decode())
        lag = "rendercast_publish_to_send_lag_seconds"
        return samples[f"{lag}_count"], samples[f"{lag}_sum"]

    async with aclosing(hub.subscribe_all(ANN) if to_all else hub.subscribe(ANN, render.id)) as states:
        assert await next_state(states) == render
        running = await changed(hub, memory_store, launched(render))
        assert await next_state(states) == running
        assert lags() == (0, 0), "it has not been sent yet"
        await clock.advance(2)
        end = await changed(hub, memory_store, failed(running))
        assert await next_state(states) == end
        assert lags() == (1, 2)


async def test_a_subscriber_to_an_ended_render_gets_only_the_terminal_state(
    hub: ProgressHub, memory_store: MemoryStore, render: Render
) -> None:
    await memory_store.record(failed(render))
    assert await revisions_of(hub, render) == [2]


@pytest.mark.parametrize("render_id", ["", "x", "0" * 26, "\ud800", "0" * 10_000])
async def test_an_unknown_render_is_not_found(hub: ProgressHub, render_id: str) -> None:
    with pytest.raises(RenderNotFound):
        await next_state(hub.subscribe(ANN, render_id))


async def test_the_render_of_another_user_is_not_found(hub: ProgressHub, render: Render) -> None:
    with pytest.raises(RenderNotFound):
        await next_state(hub.subscribe(Caller(id="bob"), render.id))
    assert hub._channels == {}


async def test_a_slow_subscriber_skips_to_the_newest_state(
    hub: ProgressHub, memory_store: MemoryStore, render: Render
) -> None:
    async with aclosing(hub.subscribe(ANN, render.id)) as states:
        await next_state(states)
        running = await changed(hub, memory_store, launched(render))
        for frames in range(1, 81):
            running = await changed(hub, memory_store, advanced(running, frames))
        await settle()
        assert await next_state(states) == running


async def test_messages_out_of_order_or_duplicated_are_dropped(
    hub: ProgressHub, memory_store: MemoryStore, render: Render
) -> None:
    running = launched(render)
    async with aclosing(hub.subscribe(ANN, render.id)) as states:
        await next_state(states)
        further = advanced(running, 30)
        for state in (further, running, further, render):
            await hub.publish(state)
        assert await next_state(states) == further
        end = failed(further)
        await hub.publish(end)
        assert await next_state(states) == end
    del memory_store


async def test_a_change_between_subscribing_and_reading_is_delivered_once(
    memory_store: MemoryStore, pubsub: PubSub, clock: FakeClock, render: Render
) -> None:
    """The store returns the state before a change that is published during the read."""

    class SlowStore(MemoryStore):
        async def get(self, render_id: str, *, owner: str) -> Render | None:
            before = await memory_store.get(render_id, owner=owner)
            await changed(racing_hub, memory_store, launched(render))
            await settle()
            return before

    racing_hub = ProgressHub(
        store=SlowStore(), pubsub=pubsub, clock=clock, metrics=Metrics(), check_interval=timedelta(seconds=5)
    )
    async with aclosing(racing_hub.subscribe(ANN, render.id)) as states:
        assert (await next_state(states)).revision == 2
        await racing_hub.publish(failed(launched(render)))
        assert (await next_state(states)).revision == 3


async def test_a_lost_terminal_state_is_read_from_the_store(
    hub: ProgressHub, memory_store: MemoryStore, clock: FakeClock, render: Render
) -> None:
    running = asyncio.create_task(hub.run())
    async with aclosing(hub.subscribe(ANN, render.id)) as states:
        await next_state(states)
        end = failed(render)
        await memory_store.record(end)  # without publishing it
        memory_store.unavailable = True
        await clock.advance(5)
        memory_store.unavailable = False
        await clock.advance(5)
        assert await next_state(states) == end
    running.cancel()


async def test_a_render_that_a_newer_version_has_changed_does_not_end_the_stream(
    hub: ProgressHub, memory_store: MemoryStore, render: Render
) -> None:
    async with aclosing(hub.subscribe(ANN, render.id)) as states:
        assert await next_state(states) == render
        memory_store.unreadable.add(render.id)
        await hub.refresh()
        memory_store.unreadable.clear()
        running = launched(render)
        assert await memory_store.record(running)
        await hub.refresh()
        assert await next_state(states) == running


async def test_a_deleted_render_ends_the_stream(hub: ProgressHub, memory_store: MemoryStore, render: Render) -> None:
    async with aclosing(hub.subscribe(ANN, render.id)) as states:
        await next_state(states)
        await memory_store.record(failed(render))
        await memory_store.delete(render.id, owner="ann")
        await hub.refresh()
        with pytest.raises(StopAsyncIteration):
            await next_state(states)


async def test_only_unfinished_renders_are_read_again(
    hub: ProgressHub, memory_store: MemoryStore, render: Render
) -> None:
    async with aclosing(hub.subscribe(ANN, render.id)) as states:
        await memory_store.record(failed(render))
        assert (await next_state(states)).revision == 2
        before = memory_store.reads
        await hub.refresh()
        assert memory_store.reads == before


async def test_subscribing_to_all_starts_with_the_unfinished_renders_oldest_first(
    hub: ProgressHub, memory_store: MemoryStore, make_render: MakeRender
) -> None:
    renders = [await stored(memory_store, make_render(at=NOW + timedelta(seconds=i))) for i in range(3)]
    await memory_store.record(failed(renders[1]))
    async with aclosing(hub.subscribe_all(ANN)) as states:
        assert [await next_state(states) for _ in range(2)] == [renders[0], renders[2]]
        new = await stored(memory_store, make_render(at=NOW + timedelta(seconds=9)))
        await hub.publish(new)
        assert await next_state(states) == new
        end = await changed(hub, memory_store, failed(new))
        assert await next_state(states) == end


async def test_subscribing_to_all_finds_renders_started_without_a_message(
    hub: ProgressHub, memory_store: MemoryStore, render: Render, make_render: MakeRender
) -> None:
    async with aclosing(hub.subscribe_all(ANN)) as states:
        assert await next_state(states) == render
        unannounced = await stored(memory_store, make_render(at=NOW + timedelta(seconds=1)))
        await stored(memory_store, make_render(owner="bob"))
        await hub.refresh()
        assert await next_state(states) == unannounced


async def test_subscribing_to_all_yields_only_own_renders(
    hub: ProgressHub, memory_store: MemoryStore, make_render: MakeRender
) -> None:
    await hub.publish(await stored(memory_store, make_render(owner="bob")))
    async with aclosing(hub.subscribe_all(ANN)) as states:
        mine = await stored(memory_store, make_render())
        first = asyncio.create_task(next_state(states))
        await settle()
        await hub.publish(await stored(memory_store, make_render(owner="bob")))
        await hub.publish(mine)
        assert await first == mine


async def test_a_malformed_message_is_skipped(
    hub: ProgressHub, memory_store: MemoryStore, pubsub: PubSub, render: Render, caplog: pytest.LogCaptureFixture
) -> None:
    async with aclosing(hub.subscribe(ANN, render.id)) as states:
        await next_state(states)
        await pubsub.publish("renders:ann", "{nonsense")
        end = await changed(hub, memory_store, failed(render))
        assert await next_state(states) == end
    assert "a published message can't be decoded" in caplog.text


async def test_subscribing_to_all_finds_renders_started_without_a_message_even_if_others_have_many(
    hub: ProgressHub, memory_store: MemoryStore, make_render: MakeRender
) -> None:
    async with aclosing(hub.subscribe_all(ANN)) as states, aclosing(hub.subscribe_all(Caller(id="bob"))) as others:
        for _ in range(MAX_UNFINISHED_PER_OWNER):
            await stored(memory_store, make_render(owner="bob"))
        first = asyncio.create_task(next_state(states))
        await next_state(others)
        await settle()
        unannounced = await stored(memory_store, make_render(at=NOW + timedelta(seconds=1)))
        await hub.refresh()
        assert await first == unannounced


# pushing


async def test_only_the_newest_state_of_one_read_is_pushed(
    hub: ProgressHub, pubsub: PubSub, render: Render, pusher: RecordingPusher
) -> None:
    async with aclosing(hub.subscribe(ANN, render.id, pusher)) as states:
        assert await next_state(states) == render
        end = asyncio.create_task(next_state(states))
        await settle()
        rendering = launched(render)
        *later, newest = (replace(advanced(rendering, 45), revision=10 + number) for number in range(20))
        announced = [Announcement(render=state, published_at=NOW) for state in (rendering, *later, newest, later[-1])]
        pubsub._broadcast.listeners.dispatch(
            [("renders:ann", stored_documents.encode_announcement(each)) for each in announced]
        )
        assert pusher.revisions == [newest.revision]
        await hub.publish(failed(newest))
        assert (await end).revision == newest.revision + 1


async def test_pushed_states_are_counted_as_sent(
    hub: ProgressHub, memory_store: MemoryStore, render: Render, pusher: RecordingPusher, metrics: Metrics
) -> None:
    async with aclosing(hub.subscribe(ANN, render.id, pusher)) as states:
        await next_state(states)
        waiting = asyncio.create_task(anext(states))
        await settle()
        await changed(hub, memory_store, launched(render))
        await settle()
        assert samples_of(metrics.text().decode())["rendercast_publish_to_send_lag_seconds_count"] == 1
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
