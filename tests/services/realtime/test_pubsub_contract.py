"""The contract of pub/sub, tested over every broker. A new broker needs one more fixture."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack

import pytest

from services.observability import log_context
from services.realtime.pubsub import PubSub, open_pubsub
from tests.support.redis_server import RedisServer
from tests.support.server_process import TIMEOUT_S


@pytest.fixture(scope="module")
def memory() -> str:
    return "memory://"


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The Redis at TEST_REDIS_URL, or one that is started here."""
    if url := os.environ.get("TEST_REDIS_URL"):
        yield url
        return
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    server.start()
    yield server.url
    server.stop()


@pytest.fixture(params=["memory", "redis"])
async def pubsub(request: pytest.FixtureRequest) -> AsyncIterator[PubSub]:
    async with open_pubsub(request.getfixturevalue(request.param)) as opened:
        yield opened


class Inbox:
    def __init__(self) -> None:
        self.messages: list[str] = []
        self._arrived = asyncio.Event()

    def __call__(self, messages: list[str]) -> None:
        self.messages.extend(messages)
        self._arrived.set()

    async def until(self, enough: Callable[[list[str]], bool]) -> list[str]:
        async with asyncio.timeout(TIMEOUT_S):
            while not enough(self.messages):
                self._arrived.clear()
                await self._arrived.wait()
        return self.messages


async def test_delivers_in_order_to_all_listeners(pubsub: PubSub) -> None:
    first, second = Inbox(), Inbox()
    async with pubsub.subscribe("a", first), pubsub.subscribe("a", second):
        for number in range(100):
            await pubsub.publish("a", str(number))
        for inbox in (first, second):
            assert await inbox.until(lambda got: len(got) == 100) == [str(number) for number in range(100)]


async def test_messages_reach_only_the_listeners_of_their_channel(pubsub: PubSub) -> None:
    inbox, end = Inbox(), Inbox()
    async with pubsub.subscribe("a", inbox), pubsub.subscribe("b", end):
        await pubsub.publish("c", "unheard")
        await pubsub.publish("b", "other")
        await pubsub.publish("a", "mine")
        await end.until(bool)
        assert await inbox.until(bool) == ["mine"]


async def test_publishes_to_one_of_several_channels_that_has_listeners(pubsub: PubSub) -> None:
    channels = [f"idle:{number}" for number in range(5)]
    await pubsub.publish_to_one(channels, "to none")
    inboxes = {channel: Inbox() for channel in channels[1:4]}
    async with AsyncExitStack() as entered:
        for channel, inbox in inboxes.items():
            await entered.enter_async_context(pubsub.subscribe(channel, inbox))
        await pubsub.publish_to_one(channels, "to one")
        for channel in channels:
            await pubsub.publish(channel, "end")
        received = [await inbox.until(lambda messages: "end" in messages) for inbox in inboxes.values()]
    assert sorted(received) == [["end"], ["end"], ["to one", "end"]]


async def test_messages_before_the_one_to_an_idle_listener_arrive_first_and_without_it(pubsub: PubSub) -> None:
    inbox = Inbox()
    earlier = [("a", "1"), ("b", "2"), ("a", "3")]
    async with pubsub.subscribe("a", inbox):
        await pubsub.publish_to_one(["none"], "4", before=earlier)
        await pubsub.publish_to_one(["none", "a"], "4", before=earlier)
        assert await inbox.until(lambda messages: "4" in messages) == ["1", "3", "1", "3", "4"]


async def test_the_subscription_is_active_when_the_context_is_entered(pubsub: PubSub) -> None:
    for number in range(50):
        inbox = Inbox()
        async with pubsub.subscribe("a", inbox):
            await pubsub.publish("a", str(number))
            assert await inbox.until(bool) == [str(number)]


async def test_many_listeners_that_join_a_new_channel_together_all_get_its_messages(pubsub: PubSub) -> None:
    inboxes = [Inbox() for _ in range(20)]
    async with AsyncExitStack() as stack:
        await asyncio.gather(*(stack.enter_async_context(pubsub.subscribe("new", inbox)) for inbox in inboxes))
        await pubsub.publish("new", "hello")
        for inbox in inboxes:
            assert await inbox.until(bool) == ["hello"]


async def test_a_removed_listener_gets_nothing_and_others_continue(pubsub: PubSub) -> None:
    removed, present = Inbox(), Inbox()
    async with pubsub.subscribe("a", present):
        async with pubsub.subscribe("a", removed):
            pass
        await pubsub.publish("a", "later")
        assert await present.until(bool) == ["later"]
    assert removed.messages == []


async def test_a_listener_that_raises_gets_the_next_message(pubsub: PubSub) -> None:
    inbox, failed = Inbox(), asyncio.Event()

    def picky(messages: list[str]) -> None:
        if messages == ["bad"]:
            failed.set()
            raise ValueError(messages)
        inbox(messages)

    async with pubsub.subscribe("a", picky):
        await pubsub.publish("a", "bad")
        await asyncio.wait_for(failed.wait(), TIMEOUT_S)
        await pubsub.publish("a", "good")
        assert await inbox.until(bool) == ["good"]


@pytest.mark.parametrize("text", ["", "a b\r\nc", "{nonsense", "é 漢 🎬", "\ud800", "x" * 1_000_000])
async def test_delivers_any_text_on_any_channel(pubsub: PubSub, text: str) -> None:
    inbox = Inbox()
    async with pubsub.subscribe(text[:100], inbox):
        await pubsub.publish(text[:100], text)
        assert await inbox.until(bool) == [text]


async def test_listeners_cancelled_while_subscribing_leave_nothing_behind(pubsub: PubSub) -> None:
    async def join() -> None:
        async with pubsub.subscribe("a", print):
            await asyncio.Event().wait()

    for rounds in range(10):
        joining = asyncio.create_task(join())
        for _ in range(rounds):
            await asyncio.sleep(0)
        joining.cancel()
        with pytest.raises(asyncio.CancelledError):
            await joining
    assert pubsub._broadcast.listeners._listeners == {}


async def test_a_new_connection_passes_the_check_and_has_not_resumed(pubsub: PubSub) -> None:
    await pubsub.check()
    assert not pubsub.reconnected.is_set()


async def test_listeners_do_not_inherit_the_log_context_of_the_first_subscriber(pubsub: PubSub) -> None:
    inbox = Inbox()
    token = log_context.request_id.set("first")
    async with pubsub.subscribe("a", lambda _: inbox([str(log_context.current_ids())])):
        log_context.request_id.reset(token)
        await pubsub.publish("a", "hello")
        assert await inbox.until(bool) == ["{}"]
