"""The processes of a render host: the memory and CPU time that they use, and the end of all of them.

All of it reads `/proc`. Without it, as on macOS, these are unknown, and only the host and its process group are killed:
the host itself kills its browser when it ends, unless it is killed by SIGKILL.
"""

import contextlib
import logging
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

_PROC = Path("/proc")
_CONTAINER_LIMIT = Path("/sys/fs/cgroup/memory.max")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_MAX_KILLS = 100
_KILL_INTERVAL_S = 0.02

log = logging.getLogger(__name__)


def total_memory_bytes() -> int:
    """Return the memory of this machine, or the limit of its container."""
    limit = _read_path(_CONTAINER_LIMIT).strip()
    machine = os.sysconf("SC_PHYS_PAGES") * _PAGE_BYTES
    return min(machine, int(limit)) if limit.isdigit() else machine  # `max` means no limit


def is_cpu_time_known() -> bool:
    """Return whether this system reports the CPU time of processes."""
    return _PROC.is_dir()


def memory_bytes(pid: int) -> int | None:
    """Return the memory of a process and its descendants, without what they share; None if it is unknown."""
    if not _PROC.is_dir():
        return None
    return sum(_unshared_bytes(each) for each in _tree(pid))


def cpu_time_s(pid: int) -> float:
    """Return the CPU time that a process and its descendants have used, also those that have ended; 0.0 if unknown."""
    return sum(_cpu_ticks(each) for each in _tree(pid)) / _TICKS_PER_S if _PROC.is_dir() else 0.0


def kill_all(marker: str) -> None:
    """Kill this user's processes that have `marker` in their arguments or environment, and wait for that. Blocks."""
    found: list[int] = []
    for _ in range(_MAX_KILLS):
        found = [pid for pid in _pids() if _has_marker(pid, os.fsencode(marker))]
        if not found:
            return
        for pid in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(_KILL_INTERVAL_S)
    log.warning("processes of a render host could not be killed: %s", found)


def _pids() -> Iterator[int]:
    if _PROC.is_dir():
        yield from (int(path.name) for path in _PROC.iterdir() if path.name.isdigit() and int(path.name) != os.getpid())


def _has_marker(pid: int, marker: bytes) -> bool:
    """Return whether a process of this user that is not a zombie has the marker. A zombie's files are empty."""
    return _is_own(pid) and any(marker in _read(pid, name) for name in ("environ", "cmdline"))


def _is_own(pid: int) -> bool:
    """Return whether a process belongs to this user. The files of a sandboxed one belong to root."""
    return b"\nUid:\t%d\t" % os.getuid() in _read(pid, "status")


def _tree(pid: int) -> Iterator[int]:
    yield pid
    with contextlib.suppress(OSError):  # it has ended
        for task in (_PROC / str(pid) / "task").iterdir():
            for child in _read_path(task / "children").split():
                yield from _tree(int(child))


def _unshared_bytes(pid: int) -> int:
    fields = _read(pid, "statm").split()
    return (int(fields[1]) - int(fields[2])) * _PAGE_BYTES if fields else 0


def _cpu_ticks(pid: int) -> int:
    """Return the sum of utime, stime, cutime and cstime: fields 14 to 17 of `stat`, of which the second has spaces."""
    _, _, fields = _read(pid, "stat").rpartition(b")")
    return sum(int(ticks) for ticks in fields.split()[11:15])


def _read(pid: int, name: str) -> bytes:
    return _read_path(_PROC / str(pid) / name)


def _read_path(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:  # the process has ended, or belongs to another user
        return b""
