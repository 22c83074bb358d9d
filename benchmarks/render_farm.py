"""Test doubles of Lambda and S3 in a separate process, so that their CPU time is not counted as the client's.

`python -m benchmarks.render_farm SECONDS STEPS` simulates renders of that length whose progress changes STEPS times. It
prints the URLs of both as a line of JSON and, for each line that it reads, a line with the numbers of invocations and
requests. The bucket stores objects in memory and checks no signatures, so that it is not the bottleneck.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

from tests.support.lambda_server import LambdaServer
from tests.support.memory_bucket import MemoryBucket


class RenderFarm:
    """The process and its URLs."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.urls = self._read()

    def request_counts(self) -> dict[str, int]:
        """Return the number of invocations and requests so far, by kind."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return cast("dict[str, int]", self._read())

    def _read(self) -> Any:
        assert self._process.stdout is not None
        return json.loads(self._process.stdout.readline())


@contextmanager
def render_farm(*, seconds: float, steps: int) -> Iterator[RenderFarm]:
    """Yield a farm, and kill its process on exit."""
    command = [sys.executable, "-m", "benchmarks.render_farm", str(seconds), str(steps)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield RenderFarm(process)
        finally:
            process.kill()


def _main(seconds: float, steps: int) -> None:
    with (
        MemoryBucket() as bucket,
        LambdaServer(bucket, seconds_per_render=seconds, steps=steps) as function,
    ):
        print(json.dumps({"AWS_ENDPOINT_URL_LAMBDA": function.url, "AWS_ENDPOINT_URL_S3": bucket.url}), flush=True)
        for _ in sys.stdin:
            print(json.dumps(function.invocations + bucket.requests), flush=True)


if __name__ == "__main__":
    _main(float(sys.argv[1]), int(sys.argv[2]))
