"""How connections are read: little at a time, so that nobody waits long for their turn.

uvicorn's own protocols read as much as the kernel has, and work through it before anybody else has their turn.
"""

import asyncio
from collections.abc import Callable
from typing import Any


class BoundedReads(asyncio.BufferedProtocol):
    """A protocol that takes in at most `largest_read_bytes` at a time."""

    largest_read_bytes: int
    data_received: Callable[[Any], None]  # the protocol's own
    _room = bytearray()

    def get_buffer(self, sizehint: int) -> bytearray:  # noqa: ARG002
        """Return room for what is to be read next."""
        self._room = bytearray(self.largest_read_bytes)
        return self._room

    def buffer_updated(self, nbytes: int) -> None:
        """Take in what was read."""
        room, self._room = self._room, bytearray()
        del room[nbytes:]
        self.data_received(room)
