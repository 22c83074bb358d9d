"""Messages between processes, on broadcaster. Nobody else imports it.

Broadcaster loses subscribers that arrive together on a new channel, so joining and leaving happen one at a time.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from broadcaster import Broadcast
from broadcaster._base import Subscriber

log = logging.getLogger(__name__)


class PubSub:
    """Publish text on channels and listen to them. Delivery is at most once; order is kept within a channel."""

    def __init__(self, broadcast: Broadcast) -> None:
        self._broadcast = broadcast
        self._membership = asyncio.Lock()

    async def publish(self, channel: str, message: str) -> None:
        """Send `message` to all who listen to `channel` now."""
        await self._broadcast.publish(channel, message)

    @asynccontextmanager
    async def listen(self, channel: str, on_message: Callable[[str], None]) -> AsyncIterator[None]:
        """Call `on_message` with each message published on `channel` while the context is open.

        Listening has begun when the context is entered. `on_message` must be quick and not raise; what it raises
        is logged.
        """
        subscription = self._broadcast.subscribe(channel)
        async with self._membership:
            subscriber = await subscription.__aenter__()
        pump = asyncio.create_task(_pump(subscriber, on_message), name=f"listen {channel}")
        try:
            yield
        finally:
            pump.cancel()
            async with self._membership:
                await subscription.__aexit__(None, None, None)


@asynccontextmanager
async def open_pubsub(url: str) -> AsyncIterator[PubSub]:
    """Connect to the broker at `url`, such as `memory://` for a single process."""
    async with Broadcast(url) as broadcast:
        yield PubSub(broadcast)


async def _pump(subscriber: Subscriber, on_message: Callable[[str], None]) -> None:
    while True:
        event = await subscriber.get()
        try:
            on_message(event.message)
        except Exception:
            log.exception("a listener failed on a message of %s", event.channel)
