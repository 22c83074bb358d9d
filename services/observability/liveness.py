"""Whether a process goes on: its loops tick. For whoever restarts it, over its own port or that of its metrics."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from services.runtime.services import Services

LONGEST_SILENCE = timedelta(seconds=90)  # longer than any interval or wait after a fault
ALIVE = "alive"


class Liveness:
    """Reads when each loop last ticked. One that never did counts from when this was made."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._made_at = services.clock.now()

    def fault(self) -> str | None:
        """Return what is amiss, so that only a restart can help; None if nothing is."""
        for name, last_tick_at in self._ticks():
            if self._is_silent(last_tick_at or self._made_at):
                return f"the {name} has been silent for too long"
        return None

    def not_running(self) -> str | None:
        """Return the first loop that hasn't begun or has been silent for too long; None if all run."""
        for name, last_tick_at in self._ticks():
            if last_tick_at is None or self._is_silent(last_tick_at):
                return f"the {name} is not running"
        return None

    def _ticks(self) -> Iterator[tuple[str, datetime | None]]:
        yield "hub", self._services.hub.last_tick_at
        if self._services.tracker is not None:
            yield "worker", self._services.tracker.last_tick_at
        if self._services.deliverer is not None:
            yield "deliverer of webhooks", self._services.deliverer.last_tick_at

    def _is_silent(self, last_tick_at: datetime) -> bool:
        return self._services.clock.now() - last_tick_at > LONGEST_SILENCE
