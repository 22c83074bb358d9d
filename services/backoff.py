"""How long to wait before trying again."""

import random
from datetime import datetime, timedelta

from services.ports import Clock


def backoff_s(failures: int, *, first_s: float = 0.5, longest_s: float = 30.0) -> float:
    """Return seconds to wait after this many failures in a row: doubling, between half and the whole of it.

    The randomness keeps many workers from coming back at the same moment.
    """
    ceiling = min(longest_s, first_s * 2.0 ** min(max(failures, 1) - 1, 30))
    return ceiling * random.uniform(0.5, 1.0)


class GrowingPause:
    """A time in which nothing is tried, longer after each failure until something succeeds."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._failures = 0
        self._until: datetime | None = None

    @property
    def left_s(self) -> float:
        """How many seconds are left of it, 0.0 if it is over."""
        return 0.0 if self._until is None else max(0.0, (self._until - self._clock.now()).total_seconds())

    def fail(self) -> None:
        """Begin a pause; failures during one are of the same cause and change nothing."""
        if not self.left_s:
            self._failures += 1
            self._until = self._clock.now() + timedelta(seconds=backoff_s(self._failures))

    def succeed(self) -> None:
        """End it; the next one is short again."""
        self._failures = 0
        self._until = None


def poll_interval_s(shortest_s: float, *, unchanged: int) -> float:
    """Return seconds to wait after this many polls in a row that told nothing new: from the fourth on up to twice.

    The randomness, up to a fifth less, keeps what began together from being asked for together.
    """
    return shortest_s * min(2.0, 1.25 ** max(0, min(unchanged, 10) - 3)) * random.uniform(0.8, 1.0)
