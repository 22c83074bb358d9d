"""Every change a render can go through, one function each.

    QUEUED ──launch──▶ RENDERING ──complete──────▶ COMPLETE
       ◀──refuse, try_again,      ──fail, reject──▶ FAILED
           interrupt──
                                  ──cancel────────▶ CANCELLED

QUEUED renders can fail and be cancelled as well.

Each function returns a new render with the next revision and raises `IllegalChange` for a move the picture does
not have. None does I/O; storing and publishing the result is the caller's work.
"""

from datetime import datetime
from typing import TYPE_CHECKING

from services.errors import IllegalChange
from services.models import Failure, Output, Render, RenderPhase, RenderStatus, replace

if TYPE_CHECKING:
    from services.ports import Progress

ACTIVE = frozenset({RenderStatus.QUEUED, RenderStatus.RENDERING})
HIGHEST_UNFINISHED_PROGRESS = 99


def launch(render: Render, *, now: datetime, deadline_at: datetime) -> Render:
    """Begin an attempt. Recorded before the backend is called, so that no attempt is ever forgotten."""
    _require(render, ACTIVE, "launch")
    return _next(
        render,
        status=RenderStatus.RENDERING,
        phase=RenderPhase.LAUNCHING,
        attempt=render.attempt + 1,
        backend_render_id=None,
        started_at=render.started_at or now,
        deadline_at=deadline_at,
    )


def accept(render: Render, *, backend_render_id: str, deadline_at: datetime | None = None) -> Render:
    """Note the id the backend gave to the attempt, and its deadline now that it runs; None keeps the launch's."""
    _require(render, {RenderStatus.RENDERING}, "accept")
    return _next(render, backend_render_id=backend_render_id, deadline_at=deadline_at or render.deadline_at)


def refuse(render: Render, *, before: Render, due_at: datetime) -> Render:
    """Undo a launch that certainly never ran. `before` is the render as it was when it was launched."""
    _require(render, {RenderStatus.RENDERING}, "refuse")
    return _wait(
        render,
        due_at=due_at,
        attempt=before.attempt,
        started_at=before.started_at,
        refusals=render.refusals + 1,
    )


def reject(render: Render, *, before: Render, failure: Failure, now: datetime) -> Render:
    """End after a launch that certainly never ran and never will. `before` is as for `refuse`."""
    _require(render, {RenderStatus.RENDERING}, "reject")
    undone = replace(render, attempt=before.attempt, started_at=before.started_at)
    return _end(undone, status=RenderStatus.FAILED, now=now, failure=failure)


def try_again(render: Render, *, due_at: datetime, busy: bool = False) -> Render:
    """Put the render back in the queue after an attempt that broke; what was reached stays visible.

    `busy` if the backend had no room for the attempt, which was not the render's fault.
    """
    _require(render, {RenderStatus.RENDERING}, "try_again")
    return _wait(render, due_at=due_at, busy_attempts=render.busy_attempts + busy)


def interrupt(render: Render) -> Render:
    """Put the render back in the queue after an attempt that ended with its process; that was not its fault."""
    _require(render, {RenderStatus.RENDERING}, "interrupt")
    return _wait(render, due_at=None, interruptions=render.interruptions + 1)


def advance(render: Render, progress: "Progress") -> Render:
    """Take over what the backend reports. Figures never go down; the same render comes back if nothing changed.

    A backend's own figures do go down when a part of the work starts again, so the highest seen is kept.
    """
    _require(render, {RenderStatus.RENDERING}, "advance")
    percent = min(int(progress.fraction * 100), HIGHEST_UNFINISHED_PROGRESS)
    advanced = replace(
        render,
        phase=progress.phase,
        progress=max(render.progress, percent),
        frames_rendered=max(render.frames_rendered, min(progress.frames_rendered, render.total_frames)),
        estimated_completion_at=progress.estimated_completion_at,
        cost_usd=_cost(render, progress.cost_usd),
        warnings=progress.warnings or render.warnings,
    )
    return render if advanced == render else _next(advanced)


def complete(
    render: Render, *, output: Output, cost_usd: float | None, warnings: tuple[str, ...], now: datetime
) -> Render:
    """End with a video."""
    _require(render, {RenderStatus.RENDERING}, "complete")
    return _end(
        render,
        status=RenderStatus.COMPLETE,
        now=now,
        progress=100,
        frames_rendered=render.total_frames,
        output=output,
        cost_usd=_cost(render, cost_usd),
        warnings=warnings or render.warnings,
    )


def fail(render: Render, *, failure: Failure, now: datetime) -> Render:
    """End without a video, for the reason given."""
    _require(render, ACTIVE, "fail")
    return _end(render, status=RenderStatus.FAILED, now=now, failure=failure)


def cancel(render: Render, *, now: datetime) -> Render:
    """End because the owner asked for it. What ran has been stopped before this is recorded."""
    _require(render, ACTIVE, "cancel")
    return _end(render, status=RenderStatus.CANCELLED, now=now, cancel_requested=True)


def request_cancel(render: Render) -> Render:
    """Ask the worker that carries the render to stop it; the same render comes back if that was asked before."""
    _require(render, {RenderStatus.RENDERING}, "request_cancel")
    return render if render.cancel_requested else _next(render, cancel_requested=True)


def _wait(render: Render, *, due_at: datetime | None, **changes: object) -> Render:
    return _next(
        render,
        status=RenderStatus.QUEUED,
        phase=None,
        backend_render_id=None,
        estimated_completion_at=None,
        deadline_at=None,
        due_at=None if render.cancel_requested else due_at,  # whoever takes it next has only to cancel it
        earlier_cost_usd=render.cost_usd,
        **changes,
    )


def _cost(render: Render, of_attempt: float | None) -> float | None:
    """Return what the render has cost with its present attempt, which never goes down."""
    if of_attempt is None:
        return render.cost_usd
    return max(render.cost_usd or 0.0, (render.earlier_cost_usd or 0.0) + of_attempt)


def _end(render: Render, *, status: RenderStatus, now: datetime, **changes: object) -> Render:
    return _next(
        render, status=status, phase=None, estimated_completion_at=None, deadline_at=None, completed_at=now, **changes
    )


def _next(render: Render, **changes: object) -> Render:
    return replace(render, revision=render.revision + 1, **changes)  # type: ignore[arg-type]


def _require(render: Render, allowed: frozenset[RenderStatus] | set[RenderStatus], change: str) -> None:
    if render.status not in allowed:
        raise IllegalChange(change, render.status)
