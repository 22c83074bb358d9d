"""Contracts between the services and their adapters: clock, render store, webhook backlog, render backend.

Each adapter is a file or folder under `stores/` or `backends/`. All adapters of a port pass the same contract tests
under `tests/services/`. Adapters raise only the errors named here, never those of a driver.
"""

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import Protocol

from services.models import Download, Failure, Output, QuotaWindow, Render, RenderFilter, RenderPhase


class Clock(Protocol):
    """Time, injected so that tests don't wait."""

    def now(self) -> datetime:
        """Return the current time, timezone-aware, in UTC."""
        ...

    def monotonic(self) -> float:
        """Return the seconds since an arbitrary moment. Steps of the wall clock don't change them."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return after `seconds`."""
        ...

    async def wait(self, event: asyncio.Event, *, timeout_s: float) -> bool:
        """Return True once `event` is set, or False after `timeout_s`."""
        ...


# A render's `due_at` that is later than this from now comes from a step of the wall clock, or from another clock: no
# delay is as long.
MAX_DUE_DELAY = timedelta(minutes=5)


class AddOutcome(Enum):
    """Outcome of `RenderStore.add`."""

    ADDED = auto()
    DUPLICATE = auto()
    OVER_QUOTA = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class AddResult:
    """Result of `RenderStore.add`: the stored render (the earlier one if DUPLICATE), and the window's used units."""

    outcome: AddOutcome
    render: Render
    used: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasedRecords:
    """Number of an owner's webhook messages and quota windows that were deleted, or would be."""

    messages: int
    quota_windows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueStats:
    """Number of QUEUED renders of all owners, and when the oldest was created: None if there is none."""

    depth: int
    oldest_created_at: datetime | None


class RenderStore(Protocol):
    """Stores renders and quotas. Any method may raise `StoreUnavailable`; a write then had its full effect or none.

    A lease gives one worker the exclusive right to change a render until it expires. Expiry is measured by the store's
    clock, since the workers' clocks may differ. Ids sort by creation time.

    A render that this version can't read, since a newer version wrote it or it is damaged, is never changed or leased:
    methods that return several leave it out, and `get` and an `add` with its idempotency key raise `StoreUnavailable`.
    """

    @property
    def skipped_documents(self) -> int:
        """Number of different stored documents that this process has left out because it can't read them."""
        ...

    async def add(self, render: Render, window: QuotaWindow) -> AddResult:
        """Store a new render and take one unit of `window`, atomically.

        If the owner already has a render with the same idempotency key, nothing is stored or taken: DUPLICATE.
        Otherwise, if the window has no unit left, nothing is stored: OVER_QUOTA.
        """
        ...

    async def quota_used(self, window: QuotaWindow) -> int:
        """Return the number of used units of `window`."""
        ...

    async def get(self, render_id: str, *, owner: str) -> Render | None:
        """Return the owner's render; None if there is none with this id or it has another owner."""
        ...

    async def get_many(self, render_ids: Collection[str]) -> Sequence[Render]:
        """Return the existing renders of these ids, of any owner, unordered. For internal use, not for callers."""
        ...

    async def list(
        self, *, owner: str | None, first: int, matching: RenderFilter, older_than: str | None = None
    ) -> Sequence[Render]:
        """Return up to `first` of the owner's matching renders with an id lower than `older_than`, newest first.

        Without an owner, return those of all users.
        """
        ...

    async def unfinished(self, owners: Collection[str], *, first: int) -> Sequence[Render]:
        """Return up to `first` unfinished renders of these owners, oldest first. For internal use, not for callers."""
        ...

    async def exists_newer(self, render_id: str, *, owner: str | None, matching: RenderFilter) -> bool:
        """Return whether the owner, or any user if None, has a matching render with this id or a higher one."""
        ...

    async def queue_position(self, render: Render) -> int:
        """Return the place of a QUEUED render among those of all owners, in order of id. 1 is the next."""
        ...

    async def queue(self) -> QueueStats:
        """Return the size and age of the queue, without reading its renders."""
        ...

    async def acquire(
        self, *, worker: str, lease: timedelta, excluding: Collection[str] = (), queued: bool = True
    ) -> Render | None:
        """Lease to `worker`, atomically, the oldest unfinished render that is due, not leased and not in `excluding`.

        One with a `due_at` more than `MAX_DUE_DELAY` from now is due. If `queued` is False, only a RENDERING one is
        leased. A stored document that can't be decoded is logged and skipped.
        """
        ...

    async def renew(self, render_ids: Collection[str], *, worker: str, lease: timedelta) -> frozenset[str]:
        """Extend the leases that the worker still holds on these renders to `lease` from now; return their ids."""
        ...

    async def release(self, render_ids: Collection[str] | None = None, *, worker: str) -> None:
        """End the worker's leases on these renders, or all of its leases, so that other workers can acquire them."""
        ...

    async def record(self, render: Render, *, worker: str | None = None, lease: timedelta | None = None) -> bool:
        """Replace the stored render if it is exactly one revision older; return whether it was replaced.

        With `worker`, the worker must hold the lease, which is extended to `lease` from now; otherwise `LeaseLost` is
        raised. If the render is not RENDERING after the change, its lease ends. If it `returns_quota`, its unit of
        quota is returned in the same atomic step.
        """
        ...

    async def delete(self, render_id: str, *, owner: str) -> bool:
        """Delete the owner's terminal render; return whether there was one. Its unit of quota stays used."""
        ...

    async def check(self) -> None:
        """Read from the store, not from memory; an embedded store also writes."""
        ...

    async def render_ids(self, owner: str) -> Sequence[str]:
        """Return the ids of all the owner's renders, also of those that this version can't read."""
        ...

    async def erase_records(self, owner: str, *, dry_run: bool) -> ErasedRecords:
        """Delete the owner's webhook messages and units of quota, of any version; with `dry_run`, only count them."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class BacklogStats:
    """Number of PENDING webhook messages, and when the oldest of their events occurred: None if there is none."""

    pending: int
    oldest_occurred_at: datetime | None


class WebhookBacklog(Protocol):
    """The part of the webhook outbox that metrics read."""

    async def backlog(self) -> BacklogStats:
        """Return the size and age of the backlog, without reading the messages. Raises `StoreUnavailable`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptProgress:
    """The attempt is running. `fraction` is its progress, 0.0 to 1.0. Values may decrease between observations."""

    phase: RenderPhase
    fraction: float
    frames_rendered: int
    estimated_completion_at: datetime | None = None
    cost_usd: float | None = None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptFinished:
    """The attempt succeeded and its output is stored durably. If the poster could not be created, it has none."""

    output: Output
    cost_usd: float | None = None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptFailed:
    """The attempt ended without an output. If `failure.retryable`, another attempt may succeed.

    `busy` means that the backend was at capacity.
    """

    failure: Failure
    busy: bool = False


