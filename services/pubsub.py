"""Messages between processes, on broadcaster.

Broadcaster loses subscribers that arrive together on a new channel, so joining and leaving happen one at a time.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from contextvars import Context

from broadcaster import Broadcast
from broadcaster._base import Subscriber

from services.errors import PubSubUnavailable, StartupError
from services.redis_broadcast import RedisBroadcast

log = logging.getLogger(__name__)


class PubSub:
    """Publish text on channels and listen to them. Delivery is at most once; order is kept within a channel.

    `resumed` is set each time the broker is back and listens again for everybody: messages may have been missed.
    Whoever acts on it clears it first, so there can be only one; that is the hub.
    """

    def __init__(self, broadcast: Broadcast, redis: RedisBroadcast | None = None) -> None:
        self._broadcast = broadcast
        self._redis = redis
        self._membership = asyncio.Lock()
        self.resumed = redis.resumed if redis else asyncio.Event()

    async def publish(self, channel: str, message: str) -> None:
        """Send `message` to all who listen to `channel` now. Raises `PubSubUnavailable` within a few seconds."""
        await self._broadcast.publish(channel, message)

    async def check(self) -> None:
        """Return if messages can be published and heard. Raises `PubSubUnavailable` within a few seconds if not."""
        if self._redis:
            await self._redis.check()

    @asynccontextmanager
    async def listen(self, channel: str, on_message: Callable[[str], None]) -> AsyncIterator[None]:
        """Call `on_message` with each message published on `channel` while the context is open.

        Listening has begun when the context is entered. If the broker is away it begins when that is back, and
        `resumed` is set then. `on_message` must be quick and not raise; what it raises is logged.
        """
        subscription = self._broadcast.subscribe(channel)
        async with self._membership:
            subscriber = await subscription.__aenter__()
        pump = asyncio.create_task(
            _pump(subscriber, on_message),
            name=f"listen {channel}",
            context=Context(),  # it may go on for others: not the first one's ids are to be in the log
        )
        try:
            if self._redis:
                await self._redis.begin(channel)
            yield
        finally:
            pump.cancel()
            async with self._membership:
                await subscription.__aexit__(None, None, None)


@asynccontextmanager
async def open_pubsub(url: str) -> AsyncIterator[PubSub]:
    """Connect to the broker at `url`: `memory://` for a single process, or Redis as `redis_broker.read_url` describes.

    Redis may be any that has one address: a single one, a service that fails over behind its name, or one node of
    a cluster, which passes messages on to the others. Asking Sentinels for an address is not supported. Raises
    `StartupError` if Redis can't be reached now; later it may come and go.
    """
    if url == "memory://":
        async with Broadcast(url) as broadcast:
            yield PubSub(broadcast)
        return
    redis = RedisBroadcast(url)
    broadcast = Broadcast(backend=redis)
    try:
        await broadcast.connect()
    except PubSubUnavailable as error:
        raise StartupError(str(error)) from error
    try:
        yield PubSub(broadcast, redis)
    finally:
        await broadcast.disconnect()


async def _pump(subscriber: Subscriber, on_message: Callable[[str], None]) -> None:
    while True:
        event = await subscriber.get()
        try:
            on_message(event.message)
        except Exception:
            log.exception("a listener failed on a message of %s", event.channel)
