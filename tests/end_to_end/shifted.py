"""Runs `rendercast` with a clock that is off by some seconds: `python shifted.py SECONDS COMMAND …`."""

import sys
from datetime import UTC, datetime, timedelta

import cli
from services.clock import SystemClock

OFF = timedelta(seconds=float(sys.argv.pop(1)))


def shifted(self: SystemClock) -> datetime:  # noqa: ARG001  # a method
    return datetime.now(UTC) + OFF


if __name__ == "__main__":
    SystemClock.now = shifted  # type: ignore[method-assign]  # replaces the clock of the machine
    cli.main()
