"""Runs one leased render: starts it on the backend, polls it, and records its changes."""

import logging
from datetime import timedelta

from services.background.backoff import backoff_s
from services.background.supervision import finish_despite_cancellation
from services.clock import Stopwatch
from services.errors import BackendUnavailable, LeaseLost, StartImpossible, StartRejected, StartUncertain
from services.models import Failure, Render, RenderPhase, RenderStatus
from services.observability import spans
from services.ports import AttemptFailed, AttemptFinished, AttemptMissing, AttemptProgress, Observation
from services.renders import lifecycle
from services.renders.failure_messages import OWNER_MESSAGES
from services.worker.attempt_end import AttemptEnd, AttemptFailure
from services.worker.change_recorder import ChangeRecorder
from services.worker.concurrency_limit import poll_interval_s
from services.worker.run_context import RunContext

QUEUE_TIMEOUT = Failure(code="QUEUE_TIMEOUT", message=OWNER_MESSAGES["QUEUE_TIMEOUT"], retryable=True)
DEADLINE_EXCEEDED = Failure(code="DEADLINE_EXCEEDED", message=OWNER_MESSAGES["DEADLINE_EXCEEDED"], retryable=True)
RENDER_LOST = Failure(
    code="RENDER_LOST", message="The render was interrupted too often. Please try again.", retryable=True
)

MAX_INTERRUPTIONS = 100  # limits the restarts of a render that crashes the process that runs it
# Added to the running time at a takeover: up to a lease may have passed unobserved since a crash. A worker that stops
# releases its leases at once.
MAX_UNSEEN_S = 30.0
MAX_LAUNCH_S = 60.0  # longer than any backend takes to respond to a start and the store to record it

log = logging.getLogger(__name__)


