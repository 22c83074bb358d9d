"""Lambda and S3 in a process of their own, so that what they cost is not taken for the cost of their client.

`python -m benchmarks.render_farm SECONDS STEPS` plays renders of that length, whose progress changes so often. It
prints the URLs of both as a line of JSON, and another line with what it was asked for each time it is sent a line. The
bucket keeps objects in memory and checks no signatures, so that it holds up nobody.
"""

import hashlib
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast
from urllib.parse import unquote, urlsplit

from tests.lambda_server import LambdaServer
from tests.mongo_server import free_port
from tests.s3_server import LocalHandler, LocalServer, S3Server

BUCKET = "remotionlambda-useast1-abcdefghij"


class MemoryBucket:
    """What a function and its clients need of S3."""

    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.requests: Counter[str] = Counter()
        self._objects: dict[str, bytes] = {}

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
    def do_GET(self) -> None:  # noqa: N802  # http.server looks for this name
        bucket = cast("MemoryBucket", cast("LocalServer", self.server).owner)
        body = bucket.get(*unquote(urlsplit(self.path).path).lstrip("/").partition("/")[::2])
        bucket.requests[self.command] += 1
        if body is None:
            self.answer(404, [], b"")
            return
        etag = f'"{hashlib.md5(body).hexdigest()}"'  # noqa: S324  # what S3 does
        unchanged = self.headers.get("If-None-Match") == etag
        headers = [("ETag", etag), ("Content-Type", "application/json")]
        self.answer(304 if unchanged else 200, headers, b"" if unchanged else body)

    do_HEAD = do_GET  # noqa: N815  # and this


class RenderFarm:
    """The process, and how to reach it."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.urls = self._read()

    def asked(self) -> dict[str, int]:
        """Return how many invocations and requests there have been of each kind."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return cast("dict[str, int]", self._read())

    def _read(self) -> Any:
        assert self._process.stdout is not None
        return json.loads(self._process.stdout.readline())


@contextmanager
def render_farm(*, seconds: float, steps: int) -> Iterator[RenderFarm]:
    """Run one."""
    command = [sys.executable, "-m", "benchmarks.render_farm", str(seconds), str(steps)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield RenderFarm(process)
        finally:
            process.kill()


def _main(seconds: float, steps: int) -> None:
    bucket = MemoryBucket()
    storage = LocalServer(bucket.port, _Handler, bucket)
    with LambdaServer(cast("S3Server", bucket), seconds_per_render=seconds, steps=steps) as function:
        print(json.dumps({"AWS_ENDPOINT_URL_LAMBDA": function.url, "AWS_ENDPOINT_URL_S3": bucket.url}), flush=True)
        for _ in sys.stdin:
            print(json.dumps(function.invocations + bucket.requests), flush=True)
    storage.stop()


if __name__ == "__main__":
    _main(float(sys.argv[1]), int(sys.argv[2]))
