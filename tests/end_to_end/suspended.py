"""Runs `rendercast` with clocks that are ahead by the seconds in a file: `python suspended.py FILE COMMAND …`.

While a process is stopped by SIGSTOP, the clocks of the machine run on. A test that increases the number in the file
meanwhile need not wait that long.
"""

import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import cli
from services.clock import SystemClock

FILE = Path(sys.argv.pop(1))


def skipped_s() -> float:
    return float(FILE.read_text())


def now(self: SystemClock) -> datetime:  # noqa: ARG001  # a method
    return datetime.now(UTC) + timedelta(seconds=skipped_s())


def monotonic(self: SystemClock) -> float:  # noqa: ARG001  # a method
    return time.monotonic() + skipped_s()


if __name__ == "__main__":
    SystemClock.now = now  # type: ignore[method-assign]  # replaces the clocks of the machine
    SystemClock.monotonic = monotonic  # type: ignore[method-assign]
    cli.main()