class RenderRun:
    """Runs one render until it has ended, is QUEUED again, or its lease is lost."""

    def __init__(self, recorder: ChangeRecorder, context: RunContext) -> None:
        self._recorder = recorder
        self._context = context
        self._backend = context.backend
        self._clock = context.clock
        self._end = AttemptEnd(recorder, context)
        self._taken_over = recorder.render.status is RenderStatus.RENDERING
        unseen_s = min(context.lease.total_seconds(), MAX_UNSEEN_S) if self._taken_over else 0.0
        self._attempt_time = Stopwatch(context.running_time, elapsed_s=recorder.render.running_s + unseen_s)
        self._launching = False
        self._poll_requested = False
        self._check_output = False
        self._poll_failures = 0
        self._poll_failure: Failure | None = None
        self._unchanged = 0
        self._poll_due_s: float | None = None

    @property
    def id(self) -> str:
        """The render's id."""
        return self.render.id

    @property
    def render(self) -> Render:
        """The newest known state."""
        return self._recorder.render

    @property
    def is_starting(self) -> bool:
        """Whether the render is being started, or is to be started next."""
        return self._launching or self.render.status is RenderStatus.QUEUED

    def refresh_and_poll(self) -> None:
        """Read the stored state and poll the backend without delay: another process has reported a change."""
        self._poll_requested = True
        self._recorder.interrupt()

    def poll_now(self) -> None:
        """Poll the backend without delay: it has reported a change of this render."""
        self._recorder.interrupt()

    def mark_lease_lost(self) -> None:
        """Stop before the next step: another worker may be running the render."""
        self._recorder.mark_lease_lost()

    async def run(self) -> None:
        """Return when the render has ended or is QUEUED again. Raises `LeaseLost`."""
        try:
            if self._taken_over:
                await self._take_over()
            await self._step()
            while self.render.status is RenderStatus.RENDERING:
                if self._recorder.is_lease_lost:
                    raise LeaseLost(self.render.id)
                await self._step()
        finally:
            await self._backend.abandon(self._recorder.last_attempted)

    def give_up(self, failure: Failure) -> None:
        """Let the next `run` stop the attempt and end the render as FAILED, or COMPLETE if its output is stored."""
        self._end.end_after(AttemptFailure(failure=failure, is_final=True))

    async def fail(self, failure: Failure) -> None:
        """End the render as FAILED, although an attempt may be running. Raises `LeaseLost`."""
        await self._end.fail(failure)

    async def _take_over(self) -> None:
        """Record the time that no worker has seen as running time, so that no number of crashes extends an attempt."""
        elapsed_s = self._attempt_time.elapsed_s
        await self._recorder.record(lambda render: lifecycle.take_over(render, running_s=elapsed_s))
        self._taken_over = False

    async def _step(self) -> None:
        if self._poll_requested:
            self._poll_requested = False
            self._check_output = True
            self._unchanged = 0
            await self._recorder.refresh()
        if self.render.status.is_terminal:
            return
        if self._end.is_due:
            await self._end.step()
        elif self.render.status is RenderStatus.QUEUED:
            # Cancelled midway, this would leave an attempt whose id in the backend is not recorded.
            self._launching = True
            try:
                await finish_despite_cancellation(self._launch(), timeout_s=MAX_LAUNCH_S)
            finally:
                self._launching = False
                self._context.concurrency.start_finished()
        else:
            await self._poll()

    async def _launch(self) -> None:
        before = self.render
        if before.started_at is None and self._has_waited_too_long(before):
            await self.fail(QUEUE_TIMEOUT)
            return
        record, now = self._recorder.record, self._clock.now()
        await record(lambda render: lifecycle.launch(render, now=now))
        try:
            backend_render_id = await self._backend.start(self.render)
        except StartRejected as error:
            log.info("render %s was rejected by the backend and stays queued: %s", before.id, error)
            self._end.reduce_concurrency()
            due_at = self._clock.now() + timedelta(seconds=backoff_s(before.rejected_starts + 1))
            await record(lambda render: lifecycle.undo_launch(render, before=before, due_at=due_at))
        except StartImpossible as error:
            log.error("render %s can't be started: %s", before.id, error)  # noqa: TRY400  # the message is enough
            now, failure = self._clock.now(), error.failure
            if before.attempt:  # of which the output may be stored
                self.give_up(failure)
            else:
                await record(lambda render: lifecycle.fail_launch(render, before=before, failure=failure, now=now))
        except StartUncertain as error:
            log.warning("render %s may be running; the response to its start was lost: %s", before.id, error)
            self._attempt_time.restart()  # the backend may have started it at any time until now
        else:
            self._attempt_time.restart()  # the time limit starts at the response, however late it is
            await record(lambda render: lifecycle.accept(render, backend_render_id=backend_render_id))

    def _has_waited_too_long(self, render: Render) -> bool:
        waited_s = self._context.running_time.since_s(render.created_at)
        return waited_s > self._context.limits.queue_timeout.total_seconds()

    async def _poll(self) -> None:
        due_s = self._poll_due_s = self._poll_due_s or self._clock.monotonic()
        try:
            observation = await self._backend.observe(self.render, check_output=self._check_output)
        except BackendUnavailable as error:
            self._context.metrics.poll_failed()
            self._poll_failures += 1
            self._poll_failure = error.failure
            log.info("render %s could not be polled: %s", self.render.id, error)
            if self._is_overdue():
                self._exceed_deadline()
            else:
                await self._recorder.pause(backoff_s(self._poll_failures))
            return
        self._context.metrics.polled(lag_s=max(0.0, self._clock.monotonic() - due_s))
        self._check_output = False
        self._poll_failures = 0
        self._poll_failure = None
        await self._apply(observation)

    async def _apply(self, observation: Observation) -> None:
        """Record the observation. The time limit ends only attempts that are still running."""
        match observation:
            case AttemptProgress() if self._is_overdue():
                self._exceed_deadline()
            case AttemptProgress(media=media) if media is not None and (
                over := self._context.limits.media.failure(media)
            ):
                self._end.end_after(AttemptFailure(failure=over, is_final=True))
            case AttemptProgress():
                await self._advance(observation)
            case AttemptFinished():
                await self._end.complete(observation)
            case AttemptFailed(failure=failure, busy=busy):
                self._end.end_after(AttemptFailure(failure=failure, busy=busy))
            case AttemptMissing():
                await self._restart_or_fail()

    async def _advance(self, progress: AttemptProgress) -> None:
        before, running_s = self.render.revision, self._attempt_time.elapsed_s
        with spans.without_call_spans():  # these are several calls a second; a change of phase is still traced
            await self._recorder.record(lambda render: lifecycle.advance(render, progress, running_s=running_s))
        self._unchanged = self._unchanged + 1 if self.render.revision == before else 0
        pause_s = poll_interval_s(self._backend.poll_interval.total_seconds(), unchanged=self._unchanged)
        self._poll_due_s = self._clock.monotonic() + pause_s
        await self._recorder.pause(pause_s)

    async def _restart_or_fail(self) -> None:
        log.info("attempt %d of render %s ended with its process", self.render.attempt, self.render.id)
        if self.render.interruptions >= MAX_INTERRUPTIONS:
            await self.fail(RENDER_LOST)
        else:
            await self._recorder.record(lifecycle.interrupt)

    def _is_overdue(self) -> bool:
        return self._attempt_time.elapsed_s >= self._backend.time_limit(self.render).total_seconds()

    def _exceed_deadline(self) -> None:
        """Give the attempt up. If it never got beyond its launch, the backend may have had no capacity for it."""
        if self.render.phase is RenderPhase.LAUNCHING:
            self._end.reduce_concurrency()
        self._end.end_after(AttemptFailure(failure=self._poll_failure or DEADLINE_EXCEEDED))
