"""uvicorn's HTTP protocol with limits per connection, and with the response head and body sent in one write.

uvicorn stores all headers that it receives, and every pipelined request. It waits without limit for the rest of a
request, for the next request after an empty line, and for clients that don't read. It also sends the head and the body
of a response in two writes, which takes more CPU time than all the limits here.

Extends `HttpToolsProtocol` through `StreamingProtocol`, and uses its undocumented attributes. Written for uvicorn 0.54
with httptools 0.9; checked by tests/transport/test_uvicorn_http_private_names.py.
"""

import asyncio
from functools import partial
from typing import Any

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from transport.bounded_reads import BoundedReads
from transport.connection_limits import ConnectionLimiter
from transport.head_buffering import HeadBufferingTransport
from transport.rejections import HEAD_TOO_LARGE, MALFORMED, SHUTTING_DOWN, TOO_MANY_HEADERS, Rejection, RequestRejected
from transport.request_head import (
    MAX_HEADERS,
    Handshake,
    check_head,
    head_size,
    read_handshake,
    wants_websocket,
    without_upgrade,
)
from transport.trusted_proxies import ForwardedForCheck
from transport.uvicorn_streams import StreamingProtocol
from transport.uvicorn_websockets import WebSocketProtocol
from transport.websocket_handshake import ConnectionInfo

MAX_HEAD_BYTES = 64 * 1024
MAX_PIPELINED_REQUESTS = 16  # waiting for the response to the previous request
# What a client may go on sending after its request was rejected. Closing at once would reset the connection, and the
# client would lose the response.
MAX_LINGER_BYTES = 1024 * 1024
LINGER_TIMEOUT_S = 2.0
WRITE_TIMEOUT_FACTOR = 4  # request timeouts in which the client must read the next 64 KiB of a response, or its rest


