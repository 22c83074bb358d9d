"""Liveness of a process: whether its background loops are running."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from services.ports import Clock
from services.supervision import BackgroundLoop

MAX_SILENCE = timedelta(seconds=90)  # longer than any interval or wait after a failure
ALIVE = "alive"


class Liveness:
    """Checks when each loop last ticked. A loop that has not ticked yet counts from the creation of this object."""

    def __init__(self, loops: Mapping[str, BackgroundLoop], clock: Clock) -> None:
        self._loops = loops
        self._clock = clock
        self._created_at = clock.now()

    def stalled(self) -> str | None:
        """Return a sentence about the first loop that has stalled, which only a restart can fix; None if all run."""
        for name, loop in self._loops.items():
            if self._is_silent(loop.last_tick_at or self._created_at):
                return f"the {name} has not ticked for {MAX_SILENCE.total_seconds():g} seconds"
        return None

    def not_running(self) -> str | None:
        """Return a sentence about the first loop that has not started or has stalled; None if all run."""
        for name, loop in self._loops.items():
            if loop.last_tick_at is None or self._is_silent(loop.last_tick_at):
                return f"the {name} is not running"
        return None

    def _is_silent(self, last_tick_at: datetime) -> bool:
        return self._clock.now() - last_tick_at > MAX_SILENCE
