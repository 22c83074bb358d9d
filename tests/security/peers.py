"""Raw TCP clients: nothing is sent, read, answered or closed unless a test does it."""

import asyncio
import contextlib
import json
import socket
import struct
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from urllib.parse import urlsplit

from tests.support.api_client import RETRY_S, TEST_TIMEOUT_S

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
MAX_BYTES = 16 * 1024 * 1024  # that `send_until_closed` sends before it fails


class Peer:
    """A connection to a server. `received` is what was read and not consumed yet."""

    def __init__(self, connection: socket.socket, host: str) -> None:
        self.host = host
        self.received = b""
        self._connection = connection

    async def send(self, data: bytes) -> None:
        """Send all bytes. Raises `ConnectionError` if the server disconnects, `TimeoutError` if it doesn't read."""
        async with asyncio.timeout(TEST_TIMEOUT_S):
            await asyncio.get_running_loop().sock_sendall(self._connection, data)

    async def read_until(self, wanted: bytes) -> bytes:
        """Read up to these bytes; return and consume everything including them."""
        async with asyncio.timeout(TEST_TIMEOUT_S):
            while wanted not in self.received:
                assert await self._read_more(), f"the server closed after {self.received[-500:]!r}"
        found, _, self.received = self.received.partition(wanted)
        return found + wanted

    async def read_response(self) -> tuple[int, bytes]:
        """Return the status and the body of an HTTP response with a Content-Length."""
        head = (await self.read_until(b"\r\n\r\n")).lower()
        length = int(head.partition(b"content-length:")[2].split(b"\r\n")[0])
        async with asyncio.timeout(TEST_TIMEOUT_S):
            while len(self.received) < length:
                assert await self._read_more(), "the server closed in the middle of a response"
        body, self.received = self.received[:length], self.received[length:]
        return int(head.split()[1]), body

    async def read_to_end(self) -> bytes:
        """Return all that the server sends until it closes or resets the connection."""
        async with asyncio.timeout(TEST_TIMEOUT_S):
            while await self._read_more():
                pass
        return self.received

    async def close_code(self) -> int:
        """Return the code with which the server closes the WebSocket; 1006 if it sends no close frame."""
        async with asyncio.timeout(TEST_TIMEOUT_S):
            while True:
                for opcode, payload in frames(self.received):
                    if opcode == CLOSE:
                        return int.from_bytes(payload[:2], "big")
                if not await self._read_more():
                    return 1006

    async def exchange(self, data: bytes, last: bytes) -> None:
        """Send data, and at the same time read up to and including `last`."""
        sending = asyncio.create_task(self.send(data))
        await self.read_until(last)
        await sending

    def reset(self) -> None:
        """Reset the TCP connection without a closing handshake."""
        self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._connection.close()

    async def send_until_closed(self, data: bytes) -> None:
        """Send data repeatedly until the server closes the connection."""
        sent = 0
        try:
            while sent < MAX_BYTES:
                await self.send(data)
                sent += len(data)
        except ConnectionError:
            return
        raise AssertionError("the server accepts unlimited data")

    async def wait_until_closed(self) -> None:
        """Wait, without reading, until the server closes the connection: sending fails then."""
        async with asyncio.timeout(TEST_TIMEOUT_S):
            with contextlib.suppress(ConnectionError):
                while True:
                    await self.send(b"\r\n")
                    await asyncio.sleep(RETRY_S)

    async def wait_until_readable(self) -> None:
        """Wait, without reading, until data has arrived."""
        async with asyncio.timeout(TEST_TIMEOUT_S):
            while not self._is_readable():  # noqa: ASYNC110  # the event loop can't wait for it without reading
                await asyncio.sleep(RETRY_S)

    def _is_readable(self) -> bool:
        try:
            return bool(self._connection.recv(1, socket.MSG_PEEK))
        except BlockingIOError:
            return False

    async def _read_more(self) -> bool:
        try:
            data = await asyncio.get_running_loop().sock_recv(self._connection, 65_536)
        except ConnectionError:
            return False
        self.received += data
        return bool(data)


@asynccontextmanager
async def open_peer(url: str, *, receive_bytes: int | None = None) -> AsyncIterator[Peer]:
    """Connect to the server at `url`, with a receive buffer of about `receive_bytes` in the kernel."""
    address = urlsplit(url)
    with socket.socket() as connection:
        if receive_bytes is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        connection.setblocking(False)  # noqa: FBT003
        async with asyncio.timeout(TEST_TIMEOUT_S):
            await asyncio.get_running_loop().sock_connect(connection, (address.hostname, address.port))
        yield Peer(connection, address.netloc)


@contextlib.contextmanager
def connected_for(seconds: float) -> Iterator[None]:
    """Permit the server to disconnect in this context, but not before these seconds, which a slow machine may take."""
    loop = asyncio.get_running_loop()
    started_s = loop.time()
    try:
        yield
    except ConnectionError:
        assert loop.time() - started_s >= seconds


@asynccontextmanager
async def open_peers(url: str, number: int, *, receive_bytes: int | None = None) -> AsyncIterator[list[Peer]]:
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(open_peer(url, receive_bytes=receive_bytes)) for _ in range(number)]


def handshake(host: str, *headers: str, path: str = "/graphql") -> bytes:
    """Return the handshake request for a graphql-transport-ws WebSocket."""
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
    """Upgrade the connection to a WebSocket, and authenticate it if there are parameters."""
    await peer.send(handshake(peer.host))
    assert b" 101 " in await peer.read_until(b"\r\n\r\n")
    if params is not None:
        await peer.send(message(type="connection_init", payload=params))
        await peer.read_until(b'connection_ack"}')


def message(**members: object) -> bytes:
    """Return a graphql-transport-ws message in one frame."""
    return frame(json.dumps(members).encode())


def frame(
    payload: bytes, opcode: int = TEXT, *, last: bool = True, reserved: int = 0, size: int | None = None
) -> bytes:
    """Return a masked frame (RFC 6455, section 5.2). `size` overrides the size in its header."""
    size = len(payload) if size is None else size
    if size < 126:
        length = bytes([0x80 | size])
    elif size < 65_536:
        length = bytes([0xFE]) + struct.pack(">H", size)
    else:
        length = bytes([0xFF]) + struct.pack(">Q", size)
    return bytes([last << 7 | reserved << 4 | opcode]) + length + bytes(4) + payload


def frames(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the opcodes and payloads of all complete frames from a server."""
    while len(data) >= 2:
        start = {126: 4, 127: 10}.get(data[1], 2)
        end = start + (int.from_bytes(data[2:start], "big") if start > 2 else data[1])
        if len(data) < max(start, end):
            return
        yield data[0] & 0x0F, data[start:end]
        data = data[end:]


def post(body: bytes, *headers: str, length: int | None = None) -> bytes:
    """Return a GraphQL request with this body. `length` overrides its Content-Length."""
    lines = (
        "POST /graphql HTTP/1.1",
        "Host: x",
        "Content-Type: application/json",
        f"Content-Length: {len(body) if length is None else length}",
        *headers,
    )
    return "".join(f"{line}\r\n" for line in (*lines, "")).encode() + body
