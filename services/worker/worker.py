"""The worker: leases renders that are due, carries each to its end, and keeps its leases alive."""

import asyncio
import logging
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from services.backoff import backoff_s
from services.errors import LeaseLost, StoreUnavailable
from services.models import Failure, Render
from services.observability import log_context
from services.observability.metrics import Metrics
from services.observability.spans import SpanOf, no_span
from services.ports import Clock, RenderBackend, RenderStore
from services.realtime.hub import WORK_CHANNEL, ProgressHub
from services.realtime.pubsub import PubSub
from services.supervision import is_cancelled
from services.worker.concurrency_limit import ConcurrencyLimit
from services.worker.render_run import RenderRun, RunRules

MAX_CRASHES = 3
MAX_RETRY_S = 1.0  # until leases that could not be renewed are renewed again

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerRules:
    """How a worker holds and looks for work. Leases are renewed three times in their length, and by each change."""

    lease: timedelta
    look_interval: timedelta
    carry: RunRules


class Worker:
    """Runs renders. Any number may run on one store; each render is carried by one of them at a time."""

    def __init__(  # noqa: PLR0913  # all that it works with, once
        self,
        *,
        worker_id: str,
        store: RenderStore,
        backend: RenderBackend,
        hub: ProgressHub,
        pubsub: PubSub,
        clock: Clock,
        metrics: Metrics,
        rules: WorkerRules,
        span_of: SpanOf = no_span,
    ) -> None:
        self.id = worker_id
        self.last_tick_at: datetime | None = None
        self._store = store
        self._backend = backend
        self._hub = hub
        self._pubsub = pubsub
        self._clock = clock
        self._metrics = metrics
        self._rules = rules
        self._span_of = span_of
        self._carriers: dict[str, RenderRun] = {}
        self._wake = asyncio.Event()
        self._room = ConcurrencyLimit(backend, clock, wake=self._wake)

    @property
    def carried(self) -> int:
        """How many renders it carries now."""
        return len(self._carriers)

    async def run(self) -> None:
        """Work until cancelled, then give each lease back as soon as its carrier has let go of the render."""
        try:
            async with self._pubsub.listen(WORK_CHANNEL, self._on_hints), asyncio.TaskGroup() as keeping:
                keeping.create_task(self._keep_leases())
                async with asyncio.TaskGroup() as carrying:  # which may take a while to end
                    await self._look_for_work(carrying)
        finally:
            await self._give_back()

    def _on_hints(self, render_ids: list[str]) -> None:
        for render_id in render_ids:
            if carrier := self._carriers.get(render_id):
                carrier.nudge()
        self._wake.set()

    async def _look_for_work(self, tasks: asyncio.TaskGroup) -> None:
        failures = 0
        while True:
            self._wake.clear()
            try:
                await self._take_what_is_due(tasks)
                failures = 0
            except StoreUnavailable as error:
                failures += 1
                log.warning("no work can be taken: %s", error)
            self.last_tick_at = self._clock.now()
            usual_s = self._rules.look_interval.total_seconds()
            look_s = min(usual_s, self._room.pause_s or usual_s)
            wait_s = backoff_s(failures) if failures else look_s
            await self._clock.wait(self._wake, timeout_s=wait_s)

    async def _take_what_is_due(self, tasks: asyncio.TaskGroup) -> None:
        """Take renders while there is room to begin them; those under way already need none, only to be followed."""
        while len(self._carriers) < self._backend.capacity:
            carried = list(self._carriers)  # also those that have come to their end and are about to be let go of
            render = await self._store.acquire(
                worker=self.id, lease=self._rules.lease, excluding=carried, queued=self._has_room()
            )
            if render is None:
                return
            self._carriers[render.id] = self._carrier(render)
            tasks.create_task(self._carry(self._carriers[render.id]), name=f"carry {render.id}")

    def _has_room(self) -> bool:
        starting = sum(carrier.is_starting for carrier in self._carriers.values())
        return self._room.fits(carried=len(self._carriers), starting=starting)

    def _carrier(self, render: Render) -> RenderRun:
        return RenderRun(
            render,
            store=self._store,
            record=partial(self._store.record, worker=self.id, lease=self._rules.lease),
            backend=self._backend,
            hub=self._hub,
            clock=self._clock,
            metrics=self._metrics,
            room=self._room,
            rules=self._rules.carry,
        )

    async def _carry(self, carrier: RenderRun) -> None:
        render_id = carrier.render.id
        log_context.render_id.set(render_id)
        log_context.user_id.set(carrier.render.owner)
        try:
            with self._span_of(carrier.render):
                await self._carry_through_crashes(carrier)
        except asyncio.CancelledError:
            await self._give_back([render_id])
            raise
        except LeaseLost:
            self._metrics.lease_lost()
            log.info("render %s is no longer ours: it was cancelled, or another worker has it", render_id)
        except Exception:
            log.exception("render %s can't be carried and is left until its lease expires", render_id)
        finally:
            del self._carriers[render_id]
            self._wake.set()

    async def _carry_through_crashes(self, carrier: RenderRun) -> None:
        """Run the carrier; what it didn't foresee is logged with an id and tried again, and fails it in the end."""
        error_id = secrets.token_hex(6)
        for crash in range(1, MAX_CRASHES + 1):
            try:
                await carrier.run()
            except LeaseLost:
                raise
            except Exception:
                told = {"error_id": error_id}
                log.exception("error %s while carrying render %s", error_id, carrier.render.id, extra=told)
                if is_cancelled():
                    raise asyncio.CancelledError from None
            else:
                return
            await self._clock.sleep(backoff_s(crash))
        message = f"Something went wrong on our side (error {error_id}). Please try again."
        await carrier.fail(Failure(code="INTERNAL", message=message, retryable=True))

    async def _keep_leases(self) -> None:
        failures = 0
        while True:
            usual_s = self._rules.lease.total_seconds() / 3
            soon_s = backoff_s(failures, longest_s=min(usual_s, MAX_RETRY_S))
            await self._clock.sleep(soon_s if failures else usual_s)
            carried = dict(self._carriers)
            try:
                held = await self._store.renew(list(carried), worker=self.id, lease=self._rules.lease)
            except StoreUnavailable as error:
                failures += 1
                log.warning("leases could not be renewed: %s", error)
                continue
            failures = 0
            for render_id in carried.keys() - held:
                carried[render_id].lose_lease()

    async def _give_back(self, render_ids: Collection[str] | None = None) -> None:
        """End the leases of these renders, or all there are."""
        try:
            await asyncio.shield(self._store.release(render_ids, worker=self.id))
        except StoreUnavailable as error:
            log.warning("leases were not given back and will expire: %s", error)
