"""s3rver, an S3 server in Node that verifies signatures. It knows no conditional writes, as some storages.

Its tests are skipped without Node or its npm packages. Set NODE=/usr/bin/node to run them in any case.
"""

import os
import shutil
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import pytest

from tests.support.server_process import ServerProcess

FOLDER = Path(__file__).parents[1] / "s3rver"
PROGRAM = FOLDER / "node_modules" / "s3rver" / "bin" / "s3rver.js"
NODE = os.environ.get("NODE") or shutil.which("node") or ""
KEY = "S3RVER"  # the only access key ID, and its secret

needs_s3rver = pytest.mark.skipif(
    "NODE" not in os.environ and not (NODE and PROGRAM.exists()),
    reason="needs Node (NODE= or `node` on the path) and tests/s3rver/node_modules (`npm ci --prefix tests/s3rver`)",
)


class S3rver(ServerProcess):
    """A server with one bucket, whose objects are files."""

    def __init__(self, folder: Path, bucket: str) -> None:
        super().__init__(folder / "s3rver-log")
        self.url = f"http://127.0.0.1:{self.port}"
        self._folder = folder / "s3rver"
        self._bucket = bucket

    def __enter__(self) -> Self:
        self._folder.mkdir(exist_ok=True)
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _command(self) -> Sequence[str | Path]:
        listening = ["--address", "127.0.0.1", "--port", str(self.port), "--no-vhost-buckets"]
        return [NODE, PROGRAM, *listening, "--directory", self._folder, "--configure-bucket", self._bucket]

    def _answers(self) -> bool:
        try:
            urllib.request.urlopen(f"{self.url}/", timeout=5)  # noqa: S310  # it rejects requests without a signature
        except urllib.error.HTTPError:
            return True
        except OSError:
            return False
        return True