@dataclass(frozen=True, slots=True)
class AttemptMissing:
    """The backend has no such attempt, and it can't be running."""


Observation = AttemptProgress | AttemptFinished | AttemptFailed | AttemptMissing


class RenderBackend(Protocol):
    """Renders animations to videos and stores them. Every method has a time limit of its own."""

    @property
    def capacity(self) -> int:
        """Maximum number of renders that one worker should run concurrently."""
        ...

    @property
    def poll_interval(self) -> timedelta:
        """Time between two calls of `observe` while the progress changes; up to twice that otherwise."""
        ...

    def time_limit(self, render: Render) -> timedelta:
        """Return the maximum running time of one attempt."""
        ...

    async def start(self, render: Render) -> str:
        """Start an attempt and return the backend's id for it. Not idempotent.

        Raises `StartRefused` if certainly nothing was started and a later call may succeed, `StartImpossible` if
        certainly nothing was started and a later call would not succeed, and `StartUncertain` if an attempt may be
        running.
        """
        ...

    async def observe(self, render: Render, *, check_output: bool = False) -> Observation:
        """Return the state of the render's current attempt. Raises `BackendUnavailable` if it can't be read now.

        With `check_output`, look for the stored output even if the progress does not say that the attempt has ended.
        An attempt without a `backend_render_id` may be running too: the response to its start was lost.
        """
        ...

    async def stop(self, render: Render) -> AttemptFinished | None:
        """Stop the current attempt, so that no later attempt runs beside it.

        Return its output, or that of an earlier attempt, if one is stored. Idempotent. Raises `BackendUnavailable` if
        the request did not reach the backend, or the output could not be looked for.
        """
        ...

    async def abandon(self, render: Render) -> None:
        """Free this process's resources for the attempt, because this worker no longer runs the render."""
        ...

    def sign(self, output: Output, *, expires_in: timedelta) -> Download:
        """Return a URL of the video that is valid for at most `expires_in`. Does no I/O."""
        ...

    def sign_poster(self, output: Output, *, expires_in: timedelta) -> Download | None:
        """Return a URL of the poster, a JPEG, as `sign` does; None if there is none."""
        ...

    async def has_output(self, output: Output) -> bool:
        """Return whether the output is still stored. Raises `BackendUnavailable`."""
        ...

    async def delete(self, render: Render) -> None:
        """Delete all stored files of an ended render. Idempotent. Raises `BackendUnavailable`."""
        ...
