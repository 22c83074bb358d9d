"""What a scrape is answered: the figures of this process, and of the queue that all processes share."""

import asyncio
import math
from datetime import datetime, timedelta

from services.errors import Unavailable
from services.metrics import Metrics
from services.ports import Clock, Queue, RenderStore

READ_EVERY = timedelta(seconds=10)
PATIENCE_S = 3.0  # Prometheus gives up after 10 s, unless told otherwise


class Scrapes:
    """Answers scrapes. Reads the queue with them, but no more often than every ten seconds.

    Every process does, not the workers alone: the queue is to be seen when all of them are gone.
    """

    def __init__(self, metrics: Metrics, *, store: RenderStore, clock: Clock, patience_s: float = PATIENCE_S) -> None:
        self._metrics = metrics
        self._patience_s = patience_s
        self._store = store
        self._clock = clock
        self._read_at: datetime | None = None
        self._queue: Queue | None = None

    async def text(self) -> bytes:
        """Return all figures, within a few seconds even if the store hangs."""
        now = self._clock.now()
        if self._read_at is None or now - self._read_at >= READ_EVERY:
            self._read_at = now
            self._queue = await self._read()
        self._report()
        return self._metrics.text()

    async def _read(self) -> Queue | None:
        try:
            async with asyncio.timeout(self._patience_s):
                return await self._store.queue()
        except (Unavailable, TimeoutError):
            return None

    def _report(self) -> None:
        queue = self._queue
        if queue is None:
            self._metrics.queued(math.nan, oldest_age_s=math.nan)
            return
        oldest = queue.oldest_created_at
        age_s = 0.0 if oldest is None else max(0.0, (self._clock.now() - oldest).total_seconds())
        self._metrics.queued(queue.depth, oldest_age_s=age_s)
