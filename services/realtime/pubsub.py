"""Messages between processes, on broadcaster."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager

from broadcaster import Broadcast

from services.errors import PubSubUnavailable, StartupError
from services.realtime.redis_backend import RedisBroadcast

log = logging.getLogger(__name__)

OnMessages = Callable[[list[str]], None]


class Channels(Broadcast):
    """broadcaster's channels, whose subscribers are called at once.

    Its own have a queue and a task each, which takes longer than what is done with a message, and it loses those that
    arrive together on a new channel.
    """

    def __init__(self, url: str, backend: RedisBroadcast | None = None) -> None:
        super().__init__(url, backend=backend)
        self._listeners: defaultdict[str, list[OnMessages]] = defaultdict(list)
        if backend:
            backend.on_messages = self.tell

    async def join(self, channel: str, on_messages: OnMessages) -> None:
        """Call it with the messages on the channel from now on."""
        if channel not in self._listeners:
            await self._backend.subscribe(channel)
        self._listeners[channel].append(on_messages)

    async def leave(self, channel: str, on_messages: OnMessages) -> None:
        """Call it no more."""
        listeners = self._listeners[channel]
        listeners.remove(on_messages)
        if not listeners:
            del self._listeners[channel]
            await self._backend.unsubscribe(channel)

    def tell(self, messages: Iterable[tuple[str, str]]) -> None:
        """Call all who listen to the channels of messages that came together; each is given as `(channel, message)`."""
        together: dict[str, list[str]] = {}
        for channel, message in messages:
            together.setdefault(channel, []).append(message)
        for channel, of_channel in together.items():
            for on_messages in tuple(self._listeners.get(channel, ())):
                try:
                    on_messages(of_channel)
                except Exception:
                    log.exception("a listener failed on messages of %s", channel)

    async def _listener(self) -> None:
        while True:
            event = await self._backend.next_published()
            self.tell([(event.channel, event.message)])


class PubSub:
    """Publish text on channels and listen to them. Delivery is at most once; order is kept within a channel.

    `resumed` is set each time the broker is back and listens again for everybody: messages may have been missed.
    Whoever acts on it clears it first, so there can be only one; that is the hub.
    """

    def __init__(self, channels: Channels, redis: RedisBroadcast | None = None) -> None:
        self._channels = channels
        self._redis = redis
        self.resumed = redis.resumed if redis else asyncio.Event()

    async def publish(self, channel: str, message: str) -> None:
        """Send `message` to all who listen to `channel` now. Raises `PubSubUnavailable` within a few seconds."""
        await self._channels.publish(channel, message)

    async def check(self) -> None:
        """Return if messages can be published and heard. Raises `PubSubUnavailable` within a few seconds if not."""
        if self._redis:
            await self._redis.check()

    @asynccontextmanager
    async def listen(self, channel: str, on_messages: OnMessages) -> AsyncIterator[None]:
        """Call `on_messages` with what is published on `channel` while the context is open, together if it came so.

        Listening has begun when the context is entered. If the broker is away it begins when that is back, and
        `resumed` is set then. `on_messages` must be quick and not raise; what it raises is logged.
        """
        await self._channels.join(channel, on_messages)
        try:
            if self._redis:
                await self._redis.begin(channel)
            yield
        finally:
            await self._channels.leave(channel, on_messages)


@asynccontextmanager
async def open_pubsub(url: str) -> AsyncIterator[PubSub]:
    """Connect to the broker at `url`: `memory://` for a single process, or Redis as `redis_broker.read_url` describes.

    Redis may be any that has one address: a single one, a service that fails over behind its name, or one node of
    a cluster, which passes messages on to the others. Asking Sentinels for an address is not supported. Raises
    `StartupError` if Redis can't be reached now; later it may come and go.
    """
    redis = None if url == "memory://" else RedisBroadcast(url)
    channels = Channels(url, redis)
    try:
        await channels.connect()
    except PubSubUnavailable as error:
        raise StartupError(str(error)) from error
    try:
        yield PubSub(channels, redis)
    finally:
        await channels.disconnect()
