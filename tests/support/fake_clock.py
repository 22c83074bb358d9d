"""A clock that tests move, and a way to let all tasks run until they wait."""

import asyncio
import heapq
import itertools
from datetime import UTC, datetime, timedelta

START_OF_TIME = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
SETTLE_ROUNDS = 100
WAKE_ROUNDS = 30  # after one sleeper of several: 100 took a quarter of the time of the worker's tests
SHORTEST = timedelta(microseconds=1)  # of all sleeps: the resolution of the clock


async def settle(rounds: int = SETTLE_ROUNDS) -> None:
    """Let every task run until it waits for time to pass or for the test."""
    for _ in range(rounds):
        await asyncio.sleep(0)


class FakeClock:
    """A `Clock` that only tests move: `advance` lets time pass, `jump` steps the wall clock, `suspend` skips time."""

    def __init__(self) -> None:
        self._jumped = timedelta(0)
        self._now = START_OF_TIME
        self._sleepers: list[tuple[datetime, int, asyncio.Future[None]]] = []
        self._order = itertools.count()

    def now(self) -> datetime:
        return self._now + self._jumped

    def monotonic(self) -> float:
        return (self._now - START_OF_TIME).total_seconds()

    def jump(self, seconds: float) -> None:
        """Step the wall clock, as an administrator or NTP does."""
        self._jumped += timedelta(seconds=seconds)

    async def suspend(self, seconds: float) -> None:
        """Stop the process for this time, as SIGSTOP does: all sleeps that ended meanwhile return at once."""
        self._now += timedelta(seconds=seconds)
        await self.advance(0)

    async def sleep(self, seconds: float) -> None:
        future = asyncio.get_running_loop().create_future()
        delay = timedelta(seconds=seconds) if seconds <= 0 else max(timedelta(seconds=seconds), SHORTEST)
        heapq.heappush(self._sleepers, (self._now + delay, next(self._order), future))
        await future

    async def wait(self, event: asyncio.Event, *, timeout_s: float) -> bool:
        waits = [asyncio.ensure_future(event.wait()), asyncio.ensure_future(self.sleep(timeout_s))]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        return event.is_set()

    async def advance(self, seconds: float) -> None:
        """Move the clock, and wake each sleeper at its time, in order."""
        until = self._now + timedelta(seconds=seconds)
        await settle()
        while self._sleepers and self._sleepers[0][0] <= until:
            due, _, future = heapq.heappop(self._sleepers)
            self._now = max(self._now, due)
            if not future.done():
                future.set_result(None)
                await settle(WAKE_ROUNDS)
        self._now = until
        await settle()
