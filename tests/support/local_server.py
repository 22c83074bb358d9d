"""A threaded HTTP server for tests that can hold and reset connections."""

import contextlib
import select
import socket
import struct
import sys
import threading
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast


class LocalServer(ThreadingHTTPServer):
    """A threaded HTTP server on this machine whose `stop` also ends threads that wait for a client."""

    daemon_threads = False
    request_queue_size = 1024

    def __init__(self, port: int, handler: type["LocalHandler"], owner: object) -> None:
        self.owner = owner
        self.stopping = threading.Event()
        self._open: set[socket.socket] = set()
        super().__init__(("127.0.0.1", port), handler)
        self._thread = threading.Thread(target=self.serve_forever, args=(0.02,), name=f"port {port}")
        self._thread.start()

    def stop(self) -> None:
        """Close the listening socket and all connections, and wait for every thread."""
        self.stopping.set()
        self.shutdown()
        for connection in tuple(self._open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self.server_close()

    def get_request(self) -> tuple[socket.socket, Any]:
        """Accept a connection, which `stop` closes."""
        connection, address = super().get_request()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._open.add(connection)
        return connection, address

    def close_request(self, request: Any) -> None:
        """Close a connection."""
        self._open.discard(request)
        super().close_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore errors of disconnected clients."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class LocalHandler(BaseHTTPRequestHandler):
    """Handles the requests of one connection, which is kept alive between them."""

    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class named it
        """Print nothing."""

    def body(self) -> bytes:
        """Return the body of the request."""
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        pieces = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            pieces.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(pieces)

    def respond(self, status: int, headers: Sequence[tuple[str, str]], body: bytes) -> None:
        """Send a response of known length, without its body if the request was HEAD."""
        self.send_response_only(status)
        for name, value in headers:
            self.send_header(name, value)
        if not any(name.lower() == "content-length" for name, _ in headers):
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def hold(self) -> None:
        """Send no response; wait until the client gives up or the server stops."""
        stopping = cast("LocalServer", self.server).stopping
        self.close_connection = True
        while not stopping.is_set():
            if select.select([self.connection], [], [], 0.02)[0] and not self.connection.recv(65_536):
                return

    def reset(self) -> None:
        """Reset the connection."""
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
