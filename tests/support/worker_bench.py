"""A render service with workers, for tests of the worker."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

from services.models import Caller, Failure, Render
from services.observability.metrics import Metrics
from services.ports import RenderBackend
from services.realtime.hub import ProgressHub
from services.realtime.pubsub import PubSub
from services.renders.quota import QuotaRule
from services.renders.requests import StartRequest
from services.renders.service import RenderService
from services.worker.run_context import RunLimits
from services.worker.worker import Worker, WorkerOptions
from tests.conftest import PROPS
from tests.support.fake_backend import FakeBackend
from tests.support.fake_clock import FakeClock, settle
from tests.support.limits import MEDIA_LIMITS, REQUEST_LIMITS
from tests.support.memory_store import MemoryStore
from tests.support.scraping import samples_of

ANN = Caller(id="ann")
OPTIONS = WorkerOptions(
    lease=timedelta(seconds=15),
    poll_interval=timedelta(seconds=1),
    limits=RunLimits(queue_timeout=timedelta(hours=1), max_attempts=3, media=MEDIA_LIMITS),
)
SLOW = replace(OPTIONS, poll_interval=timedelta(seconds=30), lease=timedelta(minutes=5))  # for tests that take an hour

MISCONFIGURED = Failure(code="RENDERER_MISCONFIGURED", message="Please contact support.", retryable=False)


class Bench:
    """A render service and workers that share a store, a backend and a clock."""

    def __init__(self, store: MemoryStore, backend: FakeBackend, clock: FakeClock, pubsub: PubSub) -> None:
        self.store, self.backend, self.clock, self.pubsub = store, backend, clock, pubsub
        self.metrics = Metrics()
        self.hub = ProgressHub(
            store=store, pubsub=pubsub, clock=clock, metrics=self.metrics, check_interval=timedelta(seconds=5)
        )
        self.renders = RenderService(
            store=store,
            backend=backend,
            hub=self.hub,
            clock=clock,
            metrics=self.metrics,
            quota_rule=QuotaRule(limit=1000, window=timedelta(days=1)),
            limits=REQUEST_LIMITS,
            download_expiry=timedelta(hours=1),
        )

    def worker(
        self,
        worker_id: str = "w1",
        backend: RenderBackend | None = None,
        *,
        hub: ProgressHub | None = None,
        store: MemoryStore | None = None,
        options: WorkerOptions = OPTIONS,
    ) -> Worker:
        return Worker(
            worker_id=worker_id,
            store=store or self.store,
            backend=backend or self.backend,
            hub=hub or self.hub,
            pubsub=self.pubsub,
            clock=self.clock,
            metrics=self.metrics,
            options=options,
        )

    @asynccontextmanager
    async def working(self, *workers: Worker) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(worker.run()) for worker in workers or (self.worker(),)]
        await settle()
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def start(self) -> str:
        started = await self.renders.start(ANN, StartRequest(animation=PROPS))
        await settle()
        return started.render.id

    async def get(self, render_id: str) -> Render:
        return await self.renders.get(ANN, render_id)

    def metric_values(self, *series: str) -> list[float]:
        """Return the values of these metrics, without the prefix `rendercast_`."""
        samples = samples_of(self.metrics.text().decode())
        return [samples[f"rendercast_{name}"] for name in series]

    async def quota_used(self) -> int:
        quota = await self.renders.quota(ANN)
        return quota.limit - quota.remaining


class SlowStarts(FakeBackend):
    """Responds to a start after 8 s. Starts beyond 16 at once wait for a thread, as boto3's calls do."""

    def __init__(self, clock: FakeClock, **values: object) -> None:
        super().__init__(**values)  # type: ignore[arg-type]
        self.concurrent = self.max_concurrent = 0
        self._clock = clock
        self._threads = asyncio.Semaphore(16)

    async def start(self, render: Render) -> str:
        self.concurrent += 1
        self.max_concurrent = max(self.max_concurrent, self.concurrent)
        try:
            async with self._threads:
                await self._clock.sleep(8)
                return await super().start(render)
        finally:
            self.concurrent -= 1
