"""An S3 server for tests, run as a process, and a proxy in front of it that injects S3's errors."""

import contextlib
import html
import http.client
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from email.utils import formatdate
from enum import Enum, auto
from pathlib import Path
from typing import Protocol, Self, cast
from urllib.parse import quote

from tests.support.local_server import LocalHandler, LocalServer
from tests.support.server_process import TIMEOUT_S, ServerProcess, free_port

COMMAND = Path(sys.executable).with_name("moto_server")
# The server accepts any signature, but treats requests without one as anonymous and denies access to objects.
SIGNED = {"Authorization": "AWS4-HMAC-SHA256 Credential=test/20200101/us-east-1/s3/aws4_request, Signature=0"}


# What a client of S3 raises while it is unavailable.
S3_UNAVAILABLE = (OSError, http.client.HTTPException)


class S3Error(Exception):
    """The server responded with an error; `code` is S3's error code, such as `NoSuchBucket`."""

    def __init__(self, status: int, body: bytes) -> None:
        code = re.search(rb"<Code>(.*?)</Code>", body)
        message = re.search(rb"<Message>(.*?)</Message>", body)
        self.status = status
        self.code = code[1].decode() if code else str(status)
        super().__init__(message[1].decode() if message else self.code)


class ObjectStore(Protocol):
    """Reads and writes objects without a client of S3."""

    def put(self, bucket: str, key: str, body: bytes, content_type: str = ...) -> None:
        """Store an object."""
        ...

    def get(self, bucket: str, key: str) -> bytes | None:
        """Return an object's content; None if it doesn't exist."""
        ...

    def keys(self, bucket: str, prefix: str = "") -> list[str]:
        """Return the keys of a bucket that start with `prefix`, in order."""
        ...

    def delete(self, bucket: str, key: str) -> None:
        """Delete an object, if it exists."""
        ...


