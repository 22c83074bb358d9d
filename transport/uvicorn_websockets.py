"""uvicorn's WebSocket protocol with limits on the work and memory that one client can cause.

uvicorn stores every fragment of a message, and every pong that a client doesn't read. It waits without limit on a
connection whose handshake is not valid, and for a client that stopped reading, because it sends unsent data before it
closes the connection.

Written for uvicorn 0.54 and websockets 17. It overrides undocumented methods of `WebSocketsSansIOProtocol` and uses
its attributes and those of websockets' `ServerProtocol`; no other module here does.
`tests/transport/test_uvicorn_private_names.py` checks that they exist.
"""

import asyncio
from typing import Any, Protocol

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import CloseCode, Frame
from websockets.http11 import Request

from transport.bounded_reads import BoundedReads
from transport.closing_delay import closing_delay_s
from transport.request_head import Handshake
from transport.text_writer import set_text_writer

FINAL_TEXT_FRAME = 0x81  # the first byte: FIN and the opcode of a text; the second is the length, or one of these
TWO_BYTES_FOLLOW, EIGHT_BYTES_FOLLOW = 126, 127
HANDSHAKE = (
    b"GET / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %b\r\n\r\n"
)
MAX_NON_MESSAGE_FRAMES = 1000  # control frames and fragments between two of our pings


class ConnectionLostListener(Protocol):
    """A callback for the end of a WebSocket's TCP connection."""

    def __call__(self) -> None:
        """Release the connection's resources. Must not raise."""
        ...


class WebSocketProtocol(WebSocketsSansIOProtocol, BoundedReads):
    """Limits frames other than whole messages, and closes connections whose clients don't reply to pings.

    A client must reply even while unsent data is waiting for it.
    """

    # In slots next to each other, since `write_text` reads them for each message and finds the CPU's caches cold.
    __slots__ = ("close_sent", "handshake_complete", "transport", "writable")

    max_read_bytes = 4 * 1024
    on_connection_lost: ConnectionLostListener | None = None
    _handshake: Handshake

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._non_message_frames = 0
        self._shutdown_timer: asyncio.TimerHandle | None = None

    def connection_lost(self, exc: Exception | None) -> None:
        """Notify `on_connection_lost`."""
        super().connection_lost(exc)
        if self._shutdown_timer is not None:
            self._shutdown_timer.cancel()
        if self.on_connection_lost is not None:
            self.on_connection_lost()

    def start(self, handshake: Handshake) -> None:
        """Start the application.

        websockets gets only what it needs for the response, since its limits on heads are lower than those on HTTP.
        """
        self._handshake = handshake
        self.data_received(HANDSHAKE % handshake.key)

    async def receive(self) -> Any:
        """Return the next event. Lets other tasks run before an event that was already queued."""
        if not self.queue.empty():
            await asyncio.sleep(0)
        return await super().receive()

    async def send(self, message: Any) -> None:
        """Send an ASGI message. Marks a denied handshake as complete: otherwise uvicorn logs an application error."""
        text = message.get("text")
        if text is not None and self.write_text(text.encode()):
            return
        await super().send(message)
        if message["type"] == "websocket.http.response.body" and self.close_sent:
            self.handshake_complete = True

    def handle_connect(self, event: Request) -> None:
        """Start the application, with the request and `write_text` in its scope."""
        super().handle_connect(event)
        if not self.close_sent:
            self.scope.update(self._handshake.scope)  # type: ignore[typeddict-item]
            set_text_writer(self.scope, self.write_text)  # type: ignore[arg-type]  # a TypedDict

    def write_text(self, text: bytes) -> bool:
        """Write a text message and return True, or return False if it would have to wait: this is the `TextWriter`."""
        if self.close_sent or not self.handshake_complete or not self.writable.is_set() or self.transport.is_closing():
            return False
        self.transport.write(text_frame(text))
        return True

    def send_keepalive_ping(self) -> None:
        """Send a ping and start the timeout, even on a closed connection that still has data the client didn't read."""
        self._non_message_frames = 0
        super().send_keepalive_ping()
        if self.pong_timer is None and self.ping_timeout is not None:
            self.pong_timer = self.loop.call_later(self.ping_timeout, self.keepalive_timeout)

    def keepalive_timeout(self) -> None:
        """Abort the connection of a stalled client, which sent no pong, and drop the data that it didn't read."""
        super().keepalive_timeout()
        self.transport.abort()

    def handle_ping(self) -> None:
        """Send pongs unless the client doesn't read them. RFC 6455, section 5.5.3, permits leaving some out."""
        pongs = b"".join(self.conn.data_to_send())
        if self.writable.is_set():
            self.transport.write(pongs)
        self._count_frame()

    def handle_pong(self, event: Frame) -> None:
        """Handle and count a pong."""
        super().handle_pong(event)
        self._count_frame()

    def handle_cont(self, event: Frame) -> None:
        """Store and count a fragment."""
        super().handle_cont(event)
        self._count_frame()

    def send_receive_event_to_app(self) -> None:
        """Pass on a message, or close the connection if a text isn't UTF-8: uvicorn would log that as our error."""
        if self.curr_msg_data_type == "text" and not _is_utf8(b"".join(self.frames)):
            self.frames = []
            self._fail(CloseCode.INVALID_DATA, "Not UTF-8")
        else:
            super().send_receive_event_to_app()

    def shutdown(self) -> None:
        """Close the connection with 1012 after `closing_delay_s`; until then it works as before.

        Aborts a connection that is already closing, since uvicorn's method fails then.
        """
        if self.transport.is_closing():
            self.transport.abort()
        elif self.handshake_complete and not self.close_sent:
            self._shutdown_timer = self.loop.call_later(closing_delay_s(len(self.connections)), self._close_for_restart)
        else:
            super().shutdown()

    def _close_for_restart(self) -> None:
        if not self.transport.is_closing():
            super().shutdown()

    def _count_frame(self) -> None:
        self._non_message_frames += 1
        if self._non_message_frames > MAX_NON_MESSAGE_FRAMES:
            self._fail(CloseCode.POLICY_VIOLATION, "Too many frames")

    def _fail(self, code: CloseCode, reason: str) -> None:
        if not self.close_sent:
            self.conn.fail(code, reason)
            self.handle_parser_exception()


def text_frame(text: bytes) -> bytes:
    """Return a server's text frame: RFC 6455, section 5.2. websockets takes five times as long for it."""
    length = len(text)
    if length < TWO_BYTES_FOLLOW:
        return bytes((FINAL_TEXT_FRAME, length)) + text
    if length < 1 << 16:
        return bytes((FINAL_TEXT_FRAME, TWO_BYTES_FOLLOW)) + length.to_bytes(2) + text
    return bytes((FINAL_TEXT_FRAME, EIGHT_BYTES_FOLLOW)) + length.to_bytes(8) + text


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True
