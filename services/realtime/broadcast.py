"""broadcaster's `Broadcast` with listeners that are called directly.

Written for broadcaster 0.3.1. It overrides the private method `Broadcast._listener` and uses the private attribute
`Broadcast._backend`, which no other module here uses; `tests/services/realtime/test_private_names.py` checks both.
"""

from typing import TYPE_CHECKING

from broadcaster import Broadcast

from services.realtime.listeners import ListenerRegistry, MessageListener

if TYPE_CHECKING:
    from services.realtime.redis_broker import RedisBroker


class ListenerBroadcast(Broadcast):
    """Publishes through a broadcaster backend, and passes received messages to listeners."""

    def __init__(self, url: str, redis: "RedisBroker | None" = None) -> None:
        super().__init__(url, backend=redis)
        self.listeners = redis.listeners if redis else ListenerRegistry()

    async def add_listener(self, channel: str, listener: MessageListener) -> None:
        """Call `listener` with every later message on `channel`. The channel's first listener subscribes to it."""
        if channel not in self.listeners:
            await self._backend.subscribe(channel)
        self.listeners.add(channel, listener)

    async def remove_listener(self, channel: str, listener: MessageListener) -> None:
        """Stop calling `listener`. The channel's last listener unsubscribes from it."""
        self.listeners.remove(channel, listener)
        if channel not in self.listeners:
            await self._backend.unsubscribe(channel)

    async def _listener(self) -> None:
        """Dispatch the messages of the memory backend; `RedisBroker` calls its listeners itself."""
        while True:
            event = await self._backend.next_published()
            self.listeners.dispatch([(event.channel, event.message)])
