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


class RetentionTarget(Protocol):
    """A store of ended renders or of their files that has no expiry (TTL) of its own."""

    async def delete_ended_before(self, moment: datetime) -> int:
        """Delete renders, or files of renders, that ended before `moment`; return how many. Raises `Unavailable`."""
        ...


class RetentionLoop:
    """Deletes renders and files that are older than the retention, once an hour. Several processes may do so at once.

    It ticks while it deletes, which takes minutes in a large folder, but not if that takes longer than an hour.
    """

    def __init__(self, targets: Sequence[RetentionTarget], *, retention: timedelta, clock: Clock) -> None:
        self.last_tick_s: float | None = None
        self._targets = targets
        self._retention = retention
        self._clock = clock

    async def run(self) -> None:
        """Run until cancelled."""
        while True:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._sweep_all(), name="retention")
                for _ in range(TICKS_PER_SWEEP):
                    self.last_tick_s = self._clock.monotonic()
                    await self._clock.sleep(TICK_INTERVAL_S)

    async def _sweep_all(self) -> None:
        for target in self._targets:
            await self._sweep(target)

    async def _sweep(self, target: RetentionTarget) -> None:
        try:
            deleted = await target.delete_ended_before(self._clock.now() - self._retention)
        except Unavailable as error:
            log.warning("renders older than the retention can't be deleted now: %s", error)
        else:
            if deleted:
                log.info("deleted %d files or renders after their retention", deleted)
