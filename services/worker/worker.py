"""The worker: leases renders that are due, runs each one, and renews its leases."""

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

from services.background.backoff import backoff_s
from services.background.leased_loop import LeasedLoop, release_leases
from services.background.supervision import is_cancelled
from services.clock import RunningTime
from services.errors import LeaseLost, StoreUnavailable
from services.models import Render
from services.observability import log_context
from services.observability.metrics import Metrics
from services.observability.spans import SpanOf, no_span
from services.ports import Clock, RenderBackend, RenderStore
from services.realtime.change_publisher import WORK_CHANNEL
from services.realtime.hub import ProgressHub
from services.realtime.pubsub import PubSub
from services.renders.failure_messages import internal_failure
from services.worker.change_recorder import ChangeRecorder
from services.worker.concurrency_limit import ConcurrencyLimit
from services.worker.idle_subscription import IdleSubscription
from services.worker.render_run import RenderRun
from services.worker.run_context import RunContext, RunLimits

MAX_CRASHES = 3
MAX_RENEWAL_RETRY_S = 1.0  # maximum delay before leases that could not be renewed are tried again

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerOptions:
    """How a worker leases and polls. Leases are renewed after a third of their length, and by each recorded change."""

    lease: timedelta
    poll_interval: timedelta
    limits: RunLimits


