"""Pub/sub when Redis stops, hangs or sends malformed replies. Each test has a real server of its own."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing, suppress
from datetime import timedelta

import pytest

from services.clock import SystemClock
from services.errors import PubSubUnavailable
from services.models import Caller, QuotaWindow
from services.observability.metrics import Metrics
from services.realtime.hub import ProgressHub
from services.realtime.pubsub import PubSub, open_pubsub
from services.renders import lifecycle
from tests.conftest import MakeRender
from tests.support.fake_clock import START_OF_TIME
from tests.support.memory_store import MemoryStore
from tests.support.redis_pubsub import assert_works, publish_and_receive, until, until_lost, until_reconnected
from tests.support.redis_server import RedisServer
from tests.support.server_process import TIMEOUT_S


@pytest.fixture
async def pubsub(server: RedisServer) -> AsyncIterator[PubSub]:
    async with open_pubsub(server.url) as opened:
        yield opened


async def test_a_listener_receives_messages(pubsub: PubSub) -> None:
    await assert_works(pubsub)
    await assert_works(pubsub)


@pytest.mark.parametrize("channels", [1, 3])
async def test_all_listeners_survive_a_restart(server: RedisServer, pubsub: PubSub, channels: int) -> None:
    inboxes: dict[str, list[str]] = {f"channel {number}": [] for number in range(channels)}
    async with AsyncExitStack() as stack:
        for channel, inbox in inboxes.items():
            await stack.enter_async_context(pubsub.subscribe(channel, inbox.extend))
        for restart in range(2):
            server.stop()
            await until_lost(pubsub)
            server.start()
            await until_reconnected(pubsub)
            for channel, inbox in inboxes.items():
                await publish_and_receive(pubsub, channel, inbox, f"after {restart}")
    assert all(inbox == ["after 0", "after 1"] for inbox in inboxes.values())


async def test_killed_connections_are_opened_again(server: RedisServer, pubsub: PubSub) -> None:
    inbox: list[str] = []
    async with pubsub.subscribe("a", inbox.extend):
        await pubsub.publish("a", "before")
        server.command("CLIENT", "KILL", "TYPE", "pubsub")
        await until_reconnected(pubsub)
        await publish_and_receive(pubsub, "a", inbox, "pubsub")
        server.command("CLIENT", "KILL", "TYPE", "normal")
        with suppress(PubSubUnavailable):  # if it is sent before the loop notices that the connection is closed
            await pubsub.publish("a", "perhaps")
        await publish_and_receive(pubsub, "a", inbox, "normal")
    assert not pubsub.reconnected.is_set()


async def test_listeners_are_added_and_removed_while_the_connection_is_being_lost(pubsub: PubSub) -> None:
    inbox: list[str] = []
    async with pubsub.subscribe("stays", inbox.extend), AsyncExitStack() as added, AsyncExitStack() as removed:
        await removed.enter_async_context(pubsub.subscribe("removed", inbox.extend))
        assert pubsub._redis is not None
        assert pubsub._redis._subscriber is not None
        pubsub._redis._subscriber._transport.abort()  # noticed after the listeners are added and removed
        await asyncio.gather(added.enter_async_context(pubsub.subscribe("added", inbox.extend)), removed.aclose())
        await until_reconnected(pubsub)
        for channel in ("stays", "added"):
            await publish_and_receive(pubsub, channel, inbox, channel)
    assert inbox == ["stays", "added"]


async def test_concurrent_publishes_share_one_connection(server: RedisServer, pubsub: PubSub) -> None:
    def connections() -> int:
        lines = server.command("INFO", "stats").splitlines()
        return next(int(line.partition(":")[2]) for line in lines if line.startswith("total_connections_received"))

    inbox: list[str] = []
    async with pubsub.subscribe("a", inbox.extend):
        before = connections()
        await asyncio.gather(*(pubsub.publish("a", str(number)) for number in range(300)))
        assert connections() - before <= 2  # the publishing one, and that of INFO
        await until(lambda: len(inbox) == 300)


async def test_a_burst_is_published_in_order_even_if_some_callers_are_cancelled(
    server: RedisServer, pubsub: PubSub
) -> None:
    inbox: list[str] = []
    async with pubsub.subscribe("a", inbox.extend):
        await pubsub.publish("a", "-1")
        server.pause()  # so that no reply arrives before callers are cancelled
        publishing = [asyncio.create_task(pubsub.publish("a", str(number))) for number in range(500)]
        await asyncio.sleep(0)
        cancelled = [task for task in publishing[::3] if task.cancel()]
        server.resume()
        outcomes = await asyncio.gather(*publishing, return_exceptions=True)
        await publish_and_receive(pubsub, "a", inbox, "500")
    assert len(cancelled) == outcomes.count(None) // 2 + 1 == 167
    assert inbox == [str(number) for number in range(-1, 501)]  # they were sent before they were cancelled
    assert server.clients("normal") == 2  # ours, and that of this command


async def test_many_channels_share_one_connection(server: RedisServer, pubsub: PubSub) -> None:
    inboxes: list[list[str]] = [[] for _ in range(200)]
    async with AsyncExitStack() as stack:
        listening = (pubsub.subscribe(f"channel {number}", inbox.extend) for number, inbox in enumerate(inboxes))
        await asyncio.gather(*(stack.enter_async_context(each) for each in listening))
        assert server.clients("pubsub") == 1
        await asyncio.gather(*(pubsub.publish(f"channel {number}", str(number)) for number in range(200)))
        await until(lambda: inboxes == [[str(number)] for number in range(200)])
    await until(lambda: server.clients("pubsub") == 0)


async def test_without_redis_publishing_fails_and_subscriptions_start_on_reconnection(
    server: RedisServer, pubsub: PubSub
) -> None:
    server.stop()
    await until_lost(pubsub)
    for attempt in (pubsub.publish("a", "lost"), pubsub.check()):
        with pytest.raises(PubSubUnavailable, match=f"Redis at 127.0.0.1:{server.port}"):
            await attempt
    inbox: list[str] = []
    async with asyncio.timeout(TIMEOUT_S), pubsub.subscribe("a", inbox.extend):
        async with pubsub.subscribe("removed again", inbox.extend):
            pass
        assert not pubsub.reconnected.is_set()
        server.start()
        await until_reconnected(pubsub)
        await pubsub.check()
        assert server.command("PUBSUB", "CHANNELS").split()[2:] == ["rendercast:0:a"]
        await publish_and_receive(pubsub, "a", inbox, "back")
    assert inbox == ["back"]


@pytest.mark.slow
async def test_a_redis_that_hangs_is_noticed_and_reconnected_to(server: RedisServer, pubsub: PubSub) -> None:
    early: list[str] = []
    late: list[str] = []
    async with asyncio.timeout(TIMEOUT_S), pubsub.subscribe("a", early.extend):
        await pubsub.publish("a", "before")
        server.pause()
        with pytest.raises(PubSubUnavailable, match="no reply in time"):
            await pubsub.publish("a", "lost")
        async with pubsub.subscribe("b", late.extend):
            with pytest.raises(PubSubUnavailable, match="is unavailable"):
                await pubsub.check()
            server.resume()
            await until_reconnected(pubsub)
            await publish_and_receive(pubsub, "a", early, "there")
            await publish_and_receive(pubsub, "b", late, "too")


async def test_a_listener_cancelled_while_subscribing_leaves_nothing_behind(
    server: RedisServer, pubsub: PubSub
) -> None:
    server.pause()
    subscribing = asyncio.create_task(assert_works(pubsub))
    await asyncio.sleep(0.05)
    subscribing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await subscribing
    assert pubsub._broadcast.listeners._listeners == {}
    server.resume()
    await until(lambda: server.clients("pubsub") == 0)
    await assert_works(pubsub)


async def test_one_log_line_for_the_disconnection_and_one_for_the_reconnection(
    server: RedisServer, pubsub: PubSub, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "services")
    await assert_works(pubsub)
    assert not pubsub.reconnected.is_set()
    server.stop()
    await until_lost(pubsub)
    assert pubsub._redis is not None
    await until(lambda: pubsub._redis is not None and pubsub._redis._failures >= 3)
    assert not pubsub.reconnected.is_set()
    server.start()
    await until_reconnected(pubsub)
    await assert_works(pubsub)
    assert not pubsub.reconnected.is_set()
    assert len(caplog.messages) == 2
    assert all(f"Redis at 127.0.0.1:{server.port} is" in message for message in caplog.messages)


async def test_closing_leaves_no_connections_and_no_tasks(server: RedisServer) -> None:
    before = asyncio.all_tasks()
    async with open_pubsub(server.url) as pubsub:
        await assert_works(pubsub)
        async with pubsub.subscribe("a", print):
            await asyncio.gather(*(pubsub.publish("b", "message") for _ in range(50)))
            assert server.clients("pubsub") == 1
    await until(lambda: server.clients("normal") == server.clients("pubsub") == 0)
    await until(lambda: asyncio.all_tasks() == before)


async def test_closing_does_not_hang_while_redis_hangs(server: RedisServer) -> None:
    async with open_pubsub(server.url) as pubsub:
        await assert_works(pubsub)
        server.pause()


@pytest.mark.parametrize("nonsense", [b":abc\r\n", b"$abc\r\n", b"*1\r\n:abc\r\n", b"\xff\xff\r\n"])
async def test_a_server_with_malformed_replies_is_unavailable_until_redis_is_back(
    server: RedisServer, pubsub: PubSub, nonsense: bytes
) -> None:
    async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1000)
        writer.write(nonsense)
        await writer.drain()
        requested.set()
        writer.close()

    requested = asyncio.Event()
    server.stop()
    await until_lost(pubsub)
    async with await asyncio.start_server(respond, "127.0.0.1", server.port, reuse_address=True):
        async with asyncio.timeout(TIMEOUT_S):
            await requested.wait()
        with pytest.raises(PubSubUnavailable):
            await pubsub.publish("a", "lost")
    server.start()
    await until_reconnected(pubsub)
    await assert_works(pubsub)


async def test_deployments_with_different_databases_do_not_share_messages(server: RedisServer) -> None:
    inbox: list[str] = []
    async with (
        open_pubsub(server.url) as ours,
        open_pubsub(f"{server.url}/1") as others,
        ours.subscribe("a", inbox.extend),
    ):
        await others.publish("a", "theirs")
        await publish_and_receive(ours, "a", inbox, "ours")
    assert inbox == ["ours"]


async def test_a_message_that_is_not_utf_8_is_delivered_with_replacement_characters(
    server: RedisServer, pubsub: PubSub
) -> None:
    inbox: list[str] = []
    async with pubsub.subscribe("a", inbox.extend):
        server.command("PUBLISH", "rendercast:0:a", '"\\xff\\xfe"')
        await publish_and_receive(pubsub, "a", inbox, "ours")
    assert inbox == ["\ufffd\ufffd", "ours"]


async def test_a_subscriber_gets_a_terminal_state_that_was_published_without_redis(
    server: RedisServer, pubsub: PubSub, make_render: MakeRender
) -> None:
    store = MemoryStore()
    hub = ProgressHub(
        store=store, pubsub=pubsub, clock=SystemClock(), metrics=Metrics(), check_interval=timedelta(hours=1)
    )
    render = make_render()
    window = QuotaWindow(owner="ann", limit=5, starts_at=START_OF_TIME, length=timedelta(hours=1))
    await store.add(render, window)
    running = asyncio.create_task(hub.run())
    async with aclosing(hub.subscribe(Caller(id="ann"), render.id)) as states:
        assert await anext(states) == render
        server.stop()
        await until_lost(pubsub)
        end = lifecycle.cancel(render, now=START_OF_TIME)
        assert await store.record(end)
        await hub.publish(end)
        server.start()
        async with asyncio.timeout(TIMEOUT_S):
            assert await anext(states) == end
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
