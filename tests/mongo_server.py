"""A MongoDB server for tests, from a Python package, on a free port, stopped by the process id that started it."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from pymongo import MongoClient
from pymongo.errors import PyMongoError

COMMAND = Path(sys.executable).with_name("secantusd-py")
PATIENCE_S = 30.0


class MongoServer:
    """A server that can be killed, started again on the same port with the same data, and paused."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.url = f"mongodb://127.0.0.1:{self.port}"
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers."""
        options = ["--host", "127.0.0.1", "--port", str(self.port), "--storage-path", str(self._folder)]
        with (self._folder.parent / "mongo-log").open("ab") as log:
            self._process = subprocess.Popen(
                [COMMAND, *options, "--sync-on-commit", "--log-level", "ERROR"], stdout=log, stderr=log
            )
        until = time.monotonic() + PATIENCE_S
        with MongoClient[dict[str, object]](self.url, serverSelectionTimeoutMS=200) as client:
            while True:
                try:
                    client.admin.command("ping")
                except PyMongoError:
                    assert self._process.poll() is None, "the server ended"
                    assert time.monotonic() < until, "the server doesn't answer"
                else:
                    return

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """End it, by default in order."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(number)
            self._process.wait(PATIENCE_S)
            self._process = None

    def pause(self) -> None:
        """Stop it from doing anything, as a machine that hangs."""
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGSTOP)
        os.waitpid(self._process.pid, os.WUNTRACED)

    def go_on(self) -> None:
        """Let it do what it was about to."""
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGCONT)


def free_port() -> int:
    """Return a port of the loopback interface that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port
