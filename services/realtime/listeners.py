"""The listeners of pub/sub channels in this process."""

import logging
from collections import defaultdict
from collections.abc import Iterable
from typing import Protocol

log = logging.getLogger(__name__)


class MessageListener(Protocol):
    """Receives the messages of one channel."""

    def __call__(self, messages: list[str], /) -> None:
        """Handle messages that arrived together, oldest first.

        It runs on the event loop between the Redis socket and the client's socket, so it must be quick and must not
        block. It must not raise either: an exception is logged, and other listeners still get the messages.
        """
        ...


class ListenerRegistry:
    """Calls the listeners of each channel directly.

    Each of broadcaster's own subscribers has a queue and a task. That takes longer than handling the message, and loses
    messages that arrive together on a new channel.
    """

    def __init__(self) -> None:
        self._listeners: defaultdict[str, list[MessageListener]] = defaultdict(list)

    def __contains__(self, channel: str) -> bool:
        return channel in self._listeners

    def add(self, channel: str, listener: MessageListener) -> None:
        """Call `listener` with every later message on `channel`."""
        self._listeners[channel].append(listener)

    def remove(self, channel: str, listener: MessageListener) -> None:
        """Stop calling `listener`."""
        listeners = self._listeners[channel]
        listeners.remove(listener)
        if not listeners:
            del self._listeners[channel]

    def dispatch(self, messages: Iterable[tuple[str, str]]) -> None:
        """Pass messages that arrived together, each as `(channel, message)`, to the listeners of their channels."""
        by_channel: dict[str, list[str]] = {}
        for channel, message in messages:
            by_channel.setdefault(channel, []).append(message)
        for channel, of_channel in by_channel.items():
            for listener in tuple(self._listeners.get(channel, ())):
                try:
                    listener(of_channel)
                except Exception:
                    log.exception("a listener failed on messages of %s", channel)
