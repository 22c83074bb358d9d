"""The CPU time of a render host, and the share of each of its jobs. Without `/proc`, as on macOS, it is unknown."""

from collections.abc import Iterable
from typing import Protocol

from services.backends.remotion_node.processes import cpu_time_s


class UsesCpu(Protocol):
    """A job, with the CPU time that it has used so far."""

    cpu_s: float


class CpuTime:
    """Divides the CPU time of a process and its descendants equally among the jobs that are running."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._read_s = 0.0

    def divide(self, jobs: Iterable[UsesCpu]) -> None:
        """Add the time since the last call to the jobs. Call it before each change of what is running."""
        now_s, running = cpu_time_s(self._pid), list(jobs)
        used_s, self._read_s = now_s - self._read_s, max(now_s, self._read_s)
        for job in running:
            job.cpu_s += max(0.0, used_s) / len(running)
