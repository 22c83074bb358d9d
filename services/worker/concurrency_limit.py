"""Limits how many renders a worker runs at once, from the backend's responses."""

import asyncio
import random
from datetime import datetime, timedelta

from services.backoff import backoff_s
from services.ports import Clock, RenderBackend

# Starts under way at once: the Lambda backend has as many threads for calls, and what is launched would wait for one.
MAX_STARTS = 16


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


class ConcurrencyLimit:
    """Whether there is room for another render, as the backend's answers tell.

    Each time there was none, a pause begins and half as many renders fit; one more fits with each that finishes, up
    to the backend's capacity: additive increase and multiplicative decrease, as TCP has it (RFC 5681, section 3.1).
    `wake` is set when another may fit.
    """

    def __init__(self, backend: RenderBackend, clock: Clock, *, wake: asyncio.Event) -> None:
        self._backend = backend
        self._clock = clock
        self._wake = wake
        self._pause = GrowingPause(clock)
        self._missing = 0
        self._narrowed_at: datetime | None = None

    @property
    def pause_s(self) -> float:
        """How many seconds are left in which no render should be begun."""
        return self._pause.left_s

    @property
    def capacity(self) -> int:
        """How many renders fit at present, up to the backend's capacity."""
        return self._backend.capacity - self._missing

    def fits(self, *, carried: int, starting: int) -> bool:
        """Return whether another render may be begun beside those carried, of which some are starting."""
        return carried < self.capacity and starting < MAX_STARTS and not self.pause_s

    def narrow(self, *, taken_at: datetime) -> None:
        """There was no room for what was taken at that time; if that was before the last time, it tells no more."""
        if self._narrowed_at is None or taken_at > self._narrowed_at:
            self._narrowed_at = self._clock.now()
            self._missing = self._backend.capacity - max(1, self.capacity // 2)
            self._pause.fail()

    def widen(self) -> None:
        """A render finished: there was room for it, and now for one more."""
        self._missing = max(0, self._missing - 1)
        self._pause.succeed()
        self._wake.set()

    def answered(self) -> None:
        """A start has its answer: another may begin."""
        self._wake.set()


def poll_interval_s(shortest_s: float, *, unchanged: int) -> float:
    """Return seconds to wait after this many polls in a row that told nothing new: from the fourth on up to twice.

    The randomness, up to a fifth less, keeps what began together from being asked for together.
    """
    return shortest_s * min(2.0, 1.25 ** max(0, min(unchanged, 10) - 3)) * random.uniform(0.8, 1.0)
