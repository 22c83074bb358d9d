"""The state machine of a render: one function per change.

    QUEUED ──launch──▶ RENDERING ──complete──────────▶ COMPLETE
       ◀──undo_launch,           ──fail, fail_launch─▶ FAILED
          requeue, interrupt──   ──cancel────────────▶ CANCELLED

QUEUED renders can also fail and be cancelled. `accept`, `take_over`, `advance` and `request_cancel` change a RENDERING
render and keep its status.

Each function returns a new render with the next revision, and raises `IllegalChange` if the status does not allow the
change. None does I/O: the caller stores and publishes the result.
"""

from datetime import datetime
from typing import TYPE_CHECKING

from services.errors import IllegalChange
from services.media import Media
from services.models import Failure, Output, Render, RenderPhase, RenderStatus, replace

if TYPE_CHECKING:
    from services.ports import AttemptProgress

ACTIVE = frozenset({RenderStatus.QUEUED, RenderStatus.RENDERING})
MAX_UNFINISHED_PROGRESS = 99


def launch(render: Render, *, now: datetime) -> Render:
    """Start an attempt. The result must be stored before the backend is called, so that no attempt is lost."""
    _require(render, {RenderStatus.QUEUED}, "launch")
    return _next(
        render,
        status=RenderStatus.RENDERING,
        phase=RenderPhase.LAUNCHING,
        attempt=render.attempt + 1,
        backend_render_id=None,
        started_at=render.started_at or max(now, render.created_at),  # another process may have set the latter
        running_s=0.0,
    )


def accept(render: Render, *, backend_render_id: str) -> Render:
    """Set the backend's id of the attempt, whose running time starts now."""
    _require(render, {RenderStatus.RENDERING}, "accept")
    return _next(render, backend_render_id=backend_render_id, running_s=0.0)


def undo_launch(render: Render, *, before: Render, due_at: datetime) -> Render:
    """Undo a launch for which the backend certainly started nothing. `before` is the render before the launch."""
    _require(render, {RenderStatus.RENDERING}, "undo_launch")
    return _back_to_queue(
        render,
        due_at=due_at,
        attempt=before.attempt,
        started_at=before.started_at,
        rejected_starts=render.rejected_starts + 1,
    )


def fail_launch(render: Render, *, before: Render, failure: Failure, now: datetime) -> Render:
    """Fail a render for which the backend certainly started nothing and never will. `before` as for `undo_launch`."""
    _require(render, {RenderStatus.RENDERING}, "fail_launch")
    undone = replace(render, attempt=before.attempt, started_at=before.started_at)
    return _end(undone, status=RenderStatus.FAILED, now=now, failure=failure)


def requeue(render: Render, *, due_at: datetime, busy: bool = False) -> Render:
    """Queue the render again after a failed attempt. Its progress stays visible.

    `busy` means that the backend was at capacity, so the failure doesn't count against the render.
    """
    _require(render, {RenderStatus.RENDERING}, "requeue")
    return _back_to_queue(render, due_at=due_at, busy_attempts=render.busy_attempts + busy)


def interrupt(render: Render) -> Render:
    """Queue the render again after its attempt ended with its process, which doesn't count against the render."""
    _require(render, {RenderStatus.RENDERING}, "interrupt")
    return _back_to_queue(render, due_at=None, interruptions=render.interruptions + 1)


def take_over(render: Render, *, running_s: float) -> Render:
    """Set the attempt's running time as estimated by a worker that did not start the attempt."""
    _require(render, {RenderStatus.RENDERING}, "take_over")
    return _next(render, running_s=running_s)


