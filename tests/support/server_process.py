"""The base class of the test servers that run as processes."""

import atexit
import contextlib
import os
import random
import signal
import socket
import subprocess
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Sequence
from itertools import count
from pathlib import Path

TIMEOUT_S = 30.0
START_TIMEOUT_S = 120.0  # the S3 server takes 1.5 s of CPU time to start, beside other tests that use all cores
# Below those that Linux and macOS assign (ip_local_port_range), from another number in each process that runs tests.
_PORTS = count(random.SystemRandom().randrange(10_000, 31_000))
# Sockets for UDP with the numbers of the last ports. No other process that runs tests can bind them, so it chooses none
# of these ports, whether a server listens on it or not.
_RESERVED: deque[socket.socket] = deque()
MAX_RESERVED = 50


@atexit.register
def _close_reserved() -> None:
    for reserving in _RESERVED:
        reserving.close()


class ServerProcess(ABC):
    """A server on a free port of the loopback interface. It can be stopped, started on the same port, and paused."""

    def __init__(self, log: Path) -> None:
        self.port = free_port()
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the process and wait until the server responds."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command(), stdout=log, stderr=log)
        until = time.monotonic() + START_TIMEOUT_S
        while not self._answers():
            assert self._process.poll() is None, self._log.read_text()
            assert time.monotonic() < until, "the server doesn't respond"
            time.sleep(0.01)

    def stop(self, number: signal.Signals = signal.SIGKILL) -> None:
        """Send the signal and wait for the end of the process. The default ends a paused process too."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(number)
            self._process.wait(TIMEOUT_S)
            self._process = None

    def pause(self) -> None:
        """Stop the process with SIGSTOP: connections stay open and get no response."""
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGSTOP)
        os.waitpid(self._process.pid, os.WUNTRACED)

    def resume(self) -> None:
        """Continue a paused process."""
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGCONT)

    def restore(self) -> None:
        """Let the server run again, whether it runs, is paused or was stopped."""
        if self._process is None or self._process.poll() is not None:
            self.start()
        else:
            self.resume()

    @abstractmethod
    def _command(self) -> Sequence[str | Path]: ...

    @abstractmethod
    def _answers(self) -> bool: ...


def free_port() -> int:
    """Return a port of the loopback interface on which no process listens.

    It is none of those that the kernel assigns to connections and listeners, and another one each time: else another
    process could get it before the server that is started on it. Other processes that run tests don't choose it either.
    """
    for port in _PORTS:
        with contextlib.suppress(OSError):
            _reserve(port)
            with socket.create_server(("127.0.0.1", port)):
                return port
    raise AssertionError


def _reserve(port: int) -> None:
    """Reserve a port in place of the one that was reserved first. Raises `OSError` if another process has it."""
    reserving = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        reserving.bind(("127.0.0.1", port))
    except OSError:
        reserving.close()
        raise
    _RESERVED.append(reserving)
    if len(_RESERVED) > MAX_RESERVED:
        _RESERVED.popleft().close()
