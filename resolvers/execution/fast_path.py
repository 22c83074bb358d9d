"""The fast path of subscriptions: sends a result when a state arrives, without a task.

The call stack for a state: `Subscriber.offer` → `FastPath.push` → `ResultEncoder.encode` → `TextWriter`.
"""

from dataclasses import dataclass
from typing import Protocol

from schema.render import RenderLoader
from services import models

DATA_START, DATA_END = b'{"data":', b"}"  # around the data of a result without errors


class ResultEncoder(Protocol):
    """Encodes the result of one subscription operation: a `Projection`, or a `BoundedExecutor` without projections."""

    def encode(self, loader: RenderLoader, state: models.Render, /) -> bytes | None:
        """Return the JSON of the result's `data`; None if the operation's task must execute it.

        Must not block, and must not raise errors of the execution: the operation's task reports those.
        """
        ...


class TextWriter(Protocol):
    """Writes texts to a client: messages of a WebSocket, or chunks of a response; `reject_text` if it can't."""

    def __call__(self, text: bytes, /) -> bool:
        """Write a UTF-8 text and return True, or return False if it would have to wait. Does not block or raise."""
        ...


@dataclass(frozen=True, slots=True)
class Framing:
    """The bytes before and after each result of an operation, which depend on the transport."""

    start: bytes
    end: bytes

    def frame(self, result: bytes) -> bytes:
        """Return the message with a result, which is JSON."""
        return self.start + result + self.end


class FastPath:
    """Sends the states of one subscription to its client while the client reads fast enough. A `StatePusher`.

    A task of the operation sends everything else: errors, results for slow clients, positions in the queue, which must
    be awaited, and terminal states, after which the stream completes.
    """

    # No `__dict__`: the CPU's caches are cold at each change, so the number of objects it touches determines its cost.
    # The writer is a bound method, because looking it up would touch the dictionary of uvicorn's protocol.
    __slots__ = ("_encoder", "_end", "_loader", "_max_bytes", "_start", "_write")

    def __init__(self, framing: Framing, *, write: TextWriter, max_bytes: int) -> None:
        self._start = framing.start + DATA_START
        self._end = DATA_END + framing.end
        self._write = write
        self._max_bytes = max_bytes
        self._encoder: ResultEncoder | None = None
        self._loader: RenderLoader

    def open(self, encoder: ResultEncoder, loader: RenderLoader) -> None:
        """Start to push states. Further calls with the same arguments have no effect."""
        self._loader = loader
        self._encoder = encoder

    def close(self) -> None:
        """Stop pushing, even if `open` is called later."""
        self._write = reject_text

    def push(self, render: models.Render) -> bool:
        """Send the result for a state and return True; return False if the operation's task must send it."""
        encoder = self._encoder
        if encoder is None:
            return False
        data = encoder.encode(self._loader, render)
        return data is not None and len(data) <= self._max_bytes and self._write(self._start + data + self._end)


def reject_text(text: bytes) -> bool:
    """Write nothing: the `TextWriter` of a connection that can't write immediately."""
    del text
    return False
