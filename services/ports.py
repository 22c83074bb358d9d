"""The contracts between the service and what it is plugged into. One adapter a file under `stores/` and `backends/`.

Every adapter of a port passes the same suite under `tests/services/`, so what is said here is what is tested.
Adapters raise only the errors named here; a driver's own never pass through.
"""

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import Protocol

from services.models import Download, Failure, Output, QuotaWindow, Render, RenderFilter, RenderPhase


class Clock(Protocol):
    """Time, injected so that tests need not wait."""

    def now(self) -> datetime:
        """Return the present time, aware, in UTC."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return after `seconds`."""
        ...

    async def wait(self, event: asyncio.Event, *, timeout_s: float) -> bool:
        """Return True once `event` is set, or False after `timeout_s`."""
        ...


class AddOutcome(Enum):
    """How a store answered `add`."""

    ADDED = auto()
    DUPLICATE = auto()
    OVER_QUOTA = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class AddResult:
    """What became of an `add`: the render now stored (an earlier one if DUPLICATE) and the window's units used."""

    verdict: AddOutcome
    render: Render
    used: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """How many renders are QUEUED, of all owners, and when the oldest of them was asked for; None if there is none."""

    depth: int
    oldest_created_at: datetime | None


class RenderStore(Protocol):
    """The job documents and the quota. Any method may raise `StoreUnavailable`: it changed everything or nothing.

    A lease gives one worker the sole right to change a render until it expires, by the store's own clock, since those
    of the workers may differ. Ids sort by creation time.
    """

    async def add(self, render: Render, window: QuotaWindow) -> AddResult:
        """Store a new render and take one unit of `window`, both or neither, in one atomic step.

        If the owner already has a render with the same idempotency key, nothing is stored or taken: DUPLICATE.
        Else, if the window has no unit left, nothing is stored: OVER_QUOTA.
        """
        ...

    async def quota_used(self, window: QuotaWindow) -> int:
        """Return how many units of `window` are taken, without taking one."""
        ...

    async def get(self, render_id: str, *, owner: str) -> Render | None:
        """Return the owner's render; None if there is none with this id or it is another's."""
        ...

    async def get_many(self, render_ids: Collection[str]) -> Sequence[Render]:
        """Return those of the renders that exist, of any owner, in no order. For the service itself, not callers."""
        ...

    async def list(
        self, *, owner: str | None, first: int, matching: RenderFilter, older_than: str | None = None
    ) -> Sequence[Render]:
        """Return up to `first` of the owner's renders, newest first, those with a lower id than `older_than`.

        Everybody's if the owner is None.
        """
        ...

    async def unfinished(self, owners: Collection[str], *, first: int) -> Sequence[Render]:
        """Return up to `first` unfinished renders of these owners, oldest first. For the service, not callers."""
        ...

    async def exists_newer(self, render_id: str, *, owner: str | None, matching: RenderFilter) -> bool:
        """Return whether the owner, or anybody if None, has a matching render with this id or a higher one."""
        ...

    async def queue_position(self, render: Render) -> int:
        """Return 1 for the QUEUED render that is next, counting all owners' QUEUED renders in order of id."""
        ...

    async def queue(self) -> Queue:
        """Return how the queue stands, without reading its renders."""
        ...

    async def acquire(
        self, *, worker: str, lease: timedelta, excluding: Collection[str] = (), queued: bool = True
    ) -> Render | None:
        """Lease to `worker`, atomically, the oldest unfinished render that is due, not leased and not `excluding`.

        Without `queued`, only one that is RENDERING. A stored document that can't be read is logged and passed over.
        """
        ...

    async def renew(self, render_ids: Collection[str], *, worker: str, lease: timedelta) -> frozenset[str]:
        """Let those of these renders' leases that the worker still holds last `lease` from now; return their ids."""
        ...

    async def release(self, render_ids: Collection[str] | None = None, *, worker: str) -> None:
        """End the worker's leases of these renders, or all it has, at once, so that others may acquire them."""
        ...

    async def record(self, render: Render, *, worker: str | None = None, lease: timedelta | None = None) -> bool:
        """Replace the stored render, if it is exactly one revision older; return whether that was so.

        With `worker`, also only if it holds the lease, which then lasts `lease` from now; else `LeaseLost` is raised.
        A render that is not RENDERING after the change is no longer leased. One that `gives_quota_back` returns its
        unit in the same step.
        """
        ...

    async def delete(self, render_id: str, *, owner: str) -> bool:
        """Remove the owner's terminal render; return whether there was one. Its unit of quota stays taken."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """How many webhook messages are PENDING, and when the oldest of their events occurred; None if there is none."""

    pending: int
    oldest_occurred_at: datetime | None


class WebhookBacklog(Protocol):
    """The part of the outbox that is measured."""

    async def backlog(self) -> Backlog:
        """Return how much is PENDING, without reading the messages. Raises `StoreUnavailable`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """An attempt is under way. `fraction` is 0.0 to 1.0 of the whole; figures may go down between two reports."""

    phase: RenderPhase
    fraction: float
    frames_rendered: int
    estimated_completion_at: datetime | None = None
    cost_usd: float | None = None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """The attempt produced its output, which is stored durably. A poster that can't be made is done without."""

    output: Output
    cost_usd: float | None = None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """The attempt ended without an output. If `failure.retryable`, another attempt may work.

    `busy` if that is because the backend had no room for it.
    """

    failure: Failure
    busy: bool = False


@dataclass(frozen=True, slots=True)
class Missing:
    """The backend knows of no such attempt and none can be running."""


Observation = Progress | Finished | Broken | Missing


class RenderBackend(Protocol):
    """What turns an animation into a video and keeps it. Every method ends within its own time limit."""

    @property
    def capacity(self) -> int:
        """How many renders one worker should carry at once."""
        ...

    @property
    def poll_interval(self) -> timedelta:
        """How long to wait between two `observe` calls while something changes; up to twice that otherwise."""
        ...

    def time_limit(self, render: Render) -> timedelta:
        """Return how long one attempt may take before it is given up."""
        ...

    async def start(self, render: Render) -> str:
        """Start an attempt and return the backend's own id of it. Not idempotent.

        Raises `StartRefused` if certainly nothing runs and a later try may work, `StartImpossible` if it would not,
        and `StartUncertain` if something may be running.
        """
        ...

    async def observe(self, render: Render) -> Observation:
        """Return how the render's present attempt stands. Raises `BackendUnavailable` if that can't be told now.

        An attempt without a `backend_render_id` may be running as well: the answer to its start was lost.
        """
        ...

    async def cancel(self, render: Render) -> None:
        """Stop the present attempt as soon as the backend can. Does nothing if none runs: a finished output stays.

        Raises `BackendUnavailable` if the backend could not be told.
        """
        ...

    async def abandon(self, render: Render) -> None:
        """Free what this process holds for the attempt, because this worker no longer carries the render."""
        ...

    def sign(self, output: Output, *, expires_in: timedelta) -> Download:
        """Return a URL that serves the video until the time it names, at most `expires_in` away. Never waits."""
        ...

    def sign_poster(self, output: Output, *, expires_in: timedelta) -> Download | None:
        """Return such a URL of the poster, a JPEG; None if there is none."""
        ...

    async def has_output(self, output: Output) -> bool:
        """Return whether the output is still stored. Raises `BackendUnavailable`."""
        ...

    async def delete(self, render: Render) -> None:
        """Remove all that is kept of an ended render; does nothing if it is gone. Raises `BackendUnavailable`."""
        ...
