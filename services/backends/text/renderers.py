"""Renderer processes. One that has finished a job runs the next: the imports of a new one take 0.2 s of CPU time."""

import asyncio
import contextlib
import logging
import sys
from asyncio.subprocess import Process
from pathlib import Path
from weakref import WeakKeyDictionary

CHECKOUT = Path(__file__).resolve().parents[3]
IDLE_TIMEOUT_S = 60.0  # a process that waits for a job holds 24 MiB of memory, and what its jobs have left
SPARE_DELAY_S = 1.0  # most renders are done by then, so that their process runs the next one; so is the server's start
MAX_MESSAGE_BYTES = 2 * 1024 * 1024  # a layout with large fonts has half of this
MAX_JOBS = 100  # limits what a leak in a library could keep

log = logging.getLogger(__name__)


class Renderers:
    """Starts renderer processes, and keeps those that wait for a job, each for at most `idle_timeout_s`.

    When none has been waiting for `spare_delay_s` since a process was taken, a spare one is started, for the next
    render during this one, or after it if this one is cancelled. With `keeps_spare` there is always one from then on.
    """

    def __init__(
        self,
        *,
        keeps_spare: bool = False,
        idle_timeout_s: float = IDLE_TIMEOUT_S,
        spare_delay_s: float = SPARE_DELAY_S,
        max_jobs: int = MAX_JOBS,
    ) -> None:
        self._keeps_spare = keeps_spare
        self._idle_timeout_s = idle_timeout_s
        self._spare_delay_s = spare_delay_s
        self._max_jobs = max_jobs
        self._idle: dict[Process, asyncio.TimerHandle | None] = {}
        self._jobs: WeakKeyDictionary[Process, int] = WeakKeyDictionary()
        self._preparing: asyncio.Task[None] | None = None
        self._starting = asyncio.Lock()

    def prepare_spare(self) -> None:
        """Start a process for the next job after `spare_delay_s`, unless one is waiting then."""
        if self._preparing is None or self._preparing.done():
            self._preparing = asyncio.create_task(self._start_spare(), name="start a spare renderer process")

    async def take(self) -> Process:
        """Return a process that waits for a job; the caller ends it or gives it back. Raises `OSError`."""
        self.prepare_spare()
        async with self._starting:  # a spare process that is just being started is taken
            while self._idle:
                process = next(reversed(self._idle))  # the newest: its caches are warm
                self._remove(process)
                if process.returncode is None:
                    return process
        return await _spawn()

    def give_back(self, process: Process) -> None:
        """Keep a process that has finished its job for the next ones."""
        self._jobs[process] = self._jobs.get(process, 0) + 1
        self._keep(process)
        if self._jobs[process] == self._max_jobs:
            self._end(process)

    def _keep(self, process: Process) -> None:
        self._idle[process] = asyncio.get_running_loop().call_later(self._idle_timeout_s, self._end, process)

    def _remove(self, process: Process) -> None:
        timer = self._idle.pop(process)
        if timer is not None:
            timer.cancel()

    def _end(self, process: Process) -> None:
        """Close the standard input of an idle process, which ends it."""
        self._remove(process)
        if process.stdin is not None:
            process.stdin.close()
        if self._keeps_spare:
            self.prepare_spare()

    async def _start_spare(self) -> None:
        """Start a process unless one waits for a job by then."""
        await asyncio.sleep(self._spare_delay_s)
        async with self._starting:
            if self._idle:
                return
            try:
                process = await _spawn()
            except OSError as error:
                log.warning("a spare renderer process can't be started: %s", error)
                return
            if self._keeps_spare:
                self._idle[process] = None
            else:
                self._keep(process)

    async def close(self) -> None:
        """Kill the idle processes and wait for their ends."""
        if self._preparing is not None:
            async with self._starting:  # the start of a process is not cancelled, but awaited
                self._preparing.cancel()
            await asyncio.wait([self._preparing])
        processes = list(self._idle)
        for process in processes:
            self._remove(process)
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
