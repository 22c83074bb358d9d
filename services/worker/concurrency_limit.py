"""The limit on a worker's concurrent renders, adapted to what the backend accepts."""

import asyncio
import random

from services.background.backoff import backoff_s
from services.ports import Clock, RenderBackend

# The number of the Lambda backend's threads for calls: any more launched renders would only wait for a thread.
MAX_CONCURRENT_STARTS = 16


class BackoffTimer:
    """A pause that grows with each consecutive failure."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._failures = 0
        self._until_s = clock.monotonic()

    @property
    def remaining_s(self) -> float:
        """Seconds until the pause ends; 0.0 if there is none."""
        return max(0.0, self._until_s - self._clock.monotonic())

    def record_failure(self) -> None:
        """Start a pause. Failures during a pause are ignored, because they have the same cause."""
        if not self.remaining_s:
            self._failures += 1
            self._until_s = self._clock.monotonic() + backoff_s(self._failures)

    def reset(self) -> None:
        """End the pause; the next one is short again."""
        self._failures = 0
        self._until_s = self._clock.monotonic()


class ConcurrencyLimit:
    """Maximum number of renders that a worker may run concurrently.

    Each rejection by the backend halves the limit and starts a pause; each render that finishes raises it by one, up
    to the backend's capacity: additive increase, multiplicative decrease, as in TCP's congestion control (RFC 5681,
    section 3.1). `wake` is set when it may have become possible to start another render.
    """

    def __init__(self, backend: RenderBackend, clock: Clock, *, wake: asyncio.Event) -> None:
        self._backend = backend
        self._clock = clock
        self._wake = wake
        self._pause = BackoffTimer(clock)
        self._reduction = 0
        self._decreased_at_s: float | None = None

    @property
    def pause_s(self) -> float:
        """Seconds in which no render should be started."""
        return self._pause.remaining_s

    @property
    def limit(self) -> int:
        """The current limit, at most the backend's capacity."""
        return self._backend.capacity - self._reduction

    def allows_start(self, *, running: int, starting: int) -> bool:
        """Return whether another render may start. `running` includes the `starting` ones."""
        return running < self.limit and starting < MAX_CONCURRENT_STARTS and not self.pause_s

    def decrease(self, *, acquired_at_s: float) -> None:
        """Halve the limit after the backend rejected a render acquired at that time of the monotonic clock.

        Ignored for renders that were acquired before the last decrease: they were started under the old limit.
        """
        if self._decreased_at_s is None or acquired_at_s > self._decreased_at_s:
            self._decreased_at_s = self._clock.monotonic()
            self._reduction = self._backend.capacity - max(1, self.limit // 2)
            self._pause.record_failure()

    def increase(self) -> None:
        """Raise the limit by one after a render has finished, and end the pause."""
        self._reduction = max(0, self._reduction - 1)
        self._pause.reset()
        self._wake.set()

    def start_finished(self) -> None:
        """Wake the worker after the backend has responded to a start: another start may be allowed."""
        self._wake.set()


def poll_interval_s(shortest_s: float, *, unchanged: int) -> float:
    """Return the seconds until the next poll, after this many consecutive polls without a change.

    From the fourth on, the interval grows up to twice `shortest_s`. Jitter shortens it by up to a fifth, to spread the
    polls of renders that started together.
    """
    return shortest_s * min(2.0, 1.25 ** max(0, min(unchanged, 10) - 3)) * random.uniform(0.8, 1.0)
