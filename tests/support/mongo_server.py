"""A MongoDB-compatible server for tests, from a Python package."""

import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from pymongo import MongoClient
from pymongo.errors import PyMongoError

from tests.support.server_process import ServerProcess

COMMAND = Path(sys.executable).with_name("secantusd-py")


class MongoServer(ServerProcess):
    """A server that stores its data in a folder. With `authenticates`, the next start requires users."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder.parent / "mongo-log")
        self.url = f"mongodb://127.0.0.1:{self.port}"
        self.authenticates = False
        self._folder = folder

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Stop the server, by default gracefully."""
        super().stop(number)

    def _command(self) -> Sequence[str | Path]:
        options = ["--host", "127.0.0.1", "--port", str(self.port), "--storage-path", str(self._folder)]
        if self.authenticates:
            options.append("--auth")
        return [COMMAND, *options, "--sync-on-commit", "--log-level", "ERROR"]

    def _answers(self) -> bool:
        with MongoClient[dict[str, object]](self.url, serverSelectionTimeoutMS=200) as client:
            try:
                client.admin.command("ping")
            except PyMongoError:
                return False
            return True
