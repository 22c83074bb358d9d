"""An S3 server for tests, run as a process, and a proxy in front of it that fails as the real one does."""

import contextlib
import html
import http.client
import re
import select
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from email.utils import formatdate
from enum import Enum, auto
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self, cast
from urllib.parse import quote

from tests.support.server_process import PATIENCE_S, ServerProcess, free_port

COMMAND = Path(sys.executable).with_name("moto_server")
# Any signature will do, but without one the server takes the caller for the public and keeps objects from it.
SIGNED = {"Authorization": "AWS4-HMAC-SHA256 Credential=test/20200101/us-east-1/s3/aws4_request, Signature=0"}


class S3Refused(Exception):  # noqa: N818 - named for what happened
    """The server answered a request with an error; `code` is S3's own, such as `NoSuchBucket`."""

    def __init__(self, status: int, body: bytes) -> None:
        code = re.search(rb"<Code>(.*?)</Code>", body)
        message = re.search(rb"<Message>(.*?)</Message>", body)
        self.status = status
        self.code = code[1].decode() if code else str(status)
        super().__init__(message[1].decode() if message else self.code)


class S3Server(ServerProcess):
    """A server that keeps everything in memory, so that killing it loses all objects.

    It answers some 300 requests a second, each over a connection of its own.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(folder / "s3-log")
        self.url = f"http://127.0.0.1:{self.port}"
        self.keys_per_request = 1000

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def make_bucket(self, name: str) -> None:
        """Create a bucket, unless it is there."""
        self._request("PUT", f"/{name}")

    def put(self, bucket: str, key: str, body: bytes, content_type: str = "application/octet-stream") -> None:
        """Store an object. Raises `S3Refused`, for example if there is no such bucket."""
        self._request("PUT", _path(bucket, key), body, {"Content-Type": content_type})

    def get(self, bucket: str, key: str) -> bytes | None:
        """Return an object's content, None if there is none."""
        try:
            return self._request("GET", _path(bucket, key))
        except S3Refused as error:
            if error.code in {"NoSuchKey", "NoSuchBucket"}:
                return None
            raise

    def keys(self, bucket: str, prefix: str = "") -> list[str]:
        """Return the keys of a bucket that begin with `prefix`, in order."""
        return [key for page in self._pages(bucket, prefix) for key in re.findall(r"<Key>(.*?)</Key>", page)]

    def delete(self, bucket: str, key: str) -> None:
        """Remove an object, if it is there."""
        self._request("DELETE", _path(bucket, key))

    def _pages(self, bucket: str, prefix: str) -> Iterator[str]:
        query = f"/{bucket}?list-type=2&max-keys={self.keys_per_request}&prefix={quote(prefix, safe='')}"
        token: str | None = ""
        while token is not None:
            more = f"&continuation-token={quote(token, safe='')}" if token else ""
            page = html.unescape(self._request("GET", query + more).decode())
            yield page
            found = re.search(r"<NextContinuationToken>(.*?)</NextContinuationToken>", page)
            token = found[1] if found else None

    def _request(self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> bytes:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)
        with contextlib.closing(connection):
            connection.request(method, path, body=body, headers={**SIGNED, **(headers or {})})
            with connection.getresponse() as response:
                answer = response.read()
        if response.status >= http.HTTPStatus.BAD_REQUEST:
            raise S3Refused(response.status, answer)
        return answer

    def _command(self) -> Sequence[str | Path]:
        return [COMMAND, "-H", "127.0.0.1", "-p", str(self.port)]

    def _answers(self) -> bool:
        with contextlib.suppress(OSError):
            self._request("GET", "/")
            return True
        return False


def _path(bucket: str, key: str) -> str:
    return f"/{bucket}/{quote(key)}"


