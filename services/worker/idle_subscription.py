"""The subscription by which an idle worker is woken when a render is queued."""

import asyncio
import random
from contextlib import AsyncExitStack

from services.realtime.change_publisher import IDLE_CHANNELS
from services.realtime.pubsub import PubSub


class IdleSubscription:
    """Sets `wake` when a render is queued, while it is entered: a worker without capacity is not woken."""

    def __init__(self, pubsub: PubSub, wake: asyncio.Event) -> None:
        self._pubsub = pubsub
        self._wake = wake
        self._channel = random.choice(IDLE_CHANNELS)  # noqa: S311
        self._entered: AsyncExitStack | None = None

    async def enter(self) -> bool:
        """Subscribe and return True; return False if it is subscribed already."""
        if self._entered is not None:
            return False
        entered = AsyncExitStack()
        await entered.enter_async_context(self._pubsub.subscribe(self._channel, self._handle))
        self._entered = entered
        return True

    async def leave(self) -> bool:
        """Unsubscribe and return True; return False if it is not subscribed."""
        entered, self._entered = self._entered, None
        if entered is None:
            return False
        await entered.aclose()
        return True

    def _handle(self, messages: list[str]) -> None:
        del messages
        self._wake.set()
