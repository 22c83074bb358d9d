"""A TCP proxy between clients and a server, which can lose connections and responses."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from urllib.parse import urlsplit


class Proxy:
    """The proxy. While it `is_offline` it resets connections. The next ones get the `canned` responses, one each.

    `loses` is called with each request head and body; where it returns true, the request is passed on to the server,
    and the connection to the client is reset when the server responds.
    """

    def __init__(self, server_url: str) -> None:
        address = urlsplit(server_url)
        self._host, self._port = str(address.hostname), int(address.port or 80)
        self.is_offline = False
        self.canned: list[bytes] = []
        self.loses: Callable[[bytes], bool] = lambda _: False
        self._stuck: set[asyncio.StreamWriter] = set()
        self.buffers_streams = False  # holds the bodies of event streams back until they end
        self.accepted = 0
        self.requests = 0
        self.streams = 0  # WebSockets and event streams that are open now
        self.websockets = 0
        self._open: set[asyncio.StreamWriter] = set()
        self.url = ""

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Relay a connection."""
        self.accepted += 1
        self._open.add(writer)
        try:
            if self.is_offline:
                await reader.read(1)  # uvloop does not close the connection before
                writer.transport.abort()
                return
            if self.canned:
                await reader.readuntil(b"\r\n\r\n")
                writer.write(self.canned.pop(0))
                await writer.drain()
                return
            from_server, to_server = await asyncio.open_connection(self._host, self._port)
            self._open.add(to_server)
            lost = asyncio.Event()
            pipes = (self._send(reader, to_server, lost), self._receive(from_server, writer, lost))
            await asyncio.gather(*pipes)
        except (OSError, asyncio.IncompleteReadError):
            pass  # either side has disconnected
        finally:
            self._open.discard(writer)
            writer.close()

    def disconnect(self) -> None:
        """Reset all connections."""
        for writer in tuple(self._open):
            writer.transport.abort()

    def go_offline(self) -> None:
        """Reset all connections, and each new one until `is_offline` is set to false."""
        self.is_offline = True
        self.disconnect()

    def stop_relaying(self) -> None:
        """Pass nothing on in the connections that are open now, and leave them open."""
        self._stuck |= self._open

    async def _send(self, reader: asyncio.StreamReader, to_server: asyncio.StreamWriter, lost: asyncio.Event) -> None:
        try:
            while data := await reader.read(64 * 1024):
                if to_server in self._stuck:
                    continue
                self.requests += data.startswith(b"POST ")
                self.websockets += b"\r\nsec-websocket-key:" in data.lower()
                if self.loses(data):
                    lost.set()
                to_server.write(data)
                await to_server.drain()
        finally:
            to_server.close()
            self._open.discard(to_server)

    async def _receive(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, lost: asyncio.Event) -> None:
        held = b""
        is_stream = False
        try:
            while data := await reader.read(64 * 1024):
                if writer in self._stuck:
                    continue
                if not is_stream and (b" 101 " in data[:20] or b"text/event-stream" in data):
                    is_stream = True
                    self.streams += 1
                if lost.is_set():
                    writer.transport.abort()
                    return
                if self.buffers_streams and (held or b"text/event-stream" in data):
                    head, end, body = data.partition(b"\r\n\r\n") if not held else (b"", b"", data)
                    writer.write(head + end)
                    held += body
                else:
                    writer.write(data)
                await writer.drain()
            if held and not writer.is_closing():
                writer.write(held)
        finally:
            self.streams -= is_stream
            writer.close()


@asynccontextmanager
async def open_proxy(server_url: str) -> AsyncIterator[Proxy]:
    """Run the proxy in front of a server."""
    proxy = Proxy(server_url)
    server = await asyncio.start_server(proxy.handle, "127.0.0.1", 0)
    async with server:
        proxy.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            yield proxy
        finally:
            proxy.disconnect()
