"""Ends the attempt of a leased render: stops it, looks for its output, and then ends the render or queues it again.

An attempt is stopped before every further attempt, failure and cancellation, so that no two attempts of a render run at
once, and its output is looked for, so that a stored video is never reported as a failure.
"""

import logging
from dataclasses import dataclass
from datetime import timedelta

from services.background.backoff import backoff_s
from services.clock import Stopwatch
from services.errors import BackendUnavailable
from services.models import Failure, Render, RenderStatus
from services.observability import spans
from services.ports import AttemptFinished
from services.renders import lifecycle
from services.worker.change_recorder import ChangeRecorder
from services.worker.run_context import RunContext

RETRY_BASE_S = 0.5  # delay after the first failed attempt
BUSY_RETRY_BASE_S = 20.0  # the same if the backend had no capacity: other renders must finish first
MAX_RETRY_S = 120.0  # maximum delay after a failed attempt
MAX_STOPPING_S = 3600.0  # of running time, while the backend is unavailable

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptFailure:
    """Why an attempt ends. If `busy`, the backend was at capacity. If `is_final`, it is the last attempt."""

    failure: Failure
    busy: bool = False
    is_final: bool = False


class AttemptEnd:
    """Ends the current attempt of one render, once it has failed or its owner has requested to cancel the render."""

    def __init__(self, recorder: ChangeRecorder, context: RunContext) -> None:
        self._recorder = recorder
        self._context = context
        self._acquired_at_s = context.clock.monotonic()
        self._reason: AttemptFailure | None = None
        self._stopping: Stopwatch | None = None
        self._stop_failures = 0

    @property
    def is_due(self) -> bool:
        """Whether `step` must be called next."""
        return self._reason is not None or self._render.cancel_requested

    def end_after(self, reason: AttemptFailure) -> None:
        """Record why the attempt ends. The next `step` stops it."""
        self._reason = reason
        if reason.busy:
            self.reduce_concurrency()
        failure, render = reason.failure, self._render
        detail = failure.detail or failure.message
        log.warning("attempt %d of render %s failed: %s: %s", render.attempt, render.id, failure.code, detail)

    def reduce_concurrency(self) -> None:
        """Let the worker run fewer renders at once: the backend had no capacity for this one."""
        self._context.concurrency.decrease(acquired_at_s=self._acquired_at_s)

    async def step(self) -> None:
        """Stop the attempt; then end the render or queue it again. If the backend is unavailable, wait and return.

        After `MAX_STOPPING_S` without a response of the backend, the render ends all the same. Raises `LeaseLost`.
        """
        try:
            finished = await self._stop()
        except BackendUnavailable as error:
            if not await self._stop_timed_out(error):
                return
            finished = None
        if self._render.cancel_requested:
            await self._recorder.record(lambda render: lifecycle.cancel(render, now=self._context.clock.now()))
        elif finished is not None:
            log.info("render %s is complete: its output is stored", self._render.id)
            await self.complete(finished)
        elif self._reason is not None:
            await self._retry_or_fail(self._reason)

    async def complete(self, finished: AttemptFinished) -> None:
        """End the render as COMPLETE. Raises `LeaseLost`."""
        self._context.concurrency.increase()
        now = self._context.clock.now()
        await self._recorder.record(
            lambda render: lifecycle.complete(
                render,
                output=finished.output,
                cost_usd=finished.cost_usd,
                warnings=finished.warnings,
                media=finished.media,
                now=now,
            )
        )

    async def fail(self, failure: Failure) -> None:
        """End the render as FAILED, although an attempt may be running. Raises `LeaseLost`."""
        now = self._context.clock.now()
        await self._recorder.record(lambda render: lifecycle.fail(render, failure=failure, now=now))

    @property
    def _render(self) -> Render:
        return self._recorder.render

    async def _stop(self) -> AttemptFinished | None:
        if self._render.status is RenderStatus.QUEUED:
            return None
        return await self._context.backend.stop(self._render)

    async def _stop_timed_out(self, error: BackendUnavailable) -> bool:
        """Return whether the time limit for stopping the attempt has passed; if not, wait before the next try."""
        self._stopping = self._stopping or Stopwatch(self._context.running_time)
        self._stop_failures += 1
        log.warning("render %s could not be stopped: %s", self._render.id, error)
        if self._stopping.elapsed_s < MAX_STOPPING_S:
            await self._recorder.pause(backoff_s(self._stop_failures))
            return False
        if self._reason is not None:
            self._reason = AttemptFailure(failure=error.failure or self._reason.failure, is_final=True)
        return True

    async def _retry_or_fail(self, reason: AttemptFailure) -> None:
        render, limits = self._render, self._context.limits
        spans.record_failure(reason.failure.code)
        if reason.busy:
            tries, base_s = render.busy_attempts + 1, BUSY_RETRY_BASE_S
            waited_s = self._context.running_time.since_s(render.created_at)
            exhausted = waited_s > limits.queue_timeout.total_seconds()
        else:
            tries, base_s = render.attempt - render.interruptions - render.busy_attempts, RETRY_BASE_S
            exhausted = tries >= limits.max_attempts
        if exhausted or reason.is_final or not reason.failure.retryable:
            await self.fail(reason.failure)
            return
        delay = timedelta(seconds=backoff_s(tries, base_s=base_s, max_s=MAX_RETRY_S))
        due_at = self._context.clock.now() + delay
        await self._recorder.record(lambda render: lifecycle.requeue(render, due_at=due_at, busy=reason.busy))
