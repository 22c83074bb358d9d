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

    def running(self) -> Mapping[str, bool]:
        """Return for each loop, by name, whether it has started and has not stalled."""
        ticks = {name: loop.last_tick_at for name, loop in self._loops.items()}
        return {name: at is not None and not self._is_silent(at) for name, at in ticks.items()}

    def _is_silent(self, last_tick_at: datetime) -> bool:
        return self._clock.now() - last_tick_at > MAX_SILENCE
