"""Pub/sub over Redis for tests: waiting for its connection, and a check that messages arrive."""

import asyncio
from collections.abc import Callable

from services.realtime.pubsub import PubSub
from tests.support.server_process import TIMEOUT_S


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(TIMEOUT_S):
        while not condition():  # noqa: ASYNC110  # most conditions are about another process
            await asyncio.sleep(0.01)


async def until_lost(pubsub: PubSub) -> None:
    assert pubsub._redis is not None
    redis = pubsub._redis
    await until(lambda: not redis._is_up)


async def until_reconnected(pubsub: PubSub) -> None:
    async with asyncio.timeout(TIMEOUT_S):
        await pubsub.reconnected.wait()
    pubsub.reconnected.clear()


async def publish_and_receive(pubsub: PubSub, channel: str, inbox: list[str], message: str) -> None:
    await pubsub.publish(channel, message)
    await until(lambda: message in inbox)


async def assert_works(pubsub: PubSub) -> None:
    inbox: list[str] = []
    async with pubsub.subscribe("a", inbox.extend):
        await publish_and_receive(pubsub, "a", inbox, "message")
