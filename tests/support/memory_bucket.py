"""An S3 bucket in memory, as far as the Lambda function and its clients need it."""

import hashlib
import re
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Self, cast
from urllib.parse import unquote, urlsplit

from tests.support.local_server import LocalHandler, LocalServer
from tests.support.s3_server import error_response
from tests.support.server_process import free_port

RANGE = re.compile(r"bytes=(\d+)-(\d*)|bytes=-(\d+)")


@dataclass(frozen=True, slots=True)
class S3Response:
    """A response to a request; `body` is sent unless the request was HEAD."""

    status: int
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""


class MemoryObjects:
    """The objects of all buckets, which always exist, and the requests for single ones.

    Responses are dated by `now`, in seconds since 1970.
    """

    def __init__(self, *, now: Callable[[], float] = time.time) -> None:
        self.now = now
        self.objects: dict[str, bytes] = {}

    def put(self, bucket: str, key: str, body: bytes, content_type: str = "") -> None:
        del content_type
        self.objects[f"{bucket}/{key}"] = body

    def get(self, bucket: str, key: str) -> bytes | None:
        return self.objects.get(f"{bucket}/{key}")

    def keys(self, bucket: str, prefix: str = "") -> list[str]:
        return [path.partition("/")[2] for path in tuple(self.objects) if path.startswith(f"{bucket}/{prefix}")]

    def delete(self, bucket: str, key: str) -> None:
        self.objects.pop(f"{bucket}/{key}", None)

    def request(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> S3Response:
        """Return the response to GET, HEAD, PUT or DELETE of `/BUCKET` or `/BUCKET/KEY`, without authentication."""
        bucket, _, key = unquote(path).lstrip("/").partition("/")
        given = {name.lower(): value for name, value in headers.items()}
        if not key:
            return S3Response(200)
        if method == "PUT":
            is_chunked = "aws-chunked" in given.get("content-encoding", "")
            return self._put(bucket, key, given.get("if-none-match"), _without_chunks(body) if is_chunked else body)
        if method == "DELETE":
            self.delete(bucket, key)
            return S3Response(204)
        return self._get(self.get(bucket, key), given)

    def _put(self, bucket: str, key: str, if_none_match: str | None, body: bytes) -> S3Response:
        if if_none_match == "*" and self.get(bucket, key) is not None:
            message = "At least one of the pre-conditions you specified did not hold"
            return S3Response(*error_response(412, "PreconditionFailed", message, Condition="If-None-Match"))
        self.put(bucket, key, body)
        return S3Response(200, [("ETag", _etag(body))])

    def _get(self, stored: bytes | None, headers: Mapping[str, str]) -> S3Response:
        date = ("Date", formatdate(self.now(), usegmt=True))
        if stored is None:
            status, extra, body = error_response(404, "NoSuchKey", "The specified key does not exist.")
            return S3Response(status, [date, *extra], body)
        described = [date, ("ETag", _etag(stored)), ("Content-Type", "application/json"), ("Accept-Ranges", "bytes")]
        if headers.get("if-none-match") == _etag(stored):
            return S3Response(304, described)
        if found := RANGE.fullmatch(headers.get("range", "")):
            return _part(stored, found, described)
        return S3Response(200, [*described, ("Content-Length", str(len(stored)))], stored)


class MemoryBucket(MemoryObjects):
    """Buckets on a port, fast enough for hundreds of concurrent renders."""

    def __init__(self, *, now: Callable[[], float] = time.time) -> None:
        super().__init__(now=now)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.requests: Counter[str] = Counter()
        self._server: LocalServer | None = None

    def __enter__(self) -> Self:
        self._server = LocalServer(self.port, _Handler, self)
        return self

    def __exit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.stop()


def _without_chunks(body: bytes) -> bytes:
    """Return the content of a body that is sent in chunks with a checksum at its end, as boto3 sends it over TLS."""
    content, rest = b"", body
    while size := int((line := rest.partition(b"\r\n"))[0].split(b";")[0], 16):
        content, rest = content + line[2][:size], line[2][size + 2 :]
    return content


def _etag(body: bytes) -> str:
    return f'"{hashlib.md5(body).hexdigest()}"'  # noqa: S324  # what S3 does


def _part(stored: bytes, found: re.Match[str], headers: list[tuple[str, str]]) -> S3Response:
    size = len(stored)
    first = int(found[1]) if found[1] else max(0, size - int(found[3]))
    last = min(int(found[2]), size - 1) if found[2] else size - 1
    if first > last:
        status, extra, body = error_response(416, "InvalidRange", "The requested range is not satisfiable")
        return S3Response(status, [*extra, ("Content-Range", f"bytes */{size}")], body)
    where = [("Content-Range", f"bytes {first}-{last}/{size}"), ("Content-Length", str(last - first + 1))]
    return S3Response(206, headers + where, stored[first : last + 1])


class _Handler(LocalHandler):
    def do_GET(self) -> None:  # noqa: N802  # the name that http.server calls
        bucket = cast("MemoryBucket", cast("LocalServer", self.server).owner)
        bucket.requests[self.command] += 1
        response = bucket.request(self.command, urlsplit(self.path).path, dict(self.headers), self.body())
        self.respond(response.status, response.headers, response.body)

    do_HEAD = do_PUT = do_DELETE = do_GET  # noqa: N815  # and these
