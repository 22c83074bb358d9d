"""One leased render on its way to its end: started on the backend, followed, recorded, published."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.backoff import backoff_s
from services.errors import (
    BackendUnavailable,
    LeaseLost,
    StartImpossible,
    StartRefused,
    StartUncertain,
    StoreUnavailable,
)
from services.models import Failure, Render, RenderStatus
from services.observability import spans
from services.observability.metrics import Metrics
from services.ports import Broken, Clock, Finished, Missing, Observation, Progress, RenderBackend, RenderStore
from services.realtime.hub import ProgressHub
from services.renders import lifecycle
from services.supervision import finish_though_cancelled
from services.worker.concurrency_limit import ConcurrencyLimit, poll_interval_s

QUEUE_TIMEOUT = Failure(
    code="QUEUE_TIMEOUT", message="The render could not be started in time. Please try again later.", retryable=True
)
DEADLINE_EXCEEDED = Failure(
    code="DEADLINE_EXCEEDED", message="The render took too long and was stopped. Please try again.", retryable=True
)
RENDER_LOST = Failure(
    code="RENDER_LOST", message="The render was interrupted too often. Please try again.", retryable=True
)

FIRST_WAIT_S = 0.5  # before an attempt that may work is tried again
FIRST_WAIT_WHEN_BUSY_S = 20.0  # when it needs room that others have to leave first
MAX_WAIT_S = 120.0
MAX_INTERRUPTIONS = 100  # a render that ends the process which carries it must not do so for ever
MAX_LAUNCH_S = 60.0  # longer than any backend takes to answer a start and the store to record it

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRules:
    """How long and how often a render is tried.

    `queue_timeout` ends the wait for a first attempt, and for another after one that found no room. `max_attempts`
    counts neither those nor what ended with its process.
    """

    queue_timeout: timedelta
    max_attempts: int


class RenderRun:
    """Carries one render to its end, or to where another worker must go on."""

    def __init__(  # noqa: PLR0913  # all that it works with, once
        self,
        render: Render,
        *,
        store: RenderStore,
        record: Callable[[Render], Awaitable[bool]],
        backend: RenderBackend,
        hub: ProgressHub,
        clock: Clock,
        metrics: Metrics,
        room: ConcurrencyLimit,
        rules: RunRules,
    ) -> None:
        self.render = self._attempted = render
        self._store = store
        self._record_as_worker = record
        self._backend = backend
        self._hub = hub
        self._clock = clock
        self._metrics = metrics
        self._room = room
        self._rules = rules
        self._taken_at = clock.now()
        self._launching = False
        self._nudged = asyncio.Event()
        self._nudge_pending = False
        self._lease_lost = False
        self._faults = 0
        self._lasting_fault: Failure | None = None
        self._unchanged = 0
        self._look_due_at: datetime | None = None

    @property
    def is_starting(self) -> bool:
        """Whether a start is ahead or its answer is awaited."""
        return self._launching or self.render.status is RenderStatus.QUEUED

    def nudge(self) -> None:
        """Look at the render now: its owner or its backend has news."""
        self._nudge_pending = True
        self._nudged.set()

    def lose_lease(self) -> None:
        """Stop before the next step: another worker may carry the render now."""
        self._lease_lost = True
        self._nudged.set()

    async def run(self) -> None:
        """Return when the render has ended or waits in the queue again. Raises `LeaseLost`."""
        try:
            await self._step_while_ours()
        finally:
            await self._backend.abandon(self._attempted)

    async def fail(self, failure: Failure) -> None:
        """End the render as FAILED, for a reason that lies with the service."""
        await self._record(lambda render: lifecycle.fail(render, failure=failure, now=self._clock.now()))

    async def _step_while_ours(self) -> None:
        await self._step()
        while self.render.status is RenderStatus.RENDERING:
            if self._lease_lost:
                raise LeaseLost(self.render.id)
            await self._step()

    async def _step(self) -> None:
        if self._nudge_pending:
            self._nudge_pending = False
            self._unchanged = 0
            await self._refresh()
        if self.render.status.is_terminal:
            return
        if self.render.cancel_requested:
            await self._cancel()
        elif self.render.status is RenderStatus.QUEUED:
            # Left halfway, it would leave an attempt that nobody knows the backend's id of.
            self._launching = True
            try:
                await finish_though_cancelled(self._launch(), patience_s=MAX_LAUNCH_S)
            finally:
                self._launching = False
                self._room.answered()
        else:
            await self._look()

    async def _launch(self) -> None:
        before, now = self.render, self._clock.now()
        if before.started_at is None and now - before.created_at > self._rules.queue_timeout:
            await self.fail(QUEUE_TIMEOUT)
            return
        limit = self._backend.time_limit(before)
        await self._record(lambda render: lifecycle.launch(render, now=now, deadline_at=now + limit))
        try:
            backend_render_id = await self._backend.start(self.render)
        except StartRefused as error:
            log.info("render %s was refused and stays queued: %s", before.id, error)
            self._room.narrow(taken_at=self._taken_at)
            due_at = self._clock.now() + timedelta(seconds=backoff_s(before.refusals + 1))
            await self._record(lambda render: lifecycle.refuse(render, before=before, due_at=due_at))
        except StartImpossible as error:
            log.error("render %s can't be started: %s", before.id, error)  # noqa: TRY400  # the sentence is enough
            now, failure = self._clock.now(), error.failure
            await self._record(lambda render: lifecycle.reject(render, before=before, failure=failure, now=now))
        except StartUncertain as error:
            log.warning("render %s may be running without an answer: %s", before.id, error)
        else:
            deadline = self._clock.now() + limit  # the attempt's time begins now, however long the answer took
            await self._record(
                lambda render: lifecycle.accept(render, backend_render_id=backend_render_id, deadline_at=deadline)
            )

    async def _look(self) -> None:
        due_at = self._look_due_at = self._look_due_at or self._clock.now()
        try:
            observation = await self._backend.observe(self.render)
        except BackendUnavailable as error:
            self._metrics.poll_failed()
            self._faults += 1
            self._lasting_fault = error.failure
            log.info("render %s could not be observed: %s", self.render.id, error)
            if self._is_overdue():
                await self._give_up()
            else:
                await self._pause(backoff_s(self._faults))
            return
        self._metrics.polled(due_at=due_at, now=self._clock.now())
        self._faults = 0
        self._lasting_fault = None
        await self._take_over(observation)

    async def _take_over(self, observation: Observation) -> None:
        """Record what was observed. The deadline ends only what still runs: after a pause it may long be past."""
        match observation:
            case Progress() if self._is_overdue():
                await self._give_up()
            case Progress():
                await self._advance(observation)
            case Finished(output=output, cost_usd=cost, warnings=warnings):
                self._room.widen()
                now = self._clock.now()
                await self._record(
                    lambda render: lifecycle.complete(render, output=output, cost_usd=cost, warnings=warnings, now=now)
                )
            case Broken():
                await self._try_again_or_fail(observation)
            case Missing():
                await self._begin_anew_or_fail()

    async def _advance(self, progress: Progress) -> None:
        before = self.render.revision
        with spans.without_calls():  # of which there are several a second; a new phase is told all the same
            await self._record(lambda render: lifecycle.advance(render, progress))
        self._unchanged = self._unchanged + 1 if self.render.revision == before else 0
        pause_s = poll_interval_s(self._backend.poll_interval.total_seconds(), unchanged=self._unchanged)
        self._look_due_at = self._clock.now() + timedelta(seconds=pause_s)
        await self._pause(pause_s)

    async def _try_again_or_fail(self, broken: Broken) -> None:
        failure = broken.failure
        spans.failed(failure.code)
        reason = failure.detail or failure.message
        log.warning("attempt %d of render %s broke: %s: %s", self.render.attempt, self.render.id, failure.code, reason)
        now = self._clock.now()
        if broken.busy:
            self._room.narrow(taken_at=self._taken_at)
            tries, first_s = self.render.busy_attempts + 1, FIRST_WAIT_WHEN_BUSY_S
            exhausted = now - self.render.created_at > self._rules.queue_timeout
        else:
            tries = self.render.attempt - self.render.interruptions - self.render.busy_attempts
            first_s = FIRST_WAIT_S
            exhausted = tries >= self._rules.max_attempts
        if exhausted or not failure.retryable:
            await self.fail(failure)
            return
        due_at = now + timedelta(seconds=backoff_s(tries, first_s=first_s, longest_s=MAX_WAIT_S))
        await self._record(lambda render: lifecycle.try_again(render, due_at=due_at, busy=broken.busy))

    async def _begin_anew_or_fail(self) -> None:
        log.info("attempt %d of render %s is gone with its process", self.render.attempt, self.render.id)
        if self.render.interruptions >= MAX_INTERRUPTIONS:
            await self.fail(RENDER_LOST)
        else:
            await self._record(lifecycle.interrupt)

    async def _give_up(self) -> None:
        await self._stop()
        await self.fail(self._lasting_fault or DEADLINE_EXCEEDED)

    async def _cancel(self) -> None:
        await self._stop()
        await self._record(lambda render: lifecycle.cancel(render, now=self._clock.now()))

    def _is_overdue(self) -> bool:
        return self.render.deadline_at is not None and self._clock.now() >= self.render.deadline_at

    async def _stop(self) -> None:
        """Stop the attempt; a backend that can't be told is left to its own time limit."""
        try:
            await self._backend.cancel(self.render)
        except BackendUnavailable as error:
            log.warning("render %s could not be stopped: %s", self.render.id, error)

    async def _pause(self, seconds: float) -> None:
        await self._clock.wait(self._nudged, timeout_s=seconds)
        self._nudged.clear()

    async def _refresh(self) -> None:
        for render in await self._stored():
            self._go_on_with(render)

    def _go_on_with(self, render: Render) -> None:
        self.render = render
        if render.status is not RenderStatus.QUEUED:  # which has no attempt, but the backend may hold its last one
            self._attempted = render

    async def _record(self, change: Callable[[Render], Render]) -> None:
        """Store and publish a change; if the owner changed the render in between, apply it to the newer state."""
        while True:
            changed = change(self.render)
            if changed is self.render:
                return
            if await self._is_recorded(changed):
                await self._hub.publish(changed)
                return

    async def _is_recorded(self, changed: Render) -> bool:
        """Store a change, and return whether it is stored; if not, `render` is the newer state it must be made to.

        A call whose answer was lost may have stored it, and have ended the lease by that. Raises `LeaseLost`.
        """
        try:
            recorded = await self._store_change(changed)
        except LeaseLost:
            recorded = changed.status is not RenderStatus.RENDERING and changed in await self._stored()
            if not recorded:
                raise
        if recorded:
            self._go_on_with(changed)
        else:
            await self._refresh()
        return self.render == changed

    async def _store_change(self, changed: Render) -> bool:
        """Return whether it was stored, waiting for a store that is away as long as the lease is ours."""
        failures = 0
        while not self._lease_lost:
            try:
                return await self._record_as_worker(changed)
            except StoreUnavailable as error:
                failures += 1
                log.warning("render %s could not be recorded: %s", changed.id, error)
                await self._pause(backoff_s(failures))
        raise LeaseLost(changed.id)

    async def _stored(self) -> tuple[Render, ...]:
        try:
            return tuple(await self._store.get_many([self.render.id]))
        except StoreUnavailable:
            return ()
