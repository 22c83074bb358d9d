"""Liveness of a process: whether its background loops are running."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from services.ports import Clock
from services.supervision import BackgroundLoop

MAX_SILENCE = timedelta(seconds=90)  # longer than any interval between ticks and any delay after a failure
ALIVE = "alive"


class Liveness:
    """Checks when each loop last ticked. For a loop that has not ticked yet, the creation of this object counts."""

    def __init__(self, loops: Mapping[str, BackgroundLoop], clock: Clock) -> None:
        self._loops = loops
        self._clock = clock
        self._created_at = clock.now()

    def stalled(self) -> str | None:
        """Return a sentence about the first loop that has stalled, which only a restart fixes; None if none has."""
        for name, loop in self._loops.items():
            if self._is_silent(loop.last_tick_at or self._created_at):
                return f"the {name} has not ticked for {MAX_SILENCE.total_seconds():g} seconds"
        return None

    def not_running(self) -> str | None:
        """Return a sentence about the first loop that has not started or has stalled; None if all are running."""
        for name, loop in self._loops.items():
            if loop.last_tick_at is None or self._is_silent(loop.last_tick_at):
                return f"the {name} is not running"
        return None

    def _is_silent(self, last_tick_at: datetime) -> bool:
        return self._clock.now() - last_tick_at > MAX_SILENCE
