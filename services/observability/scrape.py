"""What a scrape is answered: the figures of this process, and of queue and webhooks, which all processes share."""

import asyncio
import math
from datetime import datetime, timedelta

from services.errors import Unavailable
from services.observability.metrics import Metrics
from services.ports import Backlog, Clock, Queue, RenderStore, WebhookBacklog

READ_EVERY = timedelta(seconds=10)
NOTHING = Backlog(pending=0, oldest_occurred_at=None)
PATIENCE_S = 3.0  # Prometheus gives up after 10 s, unless told otherwise


class Scrapes:
    """Answers scrapes. Reads the queue and the webhooks with them, but no more often than every ten seconds.

    Every process does, not the workers alone: the queue is to be seen when all of them are gone.
    """

    def __init__(
        self,
        metrics: Metrics,
        *,
        store: RenderStore,
        clock: Clock,
        outbox: WebhookBacklog | None = None,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._metrics = metrics
        self._patience_s = patience_s
        self._store = store
        self._outbox = outbox
        self._clock = clock
        self._read_at: datetime | None = None
        self._waiting: tuple[Queue, Backlog] | None = None

    async def text(self) -> bytes:
        """Return all figures, within a few seconds even if the store hangs."""
        now = self._clock.now()
        if self._read_at is None or now - self._read_at >= READ_EVERY:
            self._read_at = now
            self._waiting = await self._read()
        self._report()
        return self._metrics.text()

    async def _read(self) -> tuple[Queue, Backlog] | None:
        try:
            async with asyncio.timeout(self._patience_s):
                queue = await self._store.queue()
                return queue, NOTHING if self._outbox is None else await self._outbox.backlog()
        except (Unavailable, TimeoutError):
            return None

    def _report(self) -> None:
        if self._waiting is None:
            self._metrics.queued(math.nan, oldest_age_s=math.nan)
            self._metrics.webhooks_waiting(math.nan, oldest_age_s=math.nan)
            return
        queue, backlog = self._waiting
        self._metrics.queued(queue.depth, oldest_age_s=self._age_s(queue.oldest_created_at))
        self._metrics.webhooks_waiting(backlog.pending, oldest_age_s=self._age_s(backlog.oldest_occurred_at))

    def _age_s(self, oldest: datetime | None) -> float:
        return 0.0 if oldest is None else max(0.0, (self._clock.now() - oldest).total_seconds())
