"""Renderer processes. One that has finished a job runs the next: the imports of a new one take 0.2 s of CPU time."""

import asyncio
import contextlib
import sys
from asyncio.subprocess import Process
from pathlib import Path
from weakref import WeakKeyDictionary

CHECKOUT = Path(__file__).resolve().parents[3]
IDLE_TIMEOUT_S = 60.0  # a process that waits for a job holds the memory of its libraries, 60 MB
MAX_MESSAGE_BYTES = 1024 * 1024  # a preview of noise has half of this
MAX_JOBS = 100  # limits what a leak in a library could keep


class Renderers:
    """Starts renderer processes, and keeps those that wait for a job, each for at most `idle_timeout_s`."""

    def __init__(self, *, idle_timeout_s: float = IDLE_TIMEOUT_S, max_jobs: int = MAX_JOBS) -> None:
        self._idle_timeout_s = idle_timeout_s
        self._max_jobs = max_jobs
        self._idle: dict[Process, asyncio.TimerHandle] = {}
        self._jobs: WeakKeyDictionary[Process, int] = WeakKeyDictionary()

    async def take(self) -> Process:
        """Return a process that waits for a job; the caller ends it or gives it back. Raises `OSError`."""
        while self._idle:
            process, timer = self._idle.popitem()
            timer.cancel()
            if process.returncode is None:
                return process
        return await _spawn()

    def give_back(self, process: Process) -> None:
        """Keep a process that has finished its job for the next ones."""
        self._jobs[process] = self._jobs.get(process, 0) + 1
        self._idle[process] = asyncio.get_running_loop().call_later(self._idle_timeout_s, self._end, process)
        if self._jobs[process] == self._max_jobs:
            self._end(process)

    def _end(self, process: Process) -> None:
        """Close the standard input of an idle process, which ends it."""
        self._idle.pop(process).cancel()
        if process.stdin is not None:
            process.stdin.close()

    async def close(self) -> None:
        """Kill the idle processes and wait for their ends."""
        processes = list(self._idle)
        for process in processes:
            self._idle.pop(process).cancel()
            with contextlib.suppress(ProcessLookupError):
                process.kill()
        for process in processes:
            await process.wait()


async def _spawn() -> Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "services.backends.text.child",
        cwd=CHECKOUT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=MAX_MESSAGE_BYTES,
        start_new_session=True,  # only the parent receives a terminal's Ctrl-C; it then ends its children
    )
