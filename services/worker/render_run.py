"""Runs one leased render: starts it on the backend, polls it, and records its changes."""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.backoff import backoff_s
from services.errors import BackendUnavailable, LeaseLost, StartImpossible, StartRefused, StartUncertain
from services.models import Failure, Render, RenderStatus
from services.observability import spans
from services.observability.metrics import Metrics
from services.ports import (
    AttemptFailed,
    AttemptFinished,
    AttemptMissing,
    AttemptProgress,
    Clock,
    Observation,
    RenderBackend,
)
from services.renders import lifecycle
from services.running_time import RunningTime
from services.supervision import finish_despite_cancellation
from services.worker.change_recorder import ChangeRecorder
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

RETRY_BASE_S = 0.5  # delay after the first failed attempt
BUSY_RETRY_BASE_S = 20.0  # the same if the backend had no capacity: other renders must finish first
MAX_RETRY_S = 120.0  # maximum delay after a failed attempt
MAX_INTERRUPTIONS = 100  # limits the restarts of a render that crashes the process that runs it
MAX_LAUNCH_S = 60.0  # longer than any backend takes to respond to a start and the store to record it

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunLimits:
    """Limits on the waiting time and on the attempts of a render.

    `queue_timeout` limits the wait for a first attempt, and for another one after an attempt that found no capacity.
    `max_attempts` counts neither attempts that found no capacity nor those that ended with their process.
    """

    queue_timeout: timedelta
    max_attempts: int


