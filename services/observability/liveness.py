"""Liveness of a process: whether its background loops are running."""

from collections.abc import Mapping

from services.background.supervision import BackgroundLoop
from services.ports import Clock

MAX_SILENCE_S = 90.0  # longer than any interval between ticks and any delay after a failure
ALIVE = "alive"


class Liveness:
    """Checks when each loop last ticked. For a loop that has not ticked yet, the creation of this object counts."""

    def __init__(self, loops: Mapping[str, BackgroundLoop], clock: Clock) -> None:
        self._loops = loops
        self._clock = clock
        self._created_s = clock.monotonic()

    def stalled(self) -> str | None:
        """Return a sentence about the first loop that has stalled, which only a restart fixes; None if none has."""
        for name, loop in self._loops.items():
            if self._is_silent(self._created_s if loop.last_tick_s is None else loop.last_tick_s):
                return f"the {name} has not ticked for {MAX_SILENCE_S:g} seconds"
        return None

    def running(self) -> Mapping[str, bool]:
        """Return for each loop, by name, whether it has started and has not stalled."""
        ticks = {name: loop.last_tick_s for name, loop in self._loops.items()}
        return {name: tick_s is not None and not self._is_silent(tick_s) for name, tick_s in ticks.items()}

    def _is_silent(self, last_tick_s: float) -> bool:
        return self._clock.monotonic() - last_tick_s > MAX_SILENCE_S
