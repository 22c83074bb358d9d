import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from datetime import timedelta

import pytest

from services import documents
from services.documents import Announcement
from services.errors import RenderNotFound
from services.models import Caller, Failure, QuotaWindow, Render, RenderPhase, replace
from services.observability.metrics import Metrics
from services.ports import Progress
from services.realtime.hub import MAX_UNFINISHED_AT_ONCE, ProgressHub
from services.realtime.pubsub import OnMessages, PubSub, open_pubsub
from services.realtime.subscribers import Push
from services.renders import lifecycle
from tests.conftest import MakeRender
from tests.support.fakes import START_OF_TIME, FakeClock, MemoryStore, settle
from tests.support.scraping import samples_of

NOW = START_OF_TIME
ANN = Caller(id="ann")
FAILURE = Failure(code="BROKEN", message="It broke.", retryable=True)


def launched(render: Render) -> Render:
    return lifecycle.launch(render, now=NOW, deadline_at=NOW + timedelta(hours=1))


def advanced(render: Render, frames: int) -> Render:
    progress = Progress(phase=RenderPhase.RENDERING_FRAMES, fraction=frames / 90, frames_rendered=frames)
    return lifecycle.advance(render, progress)


def failed(render: Render) -> Render:
    return lifecycle.fail(render, failure=FAILURE, now=NOW)


@pytest.fixture
async def pubsub() -> AsyncIterator[PubSub]:
    async with open_pubsub("memory://") as opened:
        yield opened


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def hub(memory_store: MemoryStore, pubsub: PubSub, clock: FakeClock, metrics: Metrics) -> ProgressHub:
    return ProgressHub(
        store=memory_store, pubsub=pubsub, clock=clock, metrics=metrics, check_interval=timedelta(seconds=5)
    )


@pytest.fixture
async def render(memory_store: MemoryStore, make_render: MakeRender) -> Render:
    return await stored(memory_store, make_render())


async def stored(store: MemoryStore, render: Render) -> Render:
    await store.add(render, QuotaWindow(owner=render.owner, limit=10_000, starts_at=NOW, length=timedelta(hours=1)))
    return render


async def changed(hub: ProgressHub, store: MemoryStore, render: Render) -> Render:
    assert await store.record(render)
    await hub.publish(render)
    return render


async def within_limits(states: AsyncIterator[Render]) -> Render:
    async with asyncio.timeout(10):
        return await anext(states)


async def all_of(hub: ProgressHub, render: Render) -> list[int]:
    async with asyncio.timeout(20), aclosing(hub.watch(ANN, render.id)) as states:
        return [state.revision async for state in states]


async def test_a_watcher_sees_the_present_state_then_every_change_then_the_end(
    hub: ProgressHub, memory_store: MemoryStore, render: Render
) -> None:
    async with aclosing(hub.watch(ANN, render.id)) as states:
        assert await within_limits(states) == render
        running = await changed(hub, memory_store, launched(render))
        assert await within_limits(states) == running
        end = await changed(hub, memory_store, failed(running))
        assert await within_limits(states) == end
        with pytest.raises(StopAsyncIteration):
            await within_limits(states)


@pytest.mark.parametrize("all_of_them", [True, False])
async def test_what_was_sent_tells_how_long_it_took_since_it_was_published(
    hub: ProgressHub,
    memory_store: MemoryStore,
    clock: FakeClock,
    metrics: Metrics,
    render: Render,
    all_of_them: bool,  # noqa: FBT001
) -> None:
    def lags() -> tuple[float, float]:
        samples = samples_of(metrics.text().decode())
        lag = "rendercast_publish_to_send_lag_seconds"
        return samples[f"{lag}_count"], samples[f"{lag}_sum"]

    async with aclosing(hub.watch_all(ANN) if all_of_them else hub.watch(ANN, render.id)) as states:
        assert await within_limits(states) == render
        running = await changed(hub, memory_store, launched(render))
        assert await within_limits(states) == running
        assert lags() == (0, 0), "it is being sent"
        await clock.advance(2)
        end = await changed(hub, memory_store, failed(running))
        assert await within_limits(states) == end
        assert lags() == (1, 2)


