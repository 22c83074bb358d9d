"""The `/metrics` response: metrics of this process, and of what processes share: queue, outbox and data folder."""

import asyncio
import math
from datetime import datetime
from typing import Protocol

from services.errors import Unavailable
from services.observability.free_space import FreeSpace
from services.observability.metrics import Metrics
from services.ports import BacklogStats, Clock, QueueStats, RenderStore, WebhookBacklog

READ_INTERVAL_S = 10.0
NO_BACKLOG = BacklogStats(pending=0, oldest_occurred_at=None)
READ_TIMEOUT_S = 3.0  # Prometheus' own default timeout for a scrape is 10 s


class Reachable(Protocol):
    """A service on which this process depends."""

    async def check(self) -> None:
        """Return if the service can be used. Raises `Unavailable` if not."""
        ...


class Exposition:
    """Builds the `/metrics` response. Reads what processes share, and checks pub/sub, once per `READ_INTERVAL_S`.

    Every process reads them, not only workers: the queue must be visible when no worker is running.
    """

    def __init__(
        self,
        metrics: Metrics,
        *,
        store: RenderStore,
        clock: Clock,
        outbox: WebhookBacklog | None = None,
        pubsub: Reachable | None = None,
        free_space: FreeSpace | None = None,
        read_timeout_s: float = READ_TIMEOUT_S,
    ) -> None:
        self._metrics = metrics
        self._read_timeout_s = read_timeout_s
        self._store = store
        self._outbox = outbox
        self._pubsub = pubsub
        self._free_space = free_space
        self._clock = clock
        self._read_at_s: float | None = None
        self._last_read: tuple[QueueStats, BacklogStats] | None = None

    async def text(self) -> bytes:
        """Return all metrics, after at most `read_timeout_s` if the store, pub/sub or the folder does not respond."""
        now_s = self._clock.monotonic()
        if self._read_at_s is None or now_s - self._read_at_s >= READ_INTERVAL_S:
            self._read_at_s = now_s
            self._last_read, *_ = await asyncio.gather(self._read(), self._check_pubsub(), self._read_free_space())
        self._report()
        return self._metrics.text()

    async def _read(self) -> tuple[QueueStats, BacklogStats] | None:
        try:
            async with asyncio.timeout(self._read_timeout_s):
                queue = await self._store.queue()
                return queue, NO_BACKLOG if self._outbox is None else await self._outbox.backlog()
        except (Unavailable, TimeoutError):
            return None

    async def _check_pubsub(self) -> None:
        if self._pubsub is None:
            return
        try:
            async with asyncio.timeout(self._read_timeout_s):
                await self._pubsub.check()
        except (Unavailable, TimeoutError):
            self._metrics.set_pubsub(is_up=False)
        else:
            self._metrics.set_pubsub(is_up=True)

    async def _read_free_space(self) -> None:
        if self._free_space:
            self._metrics.set_free_space(await self._free_space.read(timeout_s=self._read_timeout_s))

    def _report(self) -> None:
        if self._last_read is None:
            self._metrics.set_queue(math.nan, oldest_age_s=math.nan)
            self._metrics.set_outbox(math.nan, oldest_age_s=math.nan)
            return
        queue, backlog = self._last_read
        self._metrics.set_queue(queue.depth, oldest_age_s=self._age_s(queue.oldest_created_at))
        self._metrics.set_outbox(backlog.pending, oldest_age_s=self._age_s(backlog.oldest_occurred_at))

    def _age_s(self, oldest: datetime | None) -> float:
        return 0.0 if oldest is None else max(0.0, (self._clock.now() - oldest).total_seconds())
