"""An S3 bucket in memory, as far as the Lambda function and its clients need it."""

import hashlib
import time
from collections import Counter
from collections.abc import Callable
from email.utils import formatdate
from typing import Self, cast
from urllib.parse import unquote, urlsplit

from tests.support.local_server import LocalHandler, LocalServer
from tests.support.server_process import free_port


class MemoryBucket:
    """A bucket that is fast enough for hundreds of concurrent renders. It serves GET and HEAD, without authentication.

    Responses are dated by `now`, in seconds since 1970.
    """

    def __init__(self, *, now: Callable[[], float] = time.time) -> None:
        self.now = now
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.requests: Counter[str] = Counter()
        self._objects: dict[str, bytes] = {}
        self._server: LocalServer | None = None

    def __enter__(self) -> Self:
        self._server = LocalServer(self.port, _Handler, self)
        return self

    def __exit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.stop()

    def put(self, bucket: str, key: str, body: bytes, content_type: str = "") -> None:
        del content_type
        self._objects[f"{bucket}/{key}"] = body

    def get(self, bucket: str, key: str) -> bytes | None:
        return self._objects.get(f"{bucket}/{key}")

    def keys(self, bucket: str, prefix: str = "") -> list[str]:
        return [path.partition("/")[2] for path in tuple(self._objects) if path.startswith(f"{bucket}/{prefix}")]

    def delete(self, bucket: str, key: str) -> None:
        self._objects.pop(f"{bucket}/{key}", None)


class _Handler(LocalHandler):
    def do_GET(self) -> None:  # noqa: N802  # the name that http.server calls
        bucket = cast("MemoryBucket", cast("LocalServer", self.server).owner)
        name, _, key = unquote(urlsplit(self.path).path).lstrip("/").partition("/")
        body = bucket.get(name, key) if key else b""  # the bucket itself always exists
        bucket.requests[self.command] += 1
        if body is None:
            self.respond(404, [], b"")
            return
        etag = f'"{hashlib.md5(body).hexdigest()}"'  # noqa: S324  # what S3 does
        unchanged = self.headers.get("If-None-Match") == etag
        date = formatdate(bucket.now(), usegmt=True)
        headers = [("Date", date), ("ETag", etag), ("Content-Type", "application/json")]
        self.respond(304 if unchanged else 200, headers, b"" if unchanged else body)

    do_HEAD = do_GET  # noqa: N815  # and this