async def test_one_who_comes_after_the_end_gets_the_end_only(
    hub: ProgressHub, memory_store: MemoryStore, render: Render
) -> None:
    await memory_store.record(failed(render))
    assert await all_of(hub, render) == [2]


@pytest.mark.parametrize("render_id", ["", "x", "0" * 26, "\ud800", "0" * 10_000])
async def test_an_unknown_render_is_not_found(hub: ProgressHub, render_id: str) -> None:
    with pytest.raises(RenderNotFound):
        await within_limits(hub.watch(ANN, render_id))


async def test_the_render_of_another_is_not_found(hub: ProgressHub, render: Render) -> None:
    with pytest.raises(RenderNotFound):
        await within_limits(hub.watch(Caller(id="bob"), render.id))
    assert hub._rooms == {}


async def test_a_slow_watcher_skips_to_the_newest_state(
    hub: ProgressHub, memory_store: MemoryStore, render: Render
) -> None:
    async with aclosing(hub.watch(ANN, render.id)) as states:
        await within_limits(states)
        running = await changed(hub, memory_store, launched(render))
        for frames in range(1, 81):
            running = await changed(hub, memory_store, advanced(running, frames))
        await settle()
        assert await within_limits(states) == running


async def test_messages_out_of_order_or_twice_are_not_passed_on(
    hub: ProgressHub, memory_store: MemoryStore, render: Render
) -> None:
    running = launched(render)
    async with aclosing(hub.watch(ANN, render.id)) as states:
        await within_limits(states)
        further = advanced(running, 30)
        for state in (further, running, further, render):
            await hub.publish(state)
        assert await within_limits(states) == further
        end = failed(further)
        await hub.publish(end)
        assert await within_limits(states) == end
    del memory_store


async def test_a_change_between_listening_and_reading_is_seen_once(
    memory_store: MemoryStore, pubsub: PubSub, clock: FakeClock, render: Render
) -> None:
    """The store answers with the state before a change that was published while it was asked."""

    class SlowStore(MemoryStore):
        async def get(self, render_id: str, *, owner: str) -> Render | None:
            before = await memory_store.get(render_id, owner=owner)
            await changed(raced, memory_store, launched(render))
            await settle()
            return before

    raced = ProgressHub(
        store=SlowStore(), pubsub=pubsub, clock=clock, metrics=Metrics(), check_interval=timedelta(seconds=5)
    )
    async with aclosing(raced.watch(ANN, render.id)) as states:
        assert (await within_limits(states)).revision == 2
        await raced.publish(failed(launched(render)))
        assert (await within_limits(states)).revision == 3


async def test_a_lost_end_is_found_in_the_store(
    hub: ProgressHub, memory_store: MemoryStore, clock: FakeClock, render: Render
) -> None:
    check = asyncio.create_task(hub.run())
    async with aclosing(hub.watch(ANN, render.id)) as states:
        await within_limits(states)
        end = failed(render)
        await memory_store.record(end)  # and nobody publishes it
        memory_store.away = True
        await clock.advance(5)
        memory_store.away = False
        await clock.advance(5)
        assert await within_limits(states) == end
    check.cancel()


async def test_a_render_that_vanished_ends_the_stream(
    hub: ProgressHub, memory_store: MemoryStore, render: Render
) -> None:
    async with aclosing(hub.watch(ANN, render.id)) as states:
        await within_limits(states)
        await memory_store.record(failed(render))
        await memory_store.delete(render.id, owner="ann")
        await hub.check()
        with pytest.raises(StopAsyncIteration):
            await within_limits(states)


async def test_only_what_is_awaited_is_read_again(hub: ProgressHub, memory_store: MemoryStore, render: Render) -> None:
    async with aclosing(hub.watch(ANN, render.id)) as states:
        await memory_store.record(failed(render))
        assert (await within_limits(states)).revision == 2
        before = memory_store.reads
        await hub.check()
        assert memory_store.reads == before