def advance(render: Render, progress: "AttemptProgress", *, running_s: float | None = None) -> Render:
    """Apply the backend's progress report and the attempt's running time. Return the same object without progress.

    A backend's values decrease when it restarts a part of the work. The render keeps the highest values, but never has
    more rendered frames than the output, if the backend reports fewer of those than were expected.
    """
    _require(render, {RenderStatus.RENDERING}, "advance")
    percent = min(int(progress.fraction * 100), MAX_UNFINISHED_PROGRESS)
    measured = _measured(render, progress.media)
    frames = max(render.frames_rendered, progress.frames_rendered)
    advanced = replace(
        measured,
        phase=progress.phase,
        progress=max(render.progress, percent),
        frames_rendered=min(frames, measured.total_frames or frames),
        preview_frame=progress.preview_frame,
        estimated_completion_at=progress.estimated_completion_at,
        cost_usd=_cost(render, progress.cost_usd),
        warnings=progress.warnings or render.warnings,
    )
    return (
        render
        if advanced == render
        else _next(advanced, running_s=render.running_s if running_s is None else running_s)
    )


def complete(
    render: Render,
    *,
    output: Output,
    cost_usd: float | None,
    warnings: tuple[str, ...],
    now: datetime,
    media: Media | None = None,
) -> Render:
    """Complete the render with its output, whose size and length are `media`, if the backend has reported them."""
    _require(render, {RenderStatus.RENDERING}, "complete")
    measured = _measured(render, media)
    return _end(
        measured,
        status=RenderStatus.COMPLETE,
        now=now,
        progress=100,
        frames_rendered=measured.total_frames or render.frames_rendered,
        output=output,
        cost_usd=_cost(render, cost_usd),
        warnings=warnings or render.warnings,
    )


def fail(render: Render, *, failure: Failure, now: datetime) -> Render:
    """Fail the render."""
    _require(render, ACTIVE, "fail")
    return _end(render, status=RenderStatus.FAILED, now=now, failure=failure)


def cancel(render: Render, *, now: datetime) -> Render:
    """Cancel the render. A running attempt must be stopped first."""
    _require(render, ACTIVE, "cancel")
    return _end(render, status=RenderStatus.CANCELLED, now=now, cancel_requested=True)


def request_cancel(render: Render) -> Render:
    """Set `cancel_requested`, so that the worker cancels the render. Return the same object if it is already set."""
    _require(render, {RenderStatus.RENDERING}, "request_cancel")
    return render if render.cancel_requested else _next(render, cancel_requested=True)


def begin_cancel(render: Render, *, now: datetime) -> Render:
    """Cancel a QUEUED render, or request it of the worker of a RENDERING one."""
    return cancel(render, now=now) if render.status is RenderStatus.QUEUED else request_cancel(render)


def _back_to_queue(render: Render, *, due_at: datetime | None, **changes: object) -> Render:
    ended = () if render.backend_render_id is None else (render.backend_render_id,)
    return _next(
        render,
        status=RenderStatus.QUEUED,
        phase=None,
        preview_frame=None,
        backend_render_id=None,
        earlier_backend_render_ids=render.earlier_backend_render_ids + ended,
        estimated_completion_at=None,
        running_s=0.0,
        due_at=None if render.cancel_requested else due_at,  # no delay: the next worker only cancels it
        earlier_cost_usd=render.cost_usd,
        **changes,
    )


def _measured(render: Render, media: Media | None) -> Render:
    """Return the render with the size and length that the backend has reported, if it has."""
    return render if media is None else replace(render, media=media)


def _cost(render: Render, of_attempt: float | None) -> float | None:
    """Return the render's cost including its current attempt. It never decreases."""
    if of_attempt is None:
        return render.cost_usd
    return max(render.cost_usd or 0.0, (render.earlier_cost_usd or 0.0) + of_attempt)


def _end(render: Render, *, status: RenderStatus, now: datetime, **changes: object) -> Render:
    completed_at = max(now, render.started_at or render.created_at)  # which another process may have set
    return _next(
        render,
        status=status,
        phase=None,
        preview_frame=None,
        estimated_completion_at=None,
        completed_at=completed_at,
        **changes,
    )


def _next(render: Render, **changes: object) -> Render:
    return replace(render, revision=render.revision + 1, **changes)  # type: ignore[arg-type]


def _require(render: Render, allowed: frozenset[RenderStatus] | set[RenderStatus], change: str) -> None:
    if render.status not in allowed:
        raise IllegalChange(change, render.status)
