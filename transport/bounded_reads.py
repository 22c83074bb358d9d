"""Bounded socket reads, so that no connection delays the others for long.

uvicorn's own protocols read all that the kernel has buffered, and handle it before other connections are served.
"""

import asyncio
from collections.abc import Callable
from typing import Any

EMPTY = bytearray()


class BoundedReads(asyncio.BufferedProtocol):
    """A mixin for protocols: reads at most `max_read_bytes` at a time and passes them to `data_received`."""

    max_read_bytes: int
    data_received: Callable[[Any], None]  # of the protocol class
    _buffer = EMPTY

    def get_buffer(self, sizehint: int) -> bytearray:  # noqa: ARG002
        """Return the buffer for the next read."""
        self._buffer = bytearray(self.max_read_bytes)
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Pass the bytes that were read to `data_received`."""
        buffer, self._buffer = self._buffer, EMPTY
        self.data_received(bytes(memoryview(buffer)[:nbytes]))