class RenderRun:
    """Runs one render until it has ended, is QUEUED again, or its lease is lost."""

    def __init__(
        self,
        recorder: ChangeRecorder,
        *,
        backend: RenderBackend,
        clock: Clock,
        metrics: Metrics,
        concurrency: ConcurrencyLimit,
        limits: RunLimits,
        running_time: RunningTime,
    ) -> None:
        self._recorder = recorder
        self._backend = backend
        self._clock = clock
        self._metrics = metrics
        self._concurrency = concurrency
        self._limits = limits
        self._running_time = running_time
        self._attempt_s = recorder.render.running_s - running_time.read_s()
        self._acquired_at = clock.now()
        self._launching = False
        self._poll_requested = False
        self._poll_failures = 0
        self._poll_failure: Failure | None = None
        self._unchanged = 0
        self._poll_due_at: datetime | None = None

    @property
    def render(self) -> Render:
        """The newest known state."""
        return self._recorder.render

    @property
    def is_starting(self) -> bool:
        """Whether the render is being started, or is to be started next."""
        return self._launching or self.render.status is RenderStatus.QUEUED

    def poll_now(self) -> None:
        """Read the stored state and poll the backend without delay: the owner or the backend reported a change."""
        self._poll_requested = True
        self._recorder.interrupt()

    def mark_lease_lost(self) -> None:
        """Stop before the next step: another worker may be running the render."""
        self._recorder.mark_lease_lost()

    async def run(self) -> None:
        """Return when the render has ended or is QUEUED again. Raises `LeaseLost`."""
        try:
            await self._step()
            while self.render.status is RenderStatus.RENDERING:
                if self._recorder.is_lease_lost:
                    raise LeaseLost(self.render.id)
                await self._step()
        finally:
            await self._backend.abandon(self._recorder.last_attempted)

    async def fail(self, failure: Failure) -> None:
        """End the render as FAILED. Raises `LeaseLost`."""
        await self._recorder.record(lambda render: lifecycle.fail(render, failure=failure, now=self._clock.now()))

    async def _step(self) -> None:
        if self._poll_requested:
            self._poll_requested = False
            self._unchanged = 0
            await self._recorder.refresh()
        if self.render.status.is_terminal:
            return
        if self.render.cancel_requested:
            await self._cancel()
        elif self.render.status is RenderStatus.QUEUED:
            # Cancelled midway, this would leave an attempt whose id in the backend is not recorded.
            self._launching = True
            try:
                await finish_despite_cancellation(self._launch(), timeout_s=MAX_LAUNCH_S)
            finally:
                self._launching = False
                self._concurrency.start_finished()
        else:
            await self._poll()

    async def _launch(self) -> None:
        before, now = self.render, self._clock.now()
        if before.started_at is None and now - before.created_at > self._limits.queue_timeout:
            await self.fail(QUEUE_TIMEOUT)
            return
        record = self._recorder.record
        await record(lambda render: lifecycle.launch(render, now=now))
        self._attempt_s = -self._running_time.read_s()
        try:
            backend_render_id = await self._backend.start(self.render)
        except StartRefused as error:
            log.info("render %s was refused by the backend and stays queued: %s", before.id, error)
            self._concurrency.decrease(acquired_at=self._acquired_at)
            due_at = self._clock.now() + timedelta(seconds=backoff_s(before.refusals + 1))
            await record(lambda render: lifecycle.undo_launch(render, before=before, due_at=due_at))
        except StartImpossible as error:
            log.error("render %s can't be started: %s", before.id, error)  # noqa: TRY400  # the message is enough
            now, failure = self._clock.now(), error.failure
            await record(lambda render: lifecycle.fail_launch(render, before=before, failure=failure, now=now))
        except StartUncertain as error:
            log.warning("render %s may be running; the response to its start was lost: %s", before.id, error)
        else:
            self._attempt_s = -self._running_time.read_s()  # starts at the response, however late it is
            await record(lambda render: lifecycle.accept(render, backend_render_id=backend_render_id))

    async def _poll(self) -> None:
        due_at = self._poll_due_at = self._poll_due_at or self._clock.now()
        try:
            observation = await self._backend.observe(self.render)
        except BackendUnavailable as error:
            self._metrics.poll_failed()
            self._poll_failures += 1
            self._poll_failure = error.failure
            log.info("render %s could not be polled: %s", self.render.id, error)
            if self._is_overdue():
                await self._exceed_deadline()
            else:
                await self._recorder.pause(backoff_s(self._poll_failures))
            return
        self._metrics.polled(due_at=due_at, now=self._clock.now())
        self._poll_failures = 0
        self._poll_failure = None
        await self._apply(observation)

    async def _apply(self, observation: Observation) -> None:
        """Record the observation.

        The deadline ends only attempts that are still running: if this process was suspended, it may have passed long
        before an attempt that finished in time is observed.
        """
        match observation:
            case AttemptProgress() if self._is_overdue():
                await self._exceed_deadline()
            case AttemptProgress():
                await self._advance(observation)
            case AttemptFinished(output=output, cost_usd=cost, warnings=warnings):
                self._concurrency.increase()
                now = self._clock.now()
                await self._recorder.record(
                    lambda render: lifecycle.complete(render, output=output, cost_usd=cost, warnings=warnings, now=now)
                )
            case AttemptFailed():
                await self._retry_or_fail(observation)
            case AttemptMissing():
                await self._restart_or_fail()

    async def _advance(self, progress: AttemptProgress) -> None:
        before = self.render.revision
        with spans.without_call_spans():  # these are several calls a second; a change of phase is still traced
            await self._recorder.record(lambda render: lifecycle.advance(render, progress, running_s=self._running_s))
        self._unchanged = self._unchanged + 1 if self.render.revision == before else 0
        pause_s = poll_interval_s(self._backend.poll_interval.total_seconds(), unchanged=self._unchanged)
        self._poll_due_at = self._clock.now() + timedelta(seconds=pause_s)
        await self._recorder.pause(pause_s)

    async def _retry_or_fail(self, attempt: AttemptFailed) -> None:
        failure = attempt.failure
        spans.record_failure(failure.code)
        reason = failure.detail or failure.message
        log.warning("attempt %d of render %s failed: %s: %s", self.render.attempt, self.render.id, failure.code, reason)
        now = self._clock.now()
        if attempt.busy:
            self._concurrency.decrease(acquired_at=self._acquired_at)
            tries, base_s = self.render.busy_attempts + 1, BUSY_RETRY_BASE_S
            exhausted = now - self.render.created_at > self._limits.queue_timeout
        else:
            tries = self.render.attempt - self.render.interruptions - self.render.busy_attempts
            base_s = RETRY_BASE_S
            exhausted = tries >= self._limits.max_attempts
        if exhausted or not failure.retryable:
            await self.fail(failure)
            return
        due_at = now + timedelta(seconds=backoff_s(tries, base_s=base_s, max_s=MAX_RETRY_S))
        await self._recorder.record(lambda render: lifecycle.requeue(render, due_at=due_at, busy=attempt.busy))

    async def _restart_or_fail(self) -> None:
        log.info("attempt %d of render %s ended with its process", self.render.attempt, self.render.id)
        if self.render.interruptions >= MAX_INTERRUPTIONS:
            await self.fail(RENDER_LOST)
        else:
            await self._recorder.record(lifecycle.interrupt)

    async def _exceed_deadline(self) -> None:
        if finished := await self._stop_attempt():
            await self._apply(finished)
        else:
            await self.fail(self._poll_failure or DEADLINE_EXCEEDED)

    async def _cancel(self) -> None:
        await self._stop_attempt()
        await self._recorder.record(lambda render: lifecycle.cancel(render, now=self._clock.now()))

    def _is_overdue(self) -> bool:
        return self._running_s >= self._backend.time_limit(self.render).total_seconds()

    @property
    def _running_s(self) -> float:
        """The running time of the current attempt."""
        return self._attempt_s + self._running_time.read_s()

    async def _stop_attempt(self) -> AttemptFinished | None:
        """Stop the attempt. If the backend is unavailable, the attempt ends by the backend's own time limit."""
        try:
            return await self._backend.stop(self.render)
        except BackendUnavailable as error:
            log.warning("render %s could not be stopped: %s", self.render.id, error)
            return None
