"""uvicorn's protocols, made to do and to keep little for any one client.

uvicorn reads as much as the kernel has and works through it before anybody else has their turn. It keeps every request
that is sent before the last one is answered, every fragment of a message, and every pong that a client doesn't read.
And it waits for ever on a connection whose handshake for a WebSocket it didn't understand.
"""

import asyncio
from collections.abc import Callable
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import CloseCode, Frame

MOST_HEADERS = 100
MOST_WAITING = 16  # requests that are sent before the one before them is answered
MOST_BARE_FRAMES = 1000  # control frames and fragments, from one ping of ours to the next


class TooMuch(Exception):  # noqa: N818  # named for what happened
    """A request is more than is admitted, or less; it is answered as any that is malformed."""


class InTurn(asyncio.BufferedProtocol):
    """A protocol that takes in little at a time, so that nobody waits long for their turn."""

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


class BoundedHttp(HttpToolsProtocol, InTurn):
    """HTTP with a limit to the number of headers, and of requests that wait for those before them."""

    largest_read_bytes = 16 * 1024

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header. Raises `TooMuch`."""
        if len(self.headers) == MOST_HEADERS:
            raise TooMuch
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Answer the request, or let it wait. Raises `TooMuch`."""
        if len(self.pipeline) == MOST_WAITING:
            raise TooMuch
        hosts = sum(name == b"host" for name, _ in self.headers)
        if hosts != 1 and (hosts or self.parser.get_http_version() == "1.1"):  # RFC 9112, section 3.2
            raise TooMuch
        super().on_headers_complete()
        if not self.parser.should_upgrade():
            self.headers = []  # what comes behind the body is for nobody: RFC 9110, section 6.5.1


class BoundedWebSockets(WebSocketsSansIOProtocol, InTurn):
    """WebSockets with a limit to frames that are no messages."""

    largest_read_bytes = 4 * 1024

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._bare_frames = 0

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
        await super().send(message)
        if message["type"] == "websocket.http.response.body" and self.close_sent:
            self.handshake_complete = True

    def send_keepalive_ping(self) -> None:
        """Ask whether the client is there, and count its frames anew."""
        self._bare_frames = 0
        super().send_keepalive_ping()

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

    def _count(self) -> None:
        self._bare_frames += 1
        if self._bare_frames > MOST_BARE_FRAMES:
            self._fail(CloseCode.POLICY_VIOLATION, "Too many frames")

    def _fail(self, code: CloseCode, reason: str) -> None:
        if not self.close_sent:
            self.conn.fail(code, reason)
            self.handle_parser_exception()


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True
