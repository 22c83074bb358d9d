"""uvicorn's HTTP protocol with responses that stay open for long.

uvicorn can send a part of a response only by awaiting, and stops only after all responses have ended. It detects a
client whose network is lost only when the operating system does, after some 15 minutes. It also sends a response of
unknown length in chunks to HTTP/1.0 clients, which RFC 9112, section 6.1, forbids.

Written for uvicorn 0.54: overrides undocumented methods of `HttpToolsProtocol`, and uses attributes of
`RequestResponseCycle`. `tests/transport/test_uvicorn_http_private_names.py` checks them.
"""

import socket
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from resolvers.execution.fast_path import TextWriter
from transport.closing_delay import closing_delay_s
from transport.open_stream import ShutdownListener, extensions_of

# In which the client's system must acknowledge what was sent. A WebSocket has about as long, for a ping and a pong.
UNACKNOWLEDGED_TIMEOUT_S = 30
# Only Linux has the option.
TIMEOUT_OPTION: int | None = getattr(socket, "TCP_USER_TIMEOUT", None)


class UnknownLength(int):
    """The expected length of a body that ends with its connection: uvicorn accepts a body of any length for it."""

    __slots__ = ()

    def __lt__(self, _: object) -> bool:
        return False

    def __sub__(self, _: object) -> "UnknownLength":
        return self


class ChunkWriter:
    """Writes chunks of one response's body without awaiting."""

    # As `FastPath`: few objects, and no `__dict__`.
    __slots__ = ("_cycle", "_flow", "_transport")

    def __init__(self, cycle: RequestResponseCycle) -> None:
        self._cycle = cycle
        self._flow = cycle.flow
        self._transport = cycle.transport

    def write(self, chunk: bytes) -> bool:
        """Write a chunk and return True, or return False if it would have to wait: this is the `TextWriter`."""
        cycle = self._cycle
        if not cycle.response_started or cycle.response_complete or cycle.disconnected:
            return False
        if self._flow.write_paused or self._transport.is_closing():
            return False
        self._transport.write(b"%x\r\n%b\r\n" % (len(chunk), chunk) if cycle.chunked_encoding else chunk)
        return True


class StreamingProtocol(HttpToolsProtocol):
    """Offers `open_stream` to the application. At most one response of a connection is sent at a time."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._extensions = extensions_of(self)
        self._responding: RequestResponseCycle | None = None  # differs from `cycle` if another request is pipelined
        self._on_shutdown: ShutdownListener | None = None  # of the open stream
        self._is_shutting_down = False

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the stream, whose application receives the disconnection."""
        self._on_shutdown = None
        super().connection_lost(exc)

    def shutdown(self) -> None:
        """Notify the stream of a shutdown after `closing_delay_s`; abort it if its client doesn't read."""
        self._is_shutting_down = True
        super().shutdown()
        if self._on_shutdown is None:
            return
        if self.flow.write_paused:
            self.transport.abort()
        else:
            self.loop.call_later(closing_delay_s(len(self.connections)), self._notify_stream)

    def on_response_complete(self) -> None:
        """Close the stream."""
        if self._on_shutdown is not None:
            self._on_shutdown = None
            self._set_timeout(0)
        super().on_response_complete()

    def open_stream(self, on_shutdown: ShutdownListener) -> TextWriter:
        """Prepare the connection for a response of unknown length, and return the writer of its body's chunks."""
        if self._responding is None:
            raise RuntimeError("there is no request")
        self._on_shutdown = on_shutdown
        if self._is_shutting_down:
            self.loop.call_soon(on_shutdown)
        self._set_timeout(UNACKNOWLEDGED_TIMEOUT_S)
        if self._responding.scope["http_version"] == "1.0":
            self._responding.chunked_encoding = False
            self._responding.expected_content_length = UnknownLength()
        return ChunkWriter(self._responding).write

    def _notify_stream(self) -> None:
        if self._on_shutdown is not None:
            self._on_shutdown()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._responding = cycle
        cycle.scope["extensions"] = self._extensions
        super()._start_asgi_task(cycle, app)

    def _set_timeout(self, seconds: int) -> None:
        """Limit how long sent data may stay unacknowledged, or unsent since the client doesn't read; 0: no limit."""
        connection = self.transport.get_extra_info("socket")
        if TIMEOUT_OPTION is not None and connection is not None and not self.transport.is_closing():
            connection.setsockopt(socket.IPPROTO_TCP, TIMEOUT_OPTION, seconds * 1000)
