"""The CPU cores that renders on this machine share."""

import os
from pathlib import Path

_CONTAINER_LIMIT = Path("/sys/fs/cgroup/cpu.max")


def available_cores(limit: Path = _CONTAINER_LIMIT) -> int:
    """Return how many cores this process may use: those of the machine, or the `limit` of its container, rounded.

    The file has a quota and a period, or `max` instead of the quota:
    https://docs.kernel.org/admin-guide/cgroup-v2.html#cpu-interface-files.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = (int(number) for number in limit.read_text().split())
    except (OSError, ValueError):  # there is no limit
        return cores
    return max(1, min(cores, round(quota / period)))
