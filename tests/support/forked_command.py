"""What runs in a process forked by `forked.py`. It imports nothing that only tests use: each process would do so."""

import io
import os
import sys
from multiprocessing import reduction
from typing import IO, Any, cast

import cli


class Descriptor:
    """A file descriptor that is passed to the forked process."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._number = stream.fileno()

    def __reduce__(self) -> tuple[Any, ...]:
        return _received, (reduction.DupFd(self._number),)


def _received(duplicate: Any) -> int:
    return cast("int", duplicate.detach())


def run(arguments: list[str], cwd: str, env: dict[str, str], streams: list[int]) -> None:
    """Run the command in this process, with these descriptors as its standard streams."""
    os.setpgid(0, 0)  # as a shell starts each command
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    for number, descriptor in enumerate(streams):
        os.dup2(descriptor, number)
        os.close(descriptor)
    sys.stdin = io.TextIOWrapper(io.FileIO(0, closefd=False))
    sys.argv = arguments
    cli.main()
