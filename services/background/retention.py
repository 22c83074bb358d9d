"""Deletes ended renders and their files after the retention: a background loop of workers."""

import asyncio
import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Protocol

from services.errors import Unavailable
from services.ports import Clock

TICK_INTERVAL_S = 60.0
TICKS_PER_SWEEP = 60

log = logging.getLogger(__name__)


class Expiring(Protocol):
    """A place that keeps something of ended renders, and does not delete it after a time by itself."""

    async def delete_ended_before(self, moment: datetime) -> int:
        """Delete what it keeps of renders that ended before; return how much that was. Raises `Unavailable`."""
        ...


class RetentionLoop:
    """Deletes once an hour what is older than the retention. Several processes may do so for the same places.

    It ticks while it deletes, which takes minutes in a large folder, but not if that takes longer than an hour.
    """

    def __init__(self, places: Sequence[Expiring], *, retention: timedelta, clock: Clock) -> None:
        self.last_tick_s: float | None = None
        self._places = places
        self._retention = retention
        self._clock = clock

    async def run(self) -> None:
        """Run until cancelled."""
        while True:
            sweeping = asyncio.create_task(self._sweep_all(), name="retention")
            try:
                for _ in range(TICKS_PER_SWEEP):
                    self.last_tick_s = self._clock.monotonic()
                    await self._clock.sleep(TICK_INTERVAL_S)
                await sweeping
            finally:
                sweeping.cancel()
                await asyncio.wait([sweeping])

    async def _sweep_all(self) -> None:
        for place in self._places:
            await self._sweep(place)

    async def _sweep(self, place: Expiring) -> None:
        try:
            deleted = await place.delete_ended_before(self._clock.now() - self._retention)
        except Unavailable as error:
            log.warning("what is older than the retention can't be deleted now: %s", error)
        else:
            if deleted:
                log.info("deleted %d files or renders after their retention", deleted)
