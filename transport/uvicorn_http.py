"""uvicorn's HTTP protocol with limits per connection, and with the response head and body sent in one write.

uvicorn stores all headers that it receives, and every pipelined request. It waits without limit for the rest of a
request, for the next request after an empty line, and for clients that don't read. It also sends the head and the body
of a response in two writes, which takes more CPU time than all the limits here.

Extends `HttpToolsProtocol` and uses its undocumented attributes. Written for uvicorn 0.54 with httptools 0.9; checked
by tests/transport/test_uvicorn_http_private_names.py.
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from resolvers.json_text import write_json
from transport.bounded_reads import BoundedReads
from transport.connection_limits import ConnectionLimiter
from transport.middleware import SECURITY_HEADERS
from transport.uvicorn_websockets import WebSocketProtocol

MAX_HEAD_BYTES = 64 * 1024
MAX_HEADERS = 100
MAX_PIPELINED_REQUESTS = 16  # waiting for the response to the previous request
WRITE_TIMEOUT_FACTOR = 4  # request timeouts in which the client must read the next 64 KiB of a response, or its rest
STATUS_LINE_START = b"HTTP/1.1 "
CONTINUE_START = b"HTTP/1.1 100 "


class RejectedRequestError(Exception):
    """A request that exceeds a limit or violates RFC 9112. The response is the one for a malformed request."""


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


class HttpProtocol(HttpToolsProtocol, BoundedReads):
    """HTTP with limits on connections, heads and pipelined requests, and timeouts for requests and unread responses.

    The request timeout is measured from a request's first byte to its last; for a connection's first request it starts
    with the connection.
    """

    max_read_bytes = 16 * 1024
    request_timeout_s: float
    connection_limiter: ConnectionLimiter

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._head_bytes = 0
        self._is_receiving = False  # a request whose first byte has arrived
        self._request_awaited_since: float | None = None  # loop time
        self._request_timer: asyncio.TimerHandle | None = None
        self._write_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # uvicorn's signature
        """Start the timeout of the first request, or abort if there are too many connections."""
        super().connection_made(transport)
        self.transport = self._output = HeadBufferingTransport(transport)  # type: ignore[assignment]  # a proxy
        self._address = self.client[0] if self.client else ""
        self._is_admitted = self.connection_limiter.acquire(self._address)
        if self._is_admitted:
            self._start_request_timer()
        else:
            self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Cancel the timers and release the connection in the limiter."""
        self._cancel_timers()
        self._release_connection()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse data, and enforce the limits on the head of a request."""
        self._is_receiving |= self._is_idle  # also for an empty line, for which the parser calls no method
        self._head_bytes += len(data)
        super().data_received(data)
        if self._head_bytes > MAX_HEAD_BYTES:
            self.transport.abort()
        elif len(self.headers or ()) > MAX_HEADERS:
            self.send_400_response("Too many headers.")
        elif self._is_receiving:
            self._start_request_timer()

    def handle_websocket_upgrade(self) -> None:
        """Hand the connection over to the WebSocket protocol and its timeouts; abort if a response is still pending."""
        self._is_receiving = False
        self._cancel_timers()
        self.transport = self._output.transport
        if not self._is_idle:
            self.transport.abort()
            return
        super().handle_websocket_upgrade()
        protocol = self.transport.get_protocol()
        if isinstance(protocol, WebSocketProtocol):
            protocol.on_connection_lost = self._release_connection

    def send_400_response(self, msg: str) -> None:
        """Send the error and close. If responses to earlier requests are pending, send only those and close."""
        if self.pipeline or not (self._is_idle or self._is_receiving):
            self.flow.pause_reading()
            self.cycle.keep_alive = False
            return
        if self._is_idle or not self.cycle.response_started:
            self._output.write(_bad_request(msg))
        self.transport.close()

    def on_message_begin(self) -> None:
        """Record that a request has started. `data_received` starts its timeout unless the rest arrived with it."""
        self._is_receiving = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Start the request or append it to the pipeline, and reset the byte count: the body has its own limit.

        Raises `RejectedRequestError`.
        """
        if len(self.pipeline) == MAX_PIPELINED_REQUESTS or len(self.headers) > MAX_HEADERS:
            raise RejectedRequestError
        hosts = [name for name, _ in self.headers].count(b"host")
        if hosts != 1 and (hosts or self.parser.get_http_version() == "1.1"):  # RFC 9112, section 3.2
            raise RejectedRequestError
        self._head_bytes = 0
        super().on_headers_complete()
        if not self.parser.should_upgrade():
            self.headers = []  # trailer fields must not change the request's headers: RFC 9110, section 6.5.1
        elif not self._should_upgrade():
            self.cycle.keep_alive = False  # the parser would read the body as another request

    def on_body(self, body: bytes) -> None:
        """Reset the byte count, which is for heads only."""
        self._head_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """End the request's timeout. If its response was sent before its end, the next request is already awaited."""
        self._is_receiving = self._is_idle
        self._request_awaited_since = None
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Send the head of a response without body, and start the timeout for reading the response."""
        self._output.flush()
        super().on_response_complete()
        self._restart_write_timer()

    def pause_writing(self) -> None:
        """Start the timeout for reading the response."""
        super().pause_writing()
        self._restart_write_timer()

    def resume_writing(self) -> None:
        """Restart the timeout for the rest of the response."""
        super().resume_writing()
        self._restart_write_timer()

    @property
    def _is_idle(self) -> bool:
        """Whether every request so far has its complete response."""
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is None or cycle.response_complete

    def _release_connection(self) -> None:
        if self._is_admitted:
            self._is_admitted = False
            self.connection_limiter.release(self._address)

    def _start_request_timer(self) -> None:
        """Start the timeout for the rest of a request.

        The timer is not cancelled when the request ends; it checks the time when it fires. That costs less, since few
        requests take so long.
        """
        if self._request_awaited_since is None:
            self._request_awaited_since = self.loop.time()
        if self._request_timer is None:
            self._request_timer = self.loop.call_later(self.request_timeout_s, self._check_request_timeout)

    def _check_request_timeout(self) -> None:
        self._request_timer = None
        if self._request_awaited_since is None:
            return
        due_at = self._request_awaited_since + self.request_timeout_s
        if due_at > self.loop.time():
            self._request_timer = self.loop.call_at(due_at, self._check_request_timeout)
        else:
            self.transport.abort()

    def _restart_write_timer(self) -> None:
        if self._write_timer is not None:
            self._write_timer.cancel()
            self._write_timer = None
        if self._output.transport.get_write_buffer_size():
            timeout_s = WRITE_TIMEOUT_FACTOR * self.request_timeout_s
            self._write_timer = self.loop.call_later(timeout_s, self._check_write_timeout)

    def _check_write_timeout(self) -> None:
        if self.transport.get_write_buffer_size():
            self.transport.abort()

    def _cancel_timers(self) -> None:
        for timer in (self._request_timer, self._write_timer):
            if timer is not None:
                timer.cancel()


def http_protocol(*, request_timeout_s: float, connection_limiter: ConnectionLimiter) -> type[HttpProtocol]:
    """Return a protocol class with this timeout. All its connections share the limiter."""
    attributes = {"request_timeout_s": request_timeout_s, "connection_limiter": connection_limiter}
    return type("ConfiguredHttpProtocol", (HttpProtocol,), attributes)


def _bad_request(message: str) -> bytes:
    """Return the complete response to a malformed request."""
    body = write_json({"errors": [{"message": message, "extensions": {"code": "BAD_USER_INPUT"}}]})
    headers = (
        *SECURITY_HEADERS,
        (b"content-type", b"application/json; charset=utf-8"),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),
    )
    return b"HTTP/1.1 400 Bad Request\r\n" + b"".join(b"%b: %b\r\n" % header for header in headers) + b"\r\n" + body
