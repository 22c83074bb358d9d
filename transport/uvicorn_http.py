"""uvicorn's protocol of HTTP, made to do and keep little for any one client, and to answer in one piece.

uvicorn keeps whatever it is sent as headers, and every request that is sent before the last one is answered. It waits
without limit for the rest of a request, for ever after an empty line, and for clients that don't read. And it sends the
head and the body of an answer one after the other, which takes longer than all the limits here.
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from services.json_text import write_json
from transport.bounded_reads import BoundedReads
from transport.connection_limits import ConnectionLimiter
from transport.middleware import SAFE_HEADERS
from transport.uvicorn_websockets import WebSocketProtocol

MAX_HEAD_BYTES = 64 * 1024
MAX_HEADERS = 100
MAX_PENDING = 16  # requests that are sent before the one before them is answered
READING_TIMES = 4  # how many times longer than a request the next 64 KiB of an answer, or its rest, may take
HEAD = b"HTTP/1.1 "
CONTINUE = b"HTTP/1.1 100 "


class TooMuch(Exception):  # noqa: N818  # named for what happened
    """A request is more than is admitted, or less; it is answered as any that is malformed."""


class InOnePiece:
    """A transport that keeps the head of an answer until there is more to send. All else is the transport's."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self.transport = transport
        self.is_closing = transport.is_closing  # asked at each answer, and found sooner here
        self._head = b""

    def __getattr__(self, name: str) -> Any:
        return getattr(self.transport, name)

    def write(self, data: bytes) -> None:
        """Send this, after a head that was kept; or keep it, if it is one."""
        if not self._head and data.startswith(HEAD) and not data.startswith(CONTINUE):
            self._head = data
        else:
            self.send(data)

    def send(self, data: bytes = b"") -> None:
        """Send all there is."""
        if piece := self._head + data:
            self._head = b""
            self.transport.write(piece)

    def close(self) -> None:
        """Send what was kept, and close."""
        self.send()
        self.transport.close()


class HttpProtocol(HttpToolsProtocol, BoundedReads):
    """HTTP whose requests have to arrive within a time and whose headers within a size, and whose answers be read.

    The time runs from a request's first byte to its last; for the first request, from the connection on.
    """

    largest_read_bytes = 16 * 1024
    request_timeout_s: float
    crowd: ConnectionLimiter

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._head_bytes = 0
        self._is_amid_request = False
        self._expected_since: float | None = None  # by the loop's clock
        self._late: asyncio.TimerHandle | None = None
        self._unread: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self.transport = self._answers = InOnePiece(transport)  # type: ignore[assignment]  # it has all that is used
        self._address = self.client[0] if self.client else ""
        self._is_admitted = self.crowd.admit(self._address)
        if self._is_admitted:
            self._expect()
        else:
            self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer."""
        self._stop_clocks()
        self._leave()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take in what came, unless it makes the head of a request too large."""
        self._is_amid_request |= self._is_idle  # even if it is an empty line, of which the parser says nothing
        self._head_bytes += len(data)
        super().data_received(data)
        if self._head_bytes > MAX_HEAD_BYTES:
            self.transport.abort()
        elif len(self.headers or ()) > MAX_HEADERS:
            self.send_400_response("Too many headers.")
        elif self._is_amid_request:
            self._expect()

    def handle_websocket_upgrade(self) -> None:
        """Hand over to the WebSocket, which has times of its own, unless an answer is still owed here."""
        self._is_amid_request = False
        self._stop_clocks()
        self.transport = self._answers.transport
        if not self._is_idle:
            self.transport.abort()
            return
        super().handle_websocket_upgrade()
        protocol = self.transport.get_protocol()
        if isinstance(protocol, WebSocketProtocol):
            protocol.on_end = self._leave

    def send_400_response(self, msg: str) -> None:
        """Tell what is wrong and close; but first of all give the answers that are owed, if there are any."""
        if self.pipeline or not (self._is_idle or self._is_amid_request):
            self.flow.pause_reading()
            self.cycle.keep_alive = False
            return
        if self._is_idle or not self.cycle.response_started:
            self._answers.write(_malformed(msg))
        self.transport.close()

    def on_message_begin(self) -> None:
        """Begin to wait for the rest, unless it came along."""
        self._is_amid_request = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Answer the request, or let it wait. From now on count anew: the body has a limit of its own.

        Raises `TooMuch`.
        """
        if len(self.pipeline) == MAX_PENDING or len(self.headers) > MAX_HEADERS:
            raise TooMuch
        hosts = [name for name, _ in self.headers].count(b"host")
        if hosts != 1 and (hosts or self.parser.get_http_version() == "1.1"):  # RFC 9112, section 3.2
            raise TooMuch
        self._head_bytes = 0
        super().on_headers_complete()
        if not self.parser.should_upgrade():
            self.headers = []  # what comes behind the body is for nobody: RFC 9110, section 6.5.1
        elif not self._should_upgrade():
            self.cycle.keep_alive = False  # the parser takes what follows, a body even, for another request

    def on_body(self, body: bytes) -> None:
        """Count no bytes of a body."""
        self._head_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Wait no longer; but for the next one, if this one was answered before all of it was there."""
        self._is_amid_request = self._is_idle
        self._expected_since = None
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Send the head of an answer that has no body, and begin to wait until all is read."""
        self._answers.send()
        super().on_response_complete()
        self._expect_reader()

    def pause_writing(self) -> None:
        """Begin to wait until the client reads on."""
        super().pause_writing()
        self._expect_reader()

    def resume_writing(self) -> None:
        """Begin to wait until the client has read the rest."""
        super().resume_writing()
        self._expect_reader()

    @property
    def _is_idle(self) -> bool:
        """Whether nothing has been asked that is still to be answered."""
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is None or cycle.response_complete

    def _leave(self) -> None:
        if self._is_admitted:
            self._is_admitted = False
            self.crowd.leave(self._address)

    def _expect(self) -> None:
        """Begin to wait for the rest of a request. The clock stays until it is due: few requests come that late."""
        if self._expected_since is None:
            self._expected_since = self.loop.time()
        if self._late is None:
            self._late = self.loop.call_later(self.request_timeout_s, self._end_late)

    def _end_late(self) -> None:
        self._late = None
        if self._expected_since is None:
            return
        due_at = self._expected_since + self.request_timeout_s
        if due_at > self.loop.time():
            self._late = self.loop.call_at(due_at, self._end_late)
        else:
            self.transport.abort()

    def _expect_reader(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None
        if self._answers.transport.get_write_buffer_size():
            self._unread = self.loop.call_later(READING_TIMES * self.request_timeout_s, self._end_unread)

    def _end_unread(self) -> None:
        if self.transport.get_write_buffer_size():
            self.transport.abort()

    def _stop_clocks(self) -> None:
        for clock in (self._late, self._unread):
            if clock is not None:
                clock.cancel()


def http_within(request_timeout_s: float, crowd: ConnectionLimiter) -> type[HttpProtocol]:
    """Return the protocol for this time, and for connections that count as one crowd."""
    return type("HttpWithin", (HttpProtocol,), {"request_timeout_s": request_timeout_s, "crowd": crowd})


def _malformed(message: str) -> bytes:
    """Return the whole answer to what is no request."""
    body = write_json({"errors": [{"message": message, "extensions": {"code": "BAD_USER_INPUT"}}]})
    headers = (
        *SAFE_HEADERS,
        (b"content-type", b"application/json; charset=utf-8"),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),
    )
    return b"HTTP/1.1 400 Bad Request\r\n" + b"".join(b"%b: %b\r\n" % header for header in headers) + b"\r\n" + body
