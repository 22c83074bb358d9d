"""What a client sends takes a limited amount of memory, however it divides it."""

import asyncio
import tracemalloc

import pytest
from websockets.frames import Frame, Opcode

from transport.websocket_reader import Message, WebSocketReader


class Reader(WebSocketReader):
    """Keeps the events for the application."""

    def __init__(self) -> None:
        super().__init__(max_size=256 * 1024)
        self.transport = asyncio.Transport()
        self.events: list[Message] = []

    def put(self, event: Message) -> None:
        self.events.append(event)

    def put_disconnect(self, code: int, reason: str = "") -> None:
        raise AssertionError(code, reason)

    def handle_pong(self, payload: bytes) -> None:
        raise AssertionError(payload)


def client_frame(opcode: Opcode, payload: bytes, *, fin: bool) -> bytes:
    return Frame(opcode, payload, fin=fin).serialize(mask=True, extensions=[])


def memory_after(reader: Reader, frame: bytes, times: int) -> int:
    """Return how much more memory is used after this frame has arrived many times, in bytes."""
    tracemalloc.start()
    for _ in range(times):
        reader.data_received(frame)
        reader.non_message_frames = 0  # as with each ping
    used, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return used


@pytest.mark.parametrize("opcode", [Opcode.TEXT, Opcode.BINARY])
def test_messages_after_our_close_frame_are_not_kept(opcode: Opcode) -> None:
    reader = Reader()
    reader.frame_parser().send_close(1000)
    reader.close_sent = True
    assert memory_after(reader, client_frame(opcode, bytes(32 * 1024), fin=True), 50) < 64 * 1024


def test_empty_fragments_take_no_memory() -> None:
    reader = Reader()
    reader.data_received(client_frame(Opcode.TEXT, b"a", fin=False))
    assert memory_after(reader, client_frame(Opcode.CONT, b"", fin=False), 2000) < 32 * 1024
    reader.data_received(client_frame(Opcode.CONT, b"b", fin=True))
    assert reader.events == [{"type": "websocket.receive", "text": "ab"}]