async def test_many_watchers_of_one_render_all_see_it_rise_to_its_end(
    hub: ProgressHub, memory_store: MemoryStore, render: Render
) -> None:
    watchers = [asyncio.create_task(all_of(hub, render)) for _ in range(100)]
    await settle()
    running = await changed(hub, memory_store, launched(render))
    for frames in range(1, 20):
        running = await changed(hub, memory_store, advanced(running, frames * 4))
        await settle()
    await changed(hub, memory_store, failed(running))
    for revisions in await asyncio.gather(*watchers):
        assert revisions == sorted(set(revisions))
        assert revisions[-1] == running.revision + 1
    assert hub._rooms == {}


async def test_watching_all_begins_with_what_is_unfinished_oldest_first(
    hub: ProgressHub, memory_store: MemoryStore, make_render: MakeRender
) -> None:
    renders = [await stored(memory_store, make_render(at=NOW + timedelta(seconds=i))) for i in range(3)]
    await memory_store.record(failed(renders[1]))
    async with aclosing(hub.watch_all(ANN)) as states:
        assert [await within_limits(states) for _ in range(2)] == [renders[0], renders[2]]
        new = await stored(memory_store, make_render(at=NOW + timedelta(seconds=9)))
        await hub.publish(new)
        assert await within_limits(states) == new
        end = await changed(hub, memory_store, failed(new))
        assert await within_limits(states) == end


async def test_watching_all_finds_what_was_started_without_a_message(
    hub: ProgressHub, memory_store: MemoryStore, render: Render, make_render: MakeRender
) -> None:
    async with aclosing(hub.watch_all(ANN)) as states:
        assert await within_limits(states) == render
        unannounced = await stored(memory_store, make_render(at=NOW + timedelta(seconds=1)))
        await stored(memory_store, make_render(owner="bob"))
        await hub.check()
        assert await within_limits(states) == unannounced


async def test_watching_all_shows_nothing_of_others(
    hub: ProgressHub, memory_store: MemoryStore, make_render: MakeRender
) -> None:
    await hub.publish(await stored(memory_store, make_render(owner="bob")))
    async with aclosing(hub.watch_all(ANN)) as states:
        mine = await stored(memory_store, make_render())
        first = asyncio.create_task(within_limits(states))
        await settle()
        await hub.publish(await stored(memory_store, make_render(owner="bob")))
        await hub.publish(mine)
        assert await first == mine


async def test_a_message_that_is_no_render_harms_nobody(
    hub: ProgressHub, memory_store: MemoryStore, pubsub: PubSub, render: Render, caplog: pytest.LogCaptureFixture
) -> None:
    async with aclosing(hub.watch(ANN, render.id)) as states:
        await within_limits(states)
        await pubsub.publish("renders:ann", "{nonsense")
        end = await changed(hub, memory_store, failed(render))
        assert await within_limits(states) == end
    assert "a message that was published can't be read" in caplog.text


async def test_nothing_is_left_of_watchers_that_were_cancelled_while_they_waited(
    hub: ProgressHub, render: Render, pubsub: PubSub
) -> None:
    watchers = [asyncio.create_task(all_of(hub, render)) for _ in range(50)]
    await settle()
    for watcher in watchers:
        watcher.cancel()
    await asyncio.gather(*watchers, return_exceptions=True)
    await settle()
    assert hub._rooms == {}
    assert pubsub._channels._listeners == {}


class SlowPubSub(PubSub):
    """Begins to listen, and ends it, when `answer` is set."""

    answer = asyncio.Event()

    @asynccontextmanager
    async def listen(self, channel: str, on_messages: OnMessages) -> AsyncIterator[None]:
        await self.answer.wait()
        async with super().listen(channel, on_messages):
            yield
            await self.answer.wait()


@pytest.fixture
def slow(pubsub: PubSub) -> SlowPubSub:
    slow = SlowPubSub(pubsub._channels)
    slow.answer = asyncio.Event()
    return slow


@pytest.fixture
def slow_hub(memory_store: MemoryStore, slow: SlowPubSub, clock: FakeClock) -> ProgressHub:
    return ProgressHub(
        store=memory_store, pubsub=slow, clock=clock, metrics=Metrics(), check_interval=timedelta(seconds=5)
    )


