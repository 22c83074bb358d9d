"""What each server for tests is: a process on a free port, stopped by the process id that started it."""

import contextlib
import os
import signal
import socket
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

PATIENCE_S = 30.0


class ServerProcess(ABC):
    """A server that can be killed, started again on the same port, and paused."""

    def __init__(self, log: Path) -> None:
        self.port = free_port()
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command(), stdout=log, stderr=log)
        until = time.monotonic() + PATIENCE_S
        while not self._answers():
            assert self._process.poll() is None, self._log.read_text()
            assert time.monotonic() < until, "the server doesn't answer"
            time.sleep(0.01)

    def stop(self, number: signal.Signals = signal.SIGKILL) -> None:
        """End it, by default at once and also while it is paused."""
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

    @abstractmethod
    def _command(self) -> Sequence[str | Path]: ...

    @abstractmethod
    def _answers(self) -> bool: ...


def free_port() -> int:
    """Return a port of the loopback interface that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port
