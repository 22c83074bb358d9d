"""Kills the processes that tests have left, however the process that runs the tests ended.

A child process of the test process waits for the end of a pipe, which is when the test process has ended, even by
SIGKILL. Then it kills every process whose environment contains the id of the run: the servers, browsers and renderers
that tests started, and their children.
"""

import os
import signal
import sys
import uuid
from pathlib import Path

VARIABLE = "TEST_RUN_ID"
_PROCESSES = Path("/proc")


def kill_at_end() -> None:
    """Give this process's children an id in the environment, and kill them when this process has ended. Linux only."""
    if not sys.platform.startswith("linux"):
        return
    run_id = str(uuid.uuid4())
    reading, _writing = os.pipe()  # the writing end is never inherited, and closed by the end of this process
    os.posix_spawn(
        sys.executable,
        [sys.executable, "-S", "-E", __file__, run_id],
        {},
        file_actions=[
            (os.POSIX_SPAWN_DUP2, reading, 0),
            (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
            (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
        ],
        setsid=True,  # Ctrl-C in the terminal must not end it
    )
    os.close(reading)
    os.environ[VARIABLE] = run_id


def marker() -> dict[str, str]:
    """Return the variable, for processes that don't inherit the environment."""
    return {VARIABLE: os.environ[VARIABLE]} if VARIABLE in os.environ else {}


def _kill_all(run_id: str) -> None:
    variable = f"{VARIABLE}={run_id}".encode()
    for process in _PROCESSES.iterdir():
        try:
            if process.name.isdigit() and variable in (process / "environ").read_bytes().split(b"\0"):
                os.kill(int(process.name), signal.SIGKILL)
        except OSError:
            continue  # it has ended, or belongs to another user


if __name__ == "__main__":
    sys.stdin.buffer.read()
    _kill_all(sys.argv[1])
    _kill_all(sys.argv[1])  # those that were started meanwhile