class Worker:
    """Runs renders. Any number of workers may share a store: a render is run by one worker at a time."""

    def __init__(  # noqa: PLR0913  # all keyword-only
        self,
        *,
        worker_id: str,
        store: RenderStore,
        backend: RenderBackend,
        hub: ProgressHub,
        pubsub: PubSub,
        clock: Clock,
        metrics: Metrics,
        options: WorkerOptions,
        span_of: SpanOf = no_span,
    ) -> None:
        self.id = worker_id
        self._store = store
        self._backend = backend
        self._hub = hub
        self._pubsub = pubsub
        self._clock = clock
        self._metrics = metrics
        self._options = options
        self._span_of = span_of
        self._next_reacquire_s = 0.0
        self._running_time = RunningTime(clock)
        self._loop: LeasedLoop[RenderRun] = LeasedLoop(self, name="renders", clock=clock)
        self._idle = IdleSubscription(pubsub, self._loop.wake)
        self._concurrency = ConcurrencyLimit(backend, clock, wake=self._loop.wake)
        self._context = RunContext(
            backend=backend,
            clock=clock,
            metrics=metrics,
            concurrency=self._concurrency,
            limits=options.limits,
            running_time=self._running_time,
            lease=options.lease,
        )

    @property
    def last_tick_s(self) -> float | None:
        """When the store was last polled for renders, by the monotonic clock; None before the first poll."""
        return self._loop.last_tick_s

    @property
    def running(self) -> int:
        """Number of renders that this worker is running."""
        return len(self._loop.items)

    @property
    def has_capacity(self) -> bool:
        """Whether another render may be leased: at least a RENDERING one, which needs no start, only polls."""
        return len(self._loop.items) < self._backend.capacity

    @property
    def poll_interval_s(self) -> float:
        """Seconds until the next poll of the store: at most until a pause of starts ends."""
        usual_s = self._options.poll_interval.total_seconds()
        return min(usual_s, self._concurrency.pause_s or usual_s)

    async def run(self) -> None:
        """Run renders until cancelled; then release each lease as soon as its render's task has ended."""
        await self._loop.run(within=self._listening())

    def poll_now(self, render_id: str) -> None:
        """Poll the backend for a render without delay, if this worker runs it."""
        if run := self._loop.items.get(render_id):
            run.poll_now()

    async def acquire(self) -> RenderRun | None:
        """Lease a render that is free again, or else the first of the queue. Raises `StoreUnavailable`.

        QUEUED renders are leased only if another may start. Those that are free again are looked for once per poll.
        """
        if self._clock.monotonic() >= self._next_reacquire_s:
            if (run := await self._reacquire()) is not None:
                return run
            self._next_reacquire_s = self._clock.monotonic() + self.poll_interval_s
        if not self._may_start():
            await self._idle.leave()
            return None
        render = await self._acquire_first()
        if render is None and await self._idle.enter():  # one may have been queued before
            render = await self._acquire_first()
        if render is None:
            return None
        if not self._may_start(acquired=1) and await self._idle.leave():
            await self._hub.wake_idle_worker()  # the queue may have more
        return self._new_run(render)

    async def _acquire_first(self) -> Render | None:
        return await self._store.acquire(worker=self.id, lease=self._options.lease)

    async def _reacquire(self) -> RenderRun | None:
        """Take over a render without a worker, whose lease has expired or was released, or one whose delay is over.

        One that this worker runs had an expired lease, which is then extended.
        """
        while True:
            render = await self._store.reacquire(worker=self.id, lease=self._options.lease, queued=self._may_start())
            if render is None or render.id not in self._loop.items:
                return None if render is None else self._new_run(render)

    async def process(self, run: RenderRun) -> None:
        """Run a render. Raises only `CancelledError`, after releasing the lease."""
        render_id = run.render.id
        log_context.render_id.set(render_id)
        log_context.user_id.set(run.render.owner)
        try:
            with self._span_of(run.render):
                await self._run_despite_crashes(run)
        except asyncio.CancelledError:
            await self.release([render_id])
            raise
        except LeaseLost:
            self._metrics.lease_lost()
            log.info("render %s lost its lease: it was cancelled, or another worker runs it", render_id)
        except Exception:
            log.exception("render %s can't be run; its lease is left to expire", render_id)

    async def release(self, render_ids: Collection[str] | None = None) -> None:
        """End this worker's leases on these renders, or all of its leases."""
        await release_leases(self._store.release(render_ids, worker=self.id), name="renders")

    @asynccontextmanager
    async def _listening(self) -> AsyncIterator[None]:
        """Receive notifications about renders, and renew leases, while the context is open."""
        async with self._pubsub.subscribe(WORK_CHANNEL, self._handle_notifications), asyncio.TaskGroup() as tasks:
            tasks.create_task(self._renew_leases())
            tasks.create_task(self._running_time.keep_reading())
            try:
                yield
            finally:
                await self._idle.leave()

    def _handle_notifications(self, render_ids: list[str]) -> None:
        for render_id in render_ids:
            if run := self._loop.items.get(render_id):
                run.refresh_and_poll()

    def _may_start(self, *, acquired: int = 0) -> bool:
        """Return whether another render may start beside those that run and these that were acquired just now."""
        starting = sum(run.is_starting for run in self._loop.items.values()) + acquired
        return self._concurrency.allows_start(running=len(self._loop.items) + acquired, starting=starting)

    def _new_run(self, render: Render) -> RenderRun:
        recorder = ChangeRecorder(
            render,
            store=self._store,
            hub=self._hub,
            clock=self._clock,
            worker_id=self.id,
            lease=self._options.lease,
        )
        return RenderRun(recorder, self._context)

    async def _run_despite_crashes(self, run: RenderRun) -> None:
        """Run the render. An unexpected exception is logged with an id and retried; the last one fails the render.

        Before that, the attempt is stopped and its output is looked for, unless that raises another exception.
        """
        error_id = secrets.token_hex(6)
        failure = internal_failure(error_id)
        for crash in range(1, MAX_CRASHES + 2):
            try:
                await run.run()
            except LeaseLost:
                raise
            except Exception:
                extra = {"error_id": error_id}
                log.exception("error %s while running render %s", error_id, run.render.id, extra=extra)
                if is_cancelled():
                    raise asyncio.CancelledError from None
            else:
                return
            if crash == MAX_CRASHES:
                run.give_up(failure)
            await self._clock.sleep(backoff_s(crash))
        await run.fail(failure)

    async def _renew_leases(self) -> None:
        failures = 0
        while True:
            usual_s = self._options.lease.total_seconds() / 3
            retry_s = backoff_s(failures, max_s=min(usual_s, MAX_RENEWAL_RETRY_S))
            await self._clock.sleep(retry_s if failures else usual_s)
            runs = dict(self._loop.items)
            try:
                held = await self._store.renew(list(runs), worker=self.id, lease=self._options.lease)
            except StoreUnavailable as error:
                failures += 1
                log.warning("leases could not be renewed: %s", error)
                continue
            failures = 0
            for render_id in runs.keys() - held:
                runs[render_id].mark_lease_lost()