async def test_owners_need_not_wait_for_each_other(
    slow_hub: ProgressHub, slow: SlowPubSub, memory_store: MemoryStore, render: Render, make_render: MakeRender
) -> None:
    other = await stored(memory_store, make_render(owner="bob"))
    watchers = [asyncio.create_task(all_of(slow_hub, render)) for _ in range(3)]
    await settle()
    async with aclosing(slow_hub.watch(Caller(id="bob"), other.id)) as states:
        joining = asyncio.create_task(within_limits(states))
        await settle()
        assert slow_hub._rooms.keys() == {"ann", "bob"}
        slow.answer.set()
        assert await joining == other
    await changed(slow_hub, memory_store, failed(render))
    assert await asyncio.gather(*watchers) == [[1, 2]] * 3


async def test_those_who_come_with_one_who_gives_up_joining_are_let_in(
    slow_hub: ProgressHub, slow: SlowPubSub, memory_store: MemoryStore, render: Render
) -> None:
    first, second, third = (asyncio.create_task(all_of(slow_hub, render)) for _ in range(3))
    await settle()
    first.cancel()
    third.cancel()
    await settle()
    slow.answer.set()
    await settle()
    await changed(slow_hub, memory_store, failed(render))
    assert await second == [1, 2]
    assert slow_hub._rooms == {}
    assert slow._channels._listeners == {}


async def test_one_who_comes_while_the_last_leaves_hears(
    slow_hub: ProgressHub, slow: SlowPubSub, memory_store: MemoryStore, render: Render
) -> None:
    slow.answer.set()
    last = asyncio.create_task(all_of(slow_hub, render))
    await settle()
    slow.answer.clear()
    last.cancel()
    await settle()
    late = asyncio.create_task(all_of(slow_hub, render))
    await settle()
    slow.answer.set()
    await settle()
    running = await changed(slow_hub, memory_store, launched(render))
    await settle()
    await changed(slow_hub, memory_store, failed(running))
    assert await late == [1, 2, 3]
    assert slow_hub._rooms == {}
    assert slow._channels._listeners == {}


async def test_watching_all_finds_what_was_started_without_a_message_however_much_others_have(
    hub: ProgressHub, memory_store: MemoryStore, make_render: MakeRender
) -> None:
    async with aclosing(hub.watch_all(ANN)) as states, aclosing(hub.watch_all(Caller(id="bob"))) as others:
        for _ in range(MAX_UNFINISHED_AT_ONCE):
            await stored(memory_store, make_render(owner="bob"))
        first = asyncio.create_task(within_limits(states))
        await within_limits(others)
        await settle()
        unannounced = await stored(memory_store, make_render(at=NOW + timedelta(seconds=1)))
        await hub.check()
        assert await first == unannounced


# what is pushed


async def test_of_what_comes_together_the_newest_is_pushed(
    hub: ProgressHub, pubsub: PubSub, render: Render, pushed: list[int], push: Push
) -> None:
    async with aclosing(hub.watch(ANN, render.id, push)) as states:
        assert await within_limits(states) == render
        end = asyncio.create_task(within_limits(states))
        await settle()
        rendering = launched(render)
        *later, newest = (replace(advanced(rendering, 45), revision=10 + number) for number in range(20))
        announced = [Announcement(render=state, published_at=NOW) for state in (rendering, *later, newest, later[-1])]
        pubsub._channels.tell([("renders:ann", documents.encode_announcement(each)) for each in announced])
        assert pushed == [newest.revision]
        await hub.publish(failed(newest))
        assert (await end).revision == newest.revision + 1


async def test_what_is_pushed_is_counted_as_sent(
    hub: ProgressHub, memory_store: MemoryStore, render: Render, push: Push, metrics: Metrics
) -> None:
    async with aclosing(hub.watch(ANN, render.id, push)) as states:
        await within_limits(states)
        waiting = asyncio.create_task(anext(states))
        await settle()
        await changed(hub, memory_store, launched(render))
        await settle()
        assert samples_of(metrics.text().decode())["rendercast_publish_to_send_lag_seconds_count"] == 1
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