class S3Server(ServerProcess):
    """A server that stores everything in memory, so that killing it loses all objects.

    It serves about 300 requests per second, each over a new connection.
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
        """Create a bucket, unless it exists."""
        self._request("PUT", f"/{name}")

    def put(self, bucket: str, key: str, body: bytes, content_type: str = "application/octet-stream") -> None:
        """Store an object. Raises `S3Error`, for example if there is no such bucket."""
        self._request("PUT", _path(bucket, key), body, {"Content-Type": content_type})

    def get(self, bucket: str, key: str) -> bytes | None:
        """Return an object's content; None if it doesn't exist."""
        try:
            return self._request("GET", _path(bucket, key))
        except S3Error as error:
            if error.code in {"NoSuchKey", "NoSuchBucket"}:
                return None
            raise

    def keys(self, bucket: str, prefix: str = "") -> list[str]:
        """Return the keys of a bucket that start with `prefix`, in order."""
        return [key for page in self._pages(bucket, prefix) for key in re.findall(r"<Key>(.*?)</Key>", page)]

    def delete(self, bucket: str, key: str) -> None:
        """Delete an object, if it exists."""
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
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT_S)
        with contextlib.closing(connection):
            connection.request(method, path, body=body, headers={**SIGNED, **(headers or {})})
            with connection.getresponse() as response:
                content = response.read()
        if response.status >= http.HTTPStatus.BAD_REQUEST:
            raise S3Error(response.status, content)
        return content

    def _command(self) -> Sequence[str | Path]:
        return [COMMAND, "-H", "127.0.0.1", "-p", str(self.port)]

    def _answers(self) -> bool:
        with contextlib.suppress(OSError):
            self._request("GET", "/")
            return True
        return False


def _path(bucket: str, key: str) -> str:
    return f"/{bucket}/{quote(key)}"


class S3Fault(Enum):
    """A fault in a response of S3."""

    SLOW_DOWN = auto()
    INTERNAL_ERROR = auto()
    EXPIRED_TOKEN = auto()
    ACCESS_DENIED = auto()
    NOT_IMPLEMENTED = auto()
    CONFLICT = auto()  # of a conditional request with another one for the same key
    DELAYED = auto()  # the response is correct but late
    RESET = auto()  # the connection is reset instead; the request isn't passed on
    HUNG = auto()  # no response until the client gives up
    HELD = auto()  # a correct response, but not before `FaultyS3.release`


# https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
ERROR_RESPONSES = {
    S3Fault.SLOW_DOWN: (503, "SlowDown", "Please reduce your request rate."),
    S3Fault.INTERNAL_ERROR: (500, "InternalError", "We encountered an internal error. Please try again."),
    S3Fault.EXPIRED_TOKEN: (400, "ExpiredToken", "The provided token has expired."),
    S3Fault.ACCESS_DENIED: (403, "AccessDenied", "Access Denied"),
    S3Fault.NOT_IMPLEMENTED: (501, "NotImplemented", "A header you provided implies functionality"),
    S3Fault.CONFLICT: (409, "ConditionalRequestConflict", "The conditional request cannot succeed due to a conflict."),
}
ACLS_DISABLED = (400, "AccessControlListNotSupported", "The bucket does not allow ACLs")
# The ACL that https://docs.aws.amazon.com/AmazonS3/latest/userguide/about-object-ownership.html permits nevertheless.
ACCEPTED_ACLS = {"bucket-owner-full-control"}


@dataclass(frozen=True, slots=True)
class LoggedRequest:
    """A request and the status of its response; 0 if there was none."""

    method: str
    path: str
    status: int


@dataclass(slots=True)
class _InjectedFault:
    fault: S3Fault
    left: int | None
    method: str
    containing: str
    seconds: float


class FaultyS3:
    """A proxy on its own port that forwards requests to S3, except those that a test lets fail.

    `held` is the number of requests that were HELD. The Date header of its responses is `now`, which can be set, in
    seconds since 1970. Requests that set an ACL get the error `acl_error`, if there is one. Headers whose lower-case
    names are in `ignored_headers` have no effect.
    """

    def __init__(self, server: S3Server, *, now: Callable[[], float] = time.time) -> None:
        self.now = now
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.upstream_port = server.port
        self.requests: list[LoggedRequest] = []
        self.acl_error: tuple[int, str, str] | None = None
        self.ignored_headers: set[str] = set()
        self.held = 0
        self.released = threading.Event()
        self._lock = threading.Lock()
        self._faults: list[_InjectedFault] = []
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
        self, fault: S3Fault, *, times: int | None = None, method: str = "", containing: str = "", seconds: float = 0.0
    ) -> None:
        """Let the next `times` requests fail, or all until `clear_faults`.

        If given, only requests with this method and with `containing` in their path. `seconds` is the delay of DELAYED.
        """
        with self._lock:
            self._faults.append(_InjectedFault(fault, times, method, containing, seconds))

    def clear_faults(self) -> None:
        """Remove all injected faults."""
        with self._lock:
            self._faults.clear()

    def release(self) -> None:
        """Remove all injected faults, and answer the requests that are HELD."""
        self.clear_faults()
        self.released.set()

    def count(self, method: str = "", containing: str = "", status: int | None = None) -> int:
        """Return the number of requests; if given, with this method, `containing` in the path, and this status."""
        seen = [each for each in tuple(self.requests) if method in {"", each.method} and containing in each.path]
        return sum(status in {None, each.status} for each in seen)

    def next_fault(self, method: str, path: str) -> tuple[S3Fault | None, float]:
        """Return the fault of the response to a request, and its delay in seconds."""
        with self._lock:
            for injected in self._faults:
                if injected.left != 0 and injected.method in {"", method} and injected.containing in path:
                    injected.left = None if injected.left is None else injected.left - 1
                    return injected.fault, injected.seconds
        return None, 0.0


def error_response(status: int, code: str, message: str, **more: str) -> tuple[int, list[tuple[str, str]], bytes]:
    """Return the status, headers and body of an error response of S3, with `more` elements in the body."""
    values = {"Code": code, "Message": message, **more, "RequestId": "R", "HostId": "H"}
    error = "".join(f"<{name}>{html.escape(value)}</{name}>" for name, value in values.items())
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error>{error}</Error>'
    return status, [("Content-Type", "application/xml")], body.encode()


class _Proxy(LocalHandler):
    def do_GET(self) -> None:  # noqa: N802 - http.server looks for this name
        server = cast("LocalServer", self.server)
        owner = cast("FaultyS3", server.owner)
        body = self.body()
        fault, seconds = owner.next_fault(self.command, self.path)
        server.stopping.wait(seconds)
        if fault is S3Fault.HELD:
            owner.held += 1
            owner.released.wait(TIMEOUT_S)
        if fault is S3Fault.RESET or fault is S3Fault.HUNG:
            owner.requests.append(LoggedRequest(self.command, self.path, 0))
            self.reset() if fault is S3Fault.RESET else self.hold()
            return
        error = ERROR_RESPONSES.get(fault) if fault else None
        if owner.acl_error and self.headers.get("x-amz-acl", "bucket-owner-full-control") not in ACCEPTED_ACLS:
            error = error or owner.acl_error
        status, headers, content = error_response(*error) if error else self._forward(owner, body)
        owner.requests.append(LoggedRequest(self.command, self.path, status))
        self.respond(status, [("Date", formatdate(owner.now(), usegmt=True)), *headers], content)

    do_HEAD = do_PUT = do_POST = do_DELETE = do_GET  # noqa: N815 - http.server looks for these names

    def _forward(self, owner: FaultyS3, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        dropped = {"expect", "connection", "transfer-encoding", "content-length", *owner.ignored_headers}
        headers = {name: value for name, value in self.headers.items() if name.lower() not in dropped}
        connection = http.client.HTTPConnection("127.0.0.1", owner.upstream_port, timeout=TIMEOUT_S)
        with contextlib.closing(connection):
            connection.request(self.command, self.path, body=body, headers=headers)
            with connection.getresponse() as response:
                kept = [pair for pair in response.getheaders() if pair[0].lower() not in {"connection", "date"}]
                return response.status, kept, response.read()
