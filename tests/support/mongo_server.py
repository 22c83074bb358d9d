"""A MongoDB-compatible server for tests, from a Python package."""

import signal
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pymongo import MongoClient
from pymongo.errors import PyMongoError

from tests.support.server_process import TIMEOUT_S, ServerProcess

TIMEOUT_MS = 30_000
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
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=TIMEOUT_S):
                pass
            with connect_to_mongo(self.url) as client:
                client.admin.command("ping")
        except (OSError, PyMongoError):
            return False
        return True


def connect_to_mongo(url: str, **options: Any) -> MongoClient[dict[str, Any]]:
    """Return a client whose calls all have a time limit, also the end of its sessions when it is closed."""
    return MongoClient(url, socketTimeoutMS=TIMEOUT_MS, **options)
