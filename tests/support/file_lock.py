"""A lock between the processes that run tests."""

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

TIMEOUT_S = 600.0  # some bundles of a project on a busy machine


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Hold the lock at `path`. The end of the process releases it too."""
    until = time.monotonic() + TIMEOUT_S
    with path.open("w") as file:
        while not _takes(file.fileno()):
            assert time.monotonic() < until, f"another process holds {path}"
            time.sleep(0.1)
        yield


def _takes(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
