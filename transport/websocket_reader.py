"""Reads a client's frames, with limits on their number and the memory that they take.

Frames that are whole texts or pongs are read here; all others, and errors, by websockets' Sans-I/O protocol, which is
made when the first other frame arrives: https://websockets.readthedocs.io/en/stable/howto/sansio.html.
"""

import asyncio
import logging
from abc import abstractmethod
from typing import Any

from websockets.frames import CloseCode, Frame, Opcode
from websockets.protocol import OPEN, SERVER, Protocol

from transport.bounded_reads import EMPTY, BoundedReads
from transport.websocket_frames import TEXT, read_frame

MAX_NON_MESSAGE_FRAMES = 1000  # control frames and fragments between two of our pings

Message = dict[str, Any]

log = logging.getLogger("uvicorn.error")


class WebSocketReader(BoundedReads):
    """The reading side of a WebSocket. `max_size` is the maximum size of a message, in bytes.

    `non_message_frames` is set to 0 at intervals; `drained` is None while the client reads what is sent.
    """

    # The attributes that are read for each sent message come first and together, since the CPU's caches are cold then.
    __slots__ = (  # noqa: RUF023
        "close_sent",
        "is_open",
        "drained",
        "transport",
        "_buffer",
        "_content",
        "_frames",
        "_is_text",
        "_max_size",
        "non_message_frames",
    )

    max_read_bytes = 4 * 1024
    transport: asyncio.Transport

    def __init__(self, *, max_size: int) -> None:
        self.close_sent = False
        self.is_open = False  # whether the handshake is complete
        self.drained: asyncio.Event | None = None
        self._buffer = EMPTY
        self._content = EMPTY  # of the message whose fragments are arriving
        self._frames: Protocol | None = None
        self._is_text = False  # whether that message is
        self._max_size = max_size
        self.non_message_frames = 0

    @abstractmethod
    def put(self, event: Message) -> None:
        """Pass an event to the application."""

    @abstractmethod
    def put_disconnect(self, code: int, reason: str = "") -> None:
        """Notify the application of the end of the connection."""

    @abstractmethod
    def handle_pong(self, payload: bytes) -> None:
        """Handle a pong."""

    def data_received(self, data: bytes) -> None:
        """Handle frames."""
        start = 0
        while self._frames is None and (frame := read_frame(data, start)) is not None:
            start = frame.end
            if frame.kind == TEXT:
                self._put_text(frame.payload)
            else:
                self._count_pong(frame.payload)
        if rest := data[start:]:
            self._handle_frames(rest)

    def _handle_frames(self, data: bytes) -> None:
        frames = self.frame_parser()
        frames.receive_data(data)
        if frames.parser_exc is not None:
            self._end_with_close(frames)
            return
        for event in frames.events_received():
            if isinstance(event, Frame) and self._frames is not None:
                self._handle_frame(event, frames)

    def _handle_frame(self, frame: Frame, frames: Protocol) -> None:
        match frame.opcode:
            case Opcode.TEXT | Opcode.BINARY | Opcode.CONT:
                self._handle_data_frame(frame)
            case Opcode.PING:  # RFC 6455, section 5.5.3, permits leaving some pongs out
                pongs = b"".join(frames.data_to_send())
                if self.drained is None and not self.transport.is_closing():
                    self.transport.write(pongs)
                self._count_frame()
            case Opcode.PONG:
                self._count_pong(bytes(frame.data))
            case Opcode.CLOSE:
                self._handle_close(frames)

    def _handle_data_frame(self, frame: Frame) -> None:
        """Add a frame to its message, and pass that on after the last one. After our close frame, ignore both."""
        if frame.opcode is Opcode.CONT:
            self._count_frame()
        else:
            self._is_text, self._content = frame.opcode is Opcode.TEXT, bytearray()
        if self.close_sent:
            return
        self._content += frame.data  # not a list of fragments: each takes 200 bytes, even if it is empty
        if not frame.fin:
            return
        content, self._content = bytes(self._content), EMPTY
        if self._is_text:
            self._put_text(content)
        else:
            self.put({"type": "websocket.receive", "bytes": content})

    def _put_text(self, content: bytes) -> None:
        """Pass a text on, or close the connection if it isn't UTF-8."""
        if self.close_sent:
            return
        try:
            self.put({"type": "websocket.receive", "text": content.decode()})
        except UnicodeDecodeError:
            self._fail(CloseCode.INVALID_DATA, "Not UTF-8")

    def _count_pong(self, payload: bytes) -> None:
        self.handle_pong(payload)
        self._count_frame()

    def _handle_close(self, frames: Protocol) -> None:
        if not self.close_sent:
            received = frames.close_rcvd
            code, reason = (CloseCode.NO_STATUS_RCVD, "") if received is None else (received.code, received.reason)
            self._send_close(frames, code, reason)
        self.transport.close()

    def _send_close(self, frames: Protocol, code: int, reason: str = "") -> None:
        """Send a close frame, and notify the application of the end."""
        self.put_disconnect(code, reason)
        self.transport.write(b"".join(frames.data_to_send()))
        self.close_sent = True

    def _count_frame(self) -> None:
        self.non_message_frames += 1
        if self.non_message_frames > MAX_NON_MESSAGE_FRAMES:
            self._fail(CloseCode.POLICY_VIOLATION, "Too many frames")

    def _fail(self, code: CloseCode, reason: str) -> None:
        if not self.close_sent:
            frames = self.frame_parser()
            frames.fail(code, reason)
            self._end_with_close(frames)

    def _end_with_close(self, frames: Protocol) -> None:
        """Send the close frame of a violation of the protocol, and close the connection."""
        if not self.close_sent:
            sent = frames.close_sent
            self._send_close(frames, CloseCode.PROTOCOL_ERROR if sent is None else sent.code)
        self.transport.close()

    def frame_parser(self) -> Protocol:
        """Return the parser of all frames. It starts between two frames, since the former ones were complete."""
        if self._frames is None:
            self._frames = Protocol(SERVER, state=OPEN, max_size=self._max_size, logger=log)
        return self._frames

    def drop_parser(self) -> None:
        """Free the parser, whose generator refers to it."""
        self._frames = None
