"""Messages between processes, through broadcaster."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from services.errors import PubSubUnavailable, StartupError
from services.realtime.broadcast import ListenerBroadcast
from services.realtime.listeners import MessageListener

if TYPE_CHECKING:
    from services.realtime.redis_broker import RedisBroker


class PubSub:
    """Publishes text on channels and subscribes to them. Delivery is at most once and in order within a channel.

    `reconnected` is set each time the connection and the subscriptions are restored: messages may have been lost. Only
    one consumer may wait for it, because it clears the event: the hub.
    """

    def __init__(self, broadcast: ListenerBroadcast, redis: "RedisBroker | None" = None) -> None:
        self._broadcast = broadcast
        self._redis = redis
        self.reconnected = redis.reconnected if redis else asyncio.Event()

    async def publish(self, channel: str, message: str) -> None:
        """Send `message` to all current listeners of `channel`. Raises `PubSubUnavailable` within a few seconds."""
        await self._broadcast.publish(channel, message)

    async def publish_to_one(
        self, channels: Sequence[str], message: str, *, before: Sequence[tuple[str, str]] = ()
    ) -> None:
        """Send `message` to the listeners of one of the channels that have any, chosen at random; if none has, to none.

        The messages `before`, each with its channel, are sent first, in the round trip in which the listeners are
        counted. Raises `PubSubUnavailable` within a few seconds; messages may be sent even then.
        """
        if self._redis:
            await self._redis.publish_to_one(channels, message, before=before)
            return
        for channel, earlier in before:
            await self.publish(channel, earlier)
        if listened := [channel for channel in channels if channel in self._broadcast.listeners]:
            await self.publish(random.choice(listened), message)  # noqa: S311

    async def check(self) -> None:
        """Return if messages can be published and received. Raises `PubSubUnavailable` within a few seconds if not."""
        if self._redis:
            await self._redis.check()

    async def listen(self, channel: str, listener: MessageListener) -> None:
        """Call `listener` with the messages on `channel` until `stop_listening`.

        The subscription is active on return. If the broker is unavailable, this returns anyway; the subscription
        becomes active on reconnection, and `reconnected` is set then. If this is cancelled, the listener is removed.
        """
        await self._broadcast.add_listener(channel, listener)
        try:
            if self._redis:
                await self._redis.wait_until_subscribed(channel)
        except BaseException:
            await self.stop_listening(channel, listener)
            raise

    async def stop_listening(self, channel: str, listener: MessageListener) -> None:
        """Stop calling `listener`. Does not wait for the broker, so it can't be cancelled halfway."""
        await self._broadcast.remove_listener(channel, listener)

    @asynccontextmanager
    async def subscribe(self, channel: str, listener: MessageListener) -> AsyncIterator[None]:
        """Call `listener` with the messages on `channel` while the context is open, as `listen`."""
        await self.listen(channel, listener)
        try:
            yield
        finally:
            await self.stop_listening(channel, listener)


@asynccontextmanager
async def open_pubsub(url: str) -> AsyncIterator[PubSub]:
    """Connect to the broker at `url`: `memory://` for a single process, or Redis as `parse_redis_url` describes.

    Redis must have one address: a single server, a service that fails over behind its name, or one node of a cluster,
    which passes messages on to the others. Discovery through Sentinel is not supported. Raises `StartupError` if Redis
    can't be reached now; later, a lost connection is restored.
    """
    redis = None if url == "memory://" else _redis_broker(url)
    broadcast = ListenerBroadcast(url, redis)
    try:
        await broadcast.connect()
    except PubSubUnavailable as error:
        raise StartupError(str(error)) from error
    try:
        yield PubSub(broadcast, redis)
    finally:
        await broadcast.disconnect()


def _redis_broker(url: str) -> "RedisBroker":
    """Return the Redis broker. Its import takes 85 ms of CPU time, which `rendercast dev` does not need."""
    from services.realtime.redis_broker import RedisBroker

    return RedisBroker(url)