class HttpProtocol(StreamingProtocol, BoundedReads):
    """HTTP with limits on connections, heads and pipelined requests, and timeouts for requests and unread responses.

    The request timeout is measured from a request's first byte to its last; for a connection's first request it starts
    with the connection.
    """

    max_read_bytes = 16 * 1024
    request_timeout_s: float
    connection_limiter: ConnectionLimiter
    forwarded_for_check: ForwardedForCheck

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._head_bytes = 0
        self._is_receiving = False  # a request whose first byte has arrived
        self._request_awaited_since: float | None = None  # loop time
        self._request_timer: asyncio.TimerHandle | None = None
        self._write_timer: asyncio.TimerHandle | None = None
        self._linger_timer: asyncio.TimerHandle | None = None  # after a rejection
        self._discarded_bytes = 0

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
        """Parse data, and enforce the limits on the head of a request. After a rejection, discard the data."""
        if self._linger_timer is not None:
            self._discard(len(data))
            return
        self._is_receiving |= self._is_idle  # also for an empty line, for which the parser calls no method
        self._head_bytes += len(data)
        self._unset_keepalive_if_required()
        try:
            self._parse(data)
        except HttpParserError as error:  # also one that wraps what a method raises that the parser calls
            rejected = error.__context__
            self._reject(rejected.rejection if isinstance(rejected, RequestRejected) else MALFORMED)
        except RequestRejected as rejected:
            self._reject(rejected.rejection)
        else:
            self._check_limits()

    def shutdown(self) -> None:
        """Close the connection after the response to the current request, or now if that has not arrived completely."""
        if self._is_receiving and not self._is_idle:
            self._reject(SHUTTING_DOWN)
        else:
            super().shutdown()

    def on_message_begin(self) -> None:
        """Record that a request has started. `data_received` starts its timeout unless the rest arrived with it."""
        self._is_receiving = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Start the request or append it to the pipeline, and reset the byte count: the body has its own limit.

        Raises `RequestRejected`. A request for an upgrade is left to `_parse`, which knows where its head ends.
        """
        if len(self.pipeline) == MAX_PIPELINED_REQUESTS:
            raise RequestRejected(MALFORMED)
        if self._head_bytes > MAX_HEAD_BYTES and head_size(self.url, self.headers) > MAX_HEAD_BYTES:
            raise RequestRejected(HEAD_TOO_LARGE)  # otherwise these are bytes of the body
        check_head(self.parser.get_method(), self.parser.get_http_version(), self.headers)
        self.forwarded_for_check.check(self._address, self.headers)
        self._head_bytes = 0
        if not self.parser.should_upgrade():
            super().on_headers_complete()
            self.headers = []  # trailer fields must not change the request's headers: RFC 9110, section 6.5.1

    def on_body(self, body: bytes) -> None:
        """Reset the byte count, which is for heads only."""
        self._head_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """End the request's timeout. If its response was sent before its end, the next request is already awaited."""
        if self.parser.should_upgrade():
            return
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

    def _parse(self, data: bytes) -> None:
        """Parse data. Ignores upgrades to other protocols than WebSocket: RFC 9110, section 7.8.

        The parser stops after the head of a request for an upgrade, and would read its body as another request. Raises
        `HttpParserError` and `RequestRejected`.
        """
        try:
            self.parser.feed_data(data)
        except HttpParserUpgrade as upgrade:
            (head_end,) = upgrade.args
        else:
            return
        method, version = self.parser.get_method(), self.parser.get_http_version()
        if wants_websocket(method, version, self.headers):
            if len(data) > head_end:  # RFC 6455, section 4.1: a client waits for the response
                raise RequestRejected(MALFORMED)
            self._open_websocket(read_handshake(self.url, self.headers))
        else:
            self.parser = HttpRequestParser(self)  # the former one may consider the connection closed
            self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn does
            self._parse(without_upgrade(method, self.url, version, self.headers) + data[head_end:])

    def _open_websocket(self, handshake: Handshake) -> None:
        """Hand the connection over to the WebSocket protocol and its timeouts. Raises `RequestRejected`.

        The transport would not notify that protocol of a pause in writing that has begun already.
        """
        if not self._is_idle or self.flow.write_paused:
            raise RequestRejected(MALFORMED)
        self._is_receiving = False
        self._cancel_timers()
        self.connections.discard(self)
        self.transport = self._output.transport
        release = partial(self.connection_limiter.release, self._address)
        protocol = WebSocketProtocol(self.config, self.server_state, on_connection_lost=release)
        scheme = "wss" if self.scheme == "https" else "ws"
        info = ConnectionInfo(client=self.client, server=self.server, scheme=scheme, state=self.app_state)
        protocol.start(self.transport, handshake, info)
        self.parser = None  # type: ignore[assignment]  # refers to this object, which is not needed any more

    def _check_limits(self) -> None:
        """Reject a request whose head is too large; otherwise start the timeout for its rest."""
        if self._head_bytes > MAX_HEAD_BYTES:
            self._reject(HEAD_TOO_LARGE)
        elif len(self.headers or ()) > MAX_HEADERS:
            self._reject(TOO_MANY_HEADERS)
        elif self._is_receiving:
            self._start_request_timer()

    def _reject(self, rejection: Rejection) -> None:
        """Send an error response and close. If responses to earlier requests are pending, send only those and close."""
        if self.pipeline or not (self._is_idle or self._is_receiving):
            self.flow.pause_reading()
            self.cycle.keep_alive = False
            return
        self.logger.warning("rejected a request: %s", rejection.message)
        if not self._is_idle:
            if self.cycle.response_started:
                self.transport.close()
                return
            self.cycle.disconnected = True  # for the application
            self.cycle.message_event.set()
        self._cancel_timers()
        self._linger_timer = self.loop.call_later(LINGER_TIMEOUT_S, self.transport.abort)
        self._output.flush(rejection.response())
        self.transport.write_eof()

    def _discard(self, size: int) -> None:
        """Count data that arrives after a rejection, and abort if it is too much."""
        self._discarded_bytes += size
        if self._discarded_bytes > MAX_LINGER_BYTES:
            self.transport.abort()

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
        """Disconnect a slow client, which has not read the response in time."""
        if self.transport.get_write_buffer_size():
            self.transport.abort()

    def _cancel_timers(self) -> None:
        for timer in (self._request_timer, self._write_timer, self._linger_timer):
            if timer is not None:
                timer.cancel()


def http_protocol(
    *, request_timeout_s: float, connection_limiter: ConnectionLimiter, forwarded_for_check: ForwardedForCheck
) -> type[HttpProtocol]:
    """Return a protocol class with this timeout. All its connections share the limiter and the check."""
    attributes = {
        "request_timeout_s": request_timeout_s,
        "connection_limiter": connection_limiter,
        "forwarded_for_check": forwarded_for_check,
    }
    return type("ConfiguredHttpProtocol", (HttpProtocol,), attributes)
