"""Clients with bare hands: connections on which nothing is sent, read, answered or closed unless a test does it."""

import asyncio
import contextlib
import json
import socket
import struct
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from urllib.parse import urlsplit

from tests.support.api_client import PATIENCE_S, RETRY_S

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
MAX_BYTES = 16 * 1024 * 1024  # that a test sends to a server that reads all of it


class Peer:
    """A connection to a server, and what has been read from it."""

    def __init__(self, connection: socket.socket, host: str) -> None:
        self.host = host
        self.read = b""
        self._connection = connection

    async def send(self, data: bytes) -> None:
        """Send all of it. Raises `ConnectionError` if the server has gone, `TimeoutError` if it doesn't read."""
        async with asyncio.timeout(PATIENCE_S):
            await asyncio.get_running_loop().sock_sendall(self._connection, data)

    async def until(self, wanted: bytes) -> bytes:
        """Return what is read up to and with these bytes."""
        async with asyncio.timeout(PATIENCE_S):
            while wanted not in self.read:
                assert await self._more(), f"it closed after {self.read[-500:]!r}"
        found, _, self.read = self.read.partition(wanted)
        return found + wanted

    async def answer(self) -> tuple[int, bytes]:
        """Return the status and the body of an answer that tells its length."""
        head = (await self.until(b"\r\n\r\n")).lower()
        length = int(head.partition(b"content-length:")[2].split(b"\r\n")[0])
        async with asyncio.timeout(PATIENCE_S):
            while len(self.read) < length:
                assert await self._more(), "it closed amid an answer"
        body, self.read = self.read[:length], self.read[length:]
        return int(head.split()[1]), body

    async def rest(self) -> bytes:
        """Return all that the server sends until it ends the connection, one way or the other."""
        async with asyncio.timeout(PATIENCE_S):
            while await self._more():
                pass
        return self.read

    async def close_code(self) -> int:
        """Return the code with which the server closes the WebSocket; 1006 if it ends it without one."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                for opcode, payload in frames(self.read):
                    if opcode == CLOSE:
                        return int.from_bytes(payload[:2], "big")
                if not await self._more():
                    return 1006

    async def exchange(self, data: bytes, last: bytes) -> None:
        """Send this, and read meanwhile, up to and with these bytes."""
        sending = asyncio.create_task(self.send(data))
        await self.until(last)
        await sending

    def break_off(self) -> None:
        """End the connection without taking leave."""
        self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._connection.close()

    async def cut_off(self, data: bytes) -> None:
        """Send this again and again, until the server ends the connection."""
        sent = 0
        try:
            while sent < MAX_BYTES:
                await self.send(data)
                sent += len(data)
        except ConnectionError:
            return
        raise AssertionError("it takes whatever it is sent")

    async def let_go(self) -> None:
        """Wait until the server ends the connection, as one learns who reads nothing: by what it doesn't take."""
        async with asyncio.timeout(PATIENCE_S):
            with contextlib.suppress(ConnectionError):
                while True:
                    await self.send(b"\r\n")
                    await asyncio.sleep(RETRY_S)

    async def answered(self) -> None:
        """Wait until there is something to read."""
        async with asyncio.timeout(PATIENCE_S):
            while not self._has_something():  # noqa: ASYNC110  # which the kernel tells only to who reads it
                await asyncio.sleep(RETRY_S)

    def _has_something(self) -> bool:
        try:
            return bool(self._connection.recv(1, socket.MSG_PEEK))
        except BlockingIOError:
            return False

    async def _more(self) -> bool:
        try:
            data = await asyncio.get_running_loop().sock_recv(self._connection, 65_536)
        except ConnectionError:
            return False
        self.read += data
        return bool(data)


@asynccontextmanager
async def open_peer(url: str, *, receive_bytes: int | None = None) -> AsyncIterator[Peer]:
    """Connect to the server at `url`; the kernel keeps about `receive_bytes` of what isn't read."""
    address = urlsplit(url)
    with socket.socket() as connection:
        if receive_bytes is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        connection.setblocking(False)  # noqa: FBT003
        async with asyncio.timeout(PATIENCE_S):
            await asyncio.get_running_loop().sock_connect(connection, (address.hostname, address.port))
        yield Peer(connection, address.netloc)


@asynccontextmanager
async def open_peers(url: str, number: int, *, receive_bytes: int | None = None) -> AsyncIterator[list[Peer]]:
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(open_peer(url, receive_bytes=receive_bytes)) for _ in range(number)]


def handshake(host: str, *headers: str, path: str = "/graphql") -> bytes:
    """Return the request for a WebSocket of the protocol."""
    lines = (
        f"GET {path} HTTP/1.1",
        f"Host: {host}",
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Protocol: graphql-transport-ws",
        *headers,
    )
    return "".join(f"{line}\r\n" for line in (*lines, "")).encode()


async def upgrade(peer: Peer, params: dict[str, object] | None = None) -> None:
    """Make a WebSocket of the connection, which says who it is if there are parameters."""
    await peer.send(handshake(peer.host))
    assert b" 101 " in await peer.until(b"\r\n\r\n")
    if params is not None:
        await peer.send(message(type="connection_init", payload=params))
        await peer.until(b'connection_ack"}')


def message(**members: object) -> bytes:
    """Return a message of the protocol in a frame of its own."""
    return frame(json.dumps(members).encode())


def frame(
    payload: bytes, opcode: int = TEXT, *, last: bool = True, reserved: int = 0, size: int | None = None
) -> bytes:
    """Return a masked frame (RFC 6455, section 5.2), which may say that it has another size."""
    size = len(payload) if size is None else size
    if size < 126:
        length = bytes([0x80 | size])
    elif size < 65_536:
        length = bytes([0xFE]) + struct.pack(">H", size)
    else:
        length = bytes([0xFF]) + struct.pack(">Q", size)
    return bytes([last << 7 | reserved << 4 | opcode]) + length + bytes(4) + payload


def frames(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the opcodes and payloads of all frames of a server that are there in full."""
    while len(data) >= 2:
        begin = {126: 4, 127: 10}.get(data[1], 2)
        end = begin + (int.from_bytes(data[2:begin], "big") if begin > 2 else data[1])
        if len(data) < max(begin, end):
            return
        yield data[0] & 0x0F, data[begin:end]
        data = data[end:]


def post(body: bytes, *headers: str, length: int | None = None) -> bytes:
    """Return a request to execute the body, which may say that it has another length."""
    lines = (
        "POST /graphql HTTP/1.1",
        "Host: x",
        "Content-Type: application/json",
        f"Content-Length: {len(body) if length is None else length}",
        *headers,
    )
    return "".join(f"{line}\r\n" for line in (*lines, "")).encode() + body
