"""Results of subscriptions sent as soon as a state comes, past all that waits for one."""

from collections.abc import Callable

from services import models

SEND_NOW = "rendercast.send_now"  # an extension of ASGI that `WebSocketProtocol` offers under this name

RENDERING = models.RenderStatus.RENDERING

SendNow = Callable[[bytes], bool]  # sends a text if that needs no waiting, and returns whether it did
Tell = Callable[[models.Render], bytes | None]  # returns the JSON of what a subscription tells of a state at once


class FastPath:
    """What one subscription is sent as soon as it is there, while its client reads as fast as that.

    All else goes the long way: the first result, errors, what a slow client gets, and any state that isn't RENDERING,
    since after the last one the stream is completed and a place in the queue is waited for.
    """

    __slots__ = ("_longest", "_send_now", "_tell", "head")  # near each other, since each change finds them cold

    def __init__(self, head: bytes, *, send_now: SendNow, longest: int) -> None:
        self.head = head
        self._send_now = send_now
        self._longest = longest
        self._tell: Tell | None = None

    def begin(self, tell: Tell) -> None:
        """Send from now on what this tells. Once is enough."""
        self._tell = tell

    def end(self) -> None:
        """Send nothing any more."""
        self._send_now = send_nothing

    def push(self, render: models.Render) -> bool:
        """Send what there is to tell of a state; return whether that was done."""
        tell = self._tell
        if tell is None or render.status is not RENDERING:
            return False
        data = tell(render)
        return data is not None and len(data) <= self._longest and self._send_now(message(self.head, data))


def send_nothing(text: bytes) -> bool:
    """Send nothing now."""
    del text
    return False


def message(head: bytes, data: bytes) -> bytes:
    """Return the message that begins like this and has this data."""
    return b'%b,"payload":{"data":%b}}' % (head, data)
