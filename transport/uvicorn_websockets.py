"""uvicorn's protocol of WebSockets, made to do and keep little for any one client, and to let go of who is gone.

uvicorn keeps every fragment of a message, and every pong that a client doesn't read. It waits for ever on a connection
whose handshake it didn't understand, and for a client that stopped reading, since what is still to be sent goes before
the end.
"""

import asyncio
from collections.abc import Callable
from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import CloseCode, Frame
from websockets.http11 import Request

from resolvers.execution.fast_path import SEND_NOW
from transport.bounded_reads import BoundedReads

WHOLE_TEXT = 0x81  # the first byte of a frame that is all of a text; the next is its length, or one of these
TWO_BYTES_FOLLOW, EIGHT_BYTES_FOLLOW = 126, 127
MAX_NON_MESSAGE_FRAMES = 1000  # control frames and fragments, from one ping of ours to the next


class WebSocketProtocol(WebSocketsSansIOProtocol, BoundedReads):
    """WebSockets with a limit to frames that are no messages, whose clients have to answer pings whatever is unsent."""

    __slots__ = ("close_sent", "handshake_complete", "transport", "writable")  # what each message asks for, together

    largest_read_bytes = 4 * 1024
    on_end: Callable[[], None] | None = None

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._bare_frames = 0

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell that it has ended."""
        super().connection_lost(exc)
        if self.on_end is not None:
            self.on_end()

    def data_received(self, data: bytes) -> None:
        """Take in what came: first of all the whole handshake, which is understood at once or never."""
        super().data_received(data)
        if not self.handshake_initiated:
            self.transport.abort()

    async def receive(self) -> Any:
        """Return what came next, after others have had their turn."""
        if not self.queue.empty():
            await asyncio.sleep(0)
        return await super().receive()

    async def send(self, message: Any) -> None:
        """Send a message. A handshake that was refused is complete, and no error of ours to be logged."""
        text = message.get("text")
        if text is not None and self.send_now(text.encode()):
            return
        await super().send(message)
        if message["type"] == "websocket.http.response.body" and self.close_sent:
            self.handshake_complete = True

    def handle_connect(self, event: Request) -> None:
        """Let the application answer, and tell it what else can be done here."""
        super().handle_connect(event)
        if not self.close_sent:
            self.scope["extensions"][SEND_NOW] = {"send": self.send_now}

    def send_now(self, text: bytes) -> bool:
        """Send a text if that needs no waiting; return whether it did."""
        if self.close_sent or not self.handshake_complete or not self.writable.is_set() or self.transport.is_closing():
            return False
        self.transport.write(frame_of_text(text))
        return True

    def send_keepalive_ping(self) -> None:
        """Ask whether the client is there. If the connection is closed, all that keeps it is what was never read."""
        self._bare_frames = 0
        super().send_keepalive_ping()
        if self.pong_timer is None and self.ping_timeout is not None:
            self.pong_timer = self.loop.call_later(self.ping_timeout, self.keepalive_timeout)

    def keepalive_timeout(self) -> None:
        """Let go of a client that didn't answer, with all that it never read."""
        super().keepalive_timeout()
        self.transport.abort()

    def handle_ping(self) -> None:
        """Answer, unless the client doesn't read the answers. RFC 6455, section 5.5.3, lets us leave some out."""
        pongs = b"".join(self.conn.data_to_send())
        if self.writable.is_set():
            self.transport.write(pongs)
        self._count()

    def handle_pong(self, event: Frame) -> None:
        """See whether it is the answer to our ping."""
        super().handle_pong(event)
        self._count()

    def handle_cont(self, event: Frame) -> None:
        """Keep a fragment."""
        super().handle_cont(event)
        self._count()

    def send_receive_event_to_app(self) -> None:
        """Pass on a message, unless it calls something a text that is none: that's no error of ours to be logged."""
        if self.curr_msg_data_type == "text" and not _is_utf8(b"".join(self.frames)):
            self.frames = []
            self._fail(CloseCode.INVALID_DATA, "Not UTF-8")
        else:
            super().send_receive_event_to_app()

    def shutdown(self) -> None:
        """Take leave of the client, unless it took its leave before: uvicorn has an error for that."""
        if self.transport.is_closing():
            self.transport.abort()
        else:
            super().shutdown()

    def _count(self) -> None:
        self._bare_frames += 1
        if self._bare_frames > MAX_NON_MESSAGE_FRAMES:
            self._fail(CloseCode.POLICY_VIOLATION, "Too many frames")

    def _fail(self, code: CloseCode, reason: str) -> None:
        if not self.close_sent:
            self.conn.fail(code, reason)
            self.handle_parser_exception()


def frame_of_text(text: bytes) -> bytes:
    """Return the frame of a server's text: RFC 6455, section 5.2. websockets makes the same, in five times the time."""
    length = len(text)
    if length < TWO_BYTES_FOLLOW:
        return bytes((WHOLE_TEXT, length)) + text
    if length < 1 << 16:
        return bytes((WHOLE_TEXT, TWO_BYTES_FOLLOW)) + length.to_bytes(2) + text
    return bytes((WHOLE_TEXT, EIGHT_BYTES_FOLLOW)) + length.to_bytes(8) + text


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True
