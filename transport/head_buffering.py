"""A transport that sends the head and the body of a response in one write: uvicorn's two take more CPU time."""

import asyncio
from typing import Any

STATUS_LINE_START = b"HTTP/1.1 "
CONTINUE_START = b"HTTP/1.1 100 "


class HeadBufferingTransport:
    """A transport that buffers the head of a response until the next write. Delegates everything else."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self.transport = transport
        self.is_closing = transport.is_closing  # called for each response; an attribute is faster than __getattr__
        self._head = b""

    def __getattr__(self, name: str) -> Any:
        return getattr(self.transport, name)

    def write(self, data: bytes) -> None:
        """Buffer the data if it is a head; otherwise send the buffered head and the data."""
        if not self._head and data.startswith(STATUS_LINE_START) and not data.startswith(CONTINUE_START):
            self._head = data
        else:
            self.flush(data)

    def flush(self, data: bytes = b"") -> None:
        """Send the buffered head and the data."""
        if output := self._head + data:
            self._head = b""
            self.transport.write(output)

    def close(self) -> None:
        """Send the buffered head and close."""
        self.flush()
        self.transport.close()
