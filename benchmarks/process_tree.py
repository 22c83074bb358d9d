"""Measures a process with all its descendants while they work."""

import contextlib
import os
import threading
import time
from pathlib import Path
from typing import Self

from services.backends.remotion_node.processes import memory_bytes
from tests.support.node_processes import descendants

SAMPLE_INTERVAL_S = 0.1
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


class Meter:
    """Measures the time, the CPU time and the peak memory of what is done in its context.

    Memory is what processes do not share with others. The CPU time of a process counts until it was last sampled: most
    child processes of a browser are not waited for, so that their parent's times do not contain it.
    """

    def __init__(self) -> None:
        self.seconds = 0.0
        self.memory = 0
        self._pid: int | None = None
        self._cpu_s: dict[int, float] = {}
        self._before_s: dict[int, float] = {}
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def watch(self, pid: int) -> None:
        """Measure the tree of this process from the first call on."""
        if self._pid is None:
            self._before_s = cpu_times_s(pid)
            self._pid = pid

    @property
    def cpu_s(self) -> float:
        """The CPU time in seconds."""
        return sum(used_s - self._before_s.get(pid, 0.0) for pid, used_s in self._cpu_s.items())

    def __enter__(self) -> Self:
        self._started_s = time.perf_counter()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds = time.perf_counter() - self._started_s
        self._ends.set()
        self._thread.join()
        self._sample()

    def _run(self) -> None:
        while not self._ends.wait(SAMPLE_INTERVAL_S):
            self._sample()

    def _sample(self) -> None:
        if self._pid is not None:
            self._cpu_s |= cpu_times_s(self._pid)
            self.memory = max(self.memory, memory_bytes(self._pid) or 0)


def cpu_times_s(pid: int) -> dict[int, float]:
    """Return the CPU time of a process and of each of its descendants, in seconds."""
    found = {}
    for each in (pid, *descendants(pid)):
        with contextlib.suppress(OSError):  # it has ended
            fields = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
            found[each] = (int(fields[11]) + int(fields[12])) / TICKS_PER_S  # utime and stime
    return found
