"""The most frequent frames of WebSockets: RFC 6455, section 5.2.

websockets reads and writes all of them, but takes five times as long, and some KiB per connection.
"""

from struct import Struct
from typing import NamedTuple

TEXT, PONG = 0x81, 0x8A  # the first byte of a frame that is a whole text or a pong: FIN and the opcode
PING = 0x89
TWO_BYTES_FOLLOW, EIGHT_BYTES_FOLLOW = 126, 127  # instead of the length
MEDIUM_HEAD = Struct(">BBH")  # of most results; packed in 40 % of the time that `bytes` and `to_bytes` take
MASKED = 0x80
MASK_BYTES = 4


class ReadFrame(NamedTuple):
    """A client's frame, and where it ends in the data."""

    kind: int
    payload: bytes
    end: int


def read_frame(data: bytes | bytearray, start: int) -> ReadFrame | None:
    """Return the frame at `start` if it is a whole text or pong, of at most 64 KiB, that is complete; else None."""
    if len(data) < start + 2 or data[start] not in (TEXT, PONG) or not data[start + 1] & MASKED:
        return None
    length, head_end = data[start + 1] & ~MASKED, start + 2
    if length == TWO_BYTES_FOLLOW and data[start] == TEXT:
        head_end += 2
        length = int.from_bytes(data[start + 2 : head_end])
    elif length >= TWO_BYTES_FOLLOW:
        return None
    payload_start = head_end + MASK_BYTES
    end = payload_start + length
    if end > len(data):
        return None
    return ReadFrame(data[start], unmask(data[payload_start:end], bytes(data[head_end:payload_start])), end)


def unmask(payload: bytes | bytearray, mask: bytes) -> bytes:
    """Return the payload of a client's frame: section 5.3."""
    length = len(payload)
    repeated = mask * (length // MASK_BYTES + 1)
    return (int.from_bytes(payload) ^ int.from_bytes(repeated[:length])).to_bytes(length)


def text_frame(text: bytes) -> bytes:
    """Return a server's text frame."""
    length = len(text)
    if length < TWO_BYTES_FOLLOW:
        return bytes((TEXT, length)) + text
    if length < 1 << 16:
        return MEDIUM_HEAD.pack(TEXT, TWO_BYTES_FOLLOW, length) + text
    return bytes((TEXT, EIGHT_BYTES_FOLLOW)) + length.to_bytes(8) + text


def ping_frame(payload: bytes) -> bytes:
    """Return a server's ping with a payload of at most 125 bytes."""
    return bytes((PING, len(payload))) + payload