class LocalServer(ThreadingHTTPServer):
    """An HTTP server of this machine, in threads, whose `stop` ends also those that wait for a client."""

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
        """Refuse connections from now on, cut those there are, and wait for every thread."""
        self.stopping.set()
        self.shutdown()
        for connection in tuple(self._open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self.server_close()

    def get_request(self) -> tuple[socket.socket, Any]:
        """Accept a connection, to be cut if the server stops."""
        connection, address = super().get_request()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._open.add(connection)
        return connection, address

    def close_request(self, request: Any) -> None:
        """Close a connection."""
        self._open.discard(request)
        super().close_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that went away."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class LocalHandler(BaseHTTPRequestHandler):
    """What answers the requests of one connection, which is kept alive between them."""

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

    def answer(self, status: int, headers: Sequence[tuple[str, str]], body: bytes) -> None:
        """Send an answer of known length, without its body if the request was HEAD."""
        self.send_response_only(status)
        for name, value in headers:
            self.send_header(name, value)
        if not any(name.lower() == "content-length" for name, _ in headers):
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def hold(self) -> None:
        """Answer nothing until the client gives up or the server stops."""
        stopping = cast("LocalServer", self.server).stopping
        self.close_connection = True
        while not stopping.is_set():
            if select.select([self.connection], [], [], 0.02)[0] and not self.connection.recv(65_536):
                return

    def reset(self) -> None:
        """Break the connection, so that the client sees that it was reset."""
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()


class S3Fault(Enum):
    """What can be wrong with an answer of S3."""

    SLOW_DOWN = auto()
    INTERNAL_ERROR = auto()
    EXPIRED_TOKEN = auto()
    ACCESS_DENIED = auto()
    DELAYED = auto()  # it is right, but comes late
    RESET = auto()  # the connection breaks instead; the request didn't arrive
    HUNG = auto()  # none comes until the client gives up


# https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
REFUSALS = {
    S3Fault.SLOW_DOWN: (503, "SlowDown", "Please reduce your request rate."),
    S3Fault.INTERNAL_ERROR: (500, "InternalError", "We encountered an internal error. Please try again."),
    S3Fault.EXPIRED_TOKEN: (400, "ExpiredToken", "The provided token has expired."),
    S3Fault.ACCESS_DENIED: (403, "AccessDenied", "Access Denied"),
}


@dataclass(frozen=True, slots=True)
class Seen:
    """A request that was answered with `status`; 0 if it was not answered."""

    method: str
    path: str
    status: int


@dataclass(slots=True)
class _Trouble:
    fault: S3Fault
    left: int | None
    method: str
    containing: str
    seconds: float


class FaultyS3:
    """A proxy on a port of its own that passes requests on to S3, except those a test wants to fail.

    Its answers are dated by `now`, which can be set, in seconds since 1970.
    """

    def __init__(self, server: S3Server, *, now: Callable[[], float] = time.time) -> None:
        self.now = now
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.upstream_port = server.port
        self.requests: list[Seen] = []
        self._lock = threading.Lock()
        self._troubles: list[_Trouble] = []
        self._server: LocalServer | None = None

    def start(self) -> None:
        """Listen."""
        self._server = LocalServer(self.port, _Proxy, self)

    def stop(self) -> None:
        """Refuse connections; it can be started again."""
        if self._server is not None:
            self._server.stop()
            self._server = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def fail(
        self,
        fault: S3Fault,
        *,
        times: int | None = None,
        method: str = "",
        containing: str = "",
        seconds: float = 0.0,
    ) -> None:
        """Let the next requests fail, or all until `heal`: those with this method and this in their path, if given.

        `seconds` is how late a DELAYED answer is.
        """
        with self._lock:
            self._troubles.append(_Trouble(fault, times, method, containing, seconds))

    def heal(self) -> None:
        """Let nothing fail any more."""
        with self._lock:
            self._troubles.clear()

    def count(self, method: str = "", containing: str = "", status: int | None = None) -> int:
        """Return how many requests there were: with this method, this in their path and this status, if given."""
        seen = [each for each in tuple(self.requests) if method in {"", each.method} and containing in each.path]
        return sum(status in {None, each.status} for each in seen)

    def trouble(self, method: str, path: str) -> tuple[S3Fault | None, float]:
        """Return what shall be wrong with the answer to a request, and how late it shall be."""
        with self._lock:
            for trouble in self._troubles:
                if trouble.left != 0 and trouble.method in {"", method} and trouble.containing in path:
                    trouble.left = None if trouble.left is None else trouble.left - 1
                    return trouble.fault, trouble.seconds
        return None, 0.0


class _Proxy(LocalHandler):
    def do_GET(self) -> None:
        server = cast("LocalServer", self.server)
        owner = cast("FaultyS3", server.owner)
        body = self.body()
        fault, seconds = owner.trouble(self.command, self.path)
        server.stopping.wait(seconds)
        if fault is S3Fault.RESET or fault is S3Fault.HUNG:
            owner.requests.append(Seen(self.command, self.path, 0))
            self.reset() if fault is S3Fault.RESET else self.hold()
            return
        status, headers, answer = self._refusal(fault) if fault in REFUSALS else self._pass_on(owner, body)
        owner.requests.append(Seen(self.command, self.path, status))
        self.answer(status, [("Date", formatdate(owner.now(), usegmt=True)), *headers], answer)

    do_HEAD = do_PUT = do_POST = do_DELETE = do_GET  # noqa: N815 - http.server looks for these names

    def _refusal(self, fault: S3Fault | None) -> tuple[int, list[tuple[str, str]], bytes]:
        assert fault is not None
        status, code, message = REFUSALS[fault]
        error = f"<Code>{code}</Code><Message>{message}</Message><RequestId>R</RequestId><HostId>H</HostId>"
        body = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error>{error}</Error>'
        return status, [("Content-Type", "application/xml")], b"" if self.command == "HEAD" else body.encode()

    def _pass_on(self, owner: FaultyS3, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        dropped = {"expect", "connection", "transfer-encoding", "content-length"}
        headers = {name: value for name, value in self.headers.items() if name.lower() not in dropped}
        connection = http.client.HTTPConnection("127.0.0.1", owner.upstream_port, timeout=PATIENCE_S)
        with contextlib.closing(connection):
            connection.request(self.command, self.path, body=body, headers=headers)
            with connection.getresponse() as response:
                kept = [pair for pair in response.getheaders() if pair[0].lower() not in {"connection", "date"}]
                return response.status, kept, response.read()
