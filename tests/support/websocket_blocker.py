"""A proxy that passes on HTTP and blocks WebSockets, in one of the ways in which real ones do."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from enum import Enum
from urllib.parse import urlsplit


class Block(Enum):
    """What happens to a handshake."""

    REJECTED = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    BAD_GATEWAY = b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    NOT_UPGRADED = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    CLOSED = b""
    SILENT = None


class WebSocketBlocker:
    """The proxy. `handshakes` counts the attempts to open a WebSocket."""

    def __init__(self, server_url: str, block: Block | None) -> None:
        address = urlsplit(server_url)
        self._host, self._port = str(address.hostname), int(address.port or 80)
        self.block = block
        self.handshakes = 0
        self._open: set[asyncio.StreamWriter] = set()
        self._silent: set[asyncio.StreamWriter] = set()
        self.url = ""

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Relay a connection, unless it begins with a handshake."""
        self._open.add(writer)
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            if self.block is not None and b"upgrade: websocket" in head.lower():
                self.handshakes += 1
                if self.block.value is None:
                    self._silent.add(writer)
                    await reader.read()  # until the client gives up, or `end_handshakes`
                else:
                    writer.write(self.block.value)
                return
            to_server = await asyncio.open_connection(self._host, self._port)
            to_server[1].write(head)
            pipes = (_pipe(reader, to_server[1]), _pipe(to_server[0], writer))
            await asyncio.wait([asyncio.ensure_future(pipe) for pipe in pipes])
        except (OSError, asyncio.IncompleteReadError):
            pass  # either side has disconnected
        finally:
            self._open.discard(writer)
            self._silent.discard(writer)
            writer.close()

    def disconnect(self) -> None:
        """Close all connections to clients."""
        for writer in self._open:
            writer.transport.abort()

    def end_handshakes(self) -> None:
        """Close the connections of handshakes that got no response."""
        for writer in self._silent:
            writer.transport.abort()


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(64 * 1024):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass  # either side has disconnected
    finally:
        writer.close()


@asynccontextmanager
async def open_websocket_blocker(server_url: str, block: Block | None) -> AsyncIterator[WebSocketBlocker]:
    """Run the proxy in front of a server. Without `block`, it blocks nothing."""
    blocker = WebSocketBlocker(server_url, block)
    server = await asyncio.start_server(blocker.handle, "127.0.0.1", 0)
    async with server:
        blocker.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield blocker
