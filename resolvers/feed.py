"""Results of subscriptions sent as soon as a state comes, past all that waits for one."""

from collections.abc import Callable

from services import models

SEND_NOW = "rendercast.send_now"  # an extension of ASGI that `WebSocketProtocol` offers under this name

SendNow = Callable[[bytes], bool]  # sends a text if that needs no waiting, and returns whether it did
Tell = Callable[[models.Render], bytes | None]  # returns the JSON of what a subscription tells of a state at once


class Feed:
    """What one subscription is sent as soon as it is there, while its client reads as fast as that.

    All else goes the long way: the first result, errors, what a slow client gets, and any state that isn't RENDERING,
    since after the last one the stream is completed and a place in the queue is waited for.
    """

    def __init__(self, head: bytes, *, send_now: SendNow, longest: int) -> None:
        self._head = head
        self._send_now = send_now
        self._longest = longest
        self._tell: Tell | None = None

    def begin(self, tell: Tell) -> None:
        """Send from now on what this tells. Once is enough."""
        self._tell = tell

    def push(self, render: models.Render) -> bool:
        """Send what there is to tell of a state; return whether that was done."""
        if self._tell is None or render.status is not models.RenderStatus.RENDERING:
            return False
        data = self._tell(render)
        return data is not None and len(data) <= self._longest and self._send_now(message(self._head, data))


def message(head: bytes, data: bytes) -> bytes:
    """Return the message that begins like this and has this data."""
    return b'%b,"payload":{"data":%b}}' % (head, data)
