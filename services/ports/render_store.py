"""The contract of a render store. All stores pass the tests in `tests/services/stores/test_store_contract.py`."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import Protocol

from services.models import QuotaWindow, Render, RenderFilter, RenderStatus

# A render's `due_at` that is later than this from now comes from a step of the wall clock, or from another clock: no
# delay is as long.
MAX_DUE_DELAY = timedelta(minutes=5)
MAX_QUEUE_POSITION = 1000  # positions are counted up to this


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
class AddManyResult:
    """Result of `RenderStore.add_many`: its outcome, and the window's used units."""

    outcome: AddOutcome
    used: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasedRecords:
    """What was deleted of an owner, or would be: numbers of webhook messages and quota windows, ids of damaged renders.

    A store that newer versions may write has no damaged renders: those that this version can't read may be theirs.
    """

    messages: int
    quota_windows: int
    damaged: Sequence[str] = ()


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

    async def add(self, render: Render, window: QuotaWindow, *, weight: float = 1.0) -> AddResult:
        """Store a new render, give it its place in the queue, and take one unit of `window`, atomically.

        `weight` is its owner's share of the queue relative to other owners. If the owner already has a render with the
        same idempotency key, nothing is stored or taken: DUPLICATE. Otherwise, if the window has no unit left, nothing
        is stored: OVER_QUOTA.
        """
        ...

    async def add_many(self, renders: Sequence[Render], window: QuotaWindow, *, weight: float = 1.0) -> AddManyResult:
        """Do what `add` does for 1 to `MAX_ADDED` renders of one owner, all or none, in one atomic step.

        If the owner already has a render with one of the idempotency keys, nothing is stored: DUPLICATE. Otherwise, if
        the window has fewer units left than there are renders, nothing is stored: OVER_QUOTA.
        """
        ...

    async def find_by_keys(self, owner: str, keys: Collection[str]) -> Mapping[str, Render]:
        """Return the owner's renders with these idempotency keys, by key. Raises `StoreUnavailable` as `get` does."""
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
        self,
        *,
        owner: str | None,
        first: int,
        matching: RenderFilter,
        older_than: str | None = None,
        newer_than: str | None = None,
        oldest_first: bool = False,
    ) -> Sequence[Render]:
        """Return up to `first` of the owner's matching renders, newest first unless `oldest_first`.

        Their ids are lower than `older_than` and higher than `newer_than`. Without an owner, return those of all users.
        """
        ...

    async def count(self, *, owner: str | None, matching: RenderFilter) -> int:
        """Return the number of matching renders of the owner, or of all users if None, without reading them.

        Renders that this version can't read are counted.
        """
        ...

    async def count_by_status(self, owner: str, batch_id: str) -> Mapping[RenderStatus, int]:
        """Return the numbers of the owner's renders of a batch. A status that none has is left out."""
        ...

    async def unfinished(self, owners: Collection[str], *, first: int) -> Sequence[Render]:
        """Return up to `first` unfinished renders of these owners, oldest first. For internal use, not for callers."""
        ...

    async def exists_newer(self, render_id: str, *, owner: str | None, matching: RenderFilter) -> bool:
        """Return whether the owner, or any user if None, has a matching render with this id or a higher one."""
        ...

    async def exists_older(self, render_id: str, *, owner: str | None, matching: RenderFilter) -> bool:
        """Return whether the owner, or any user if None, has a matching render with this id or a lower one."""
        ...

    async def queue_position(self, render: Render) -> int:
        """Return the place of a QUEUED render among those of all owners that wait for a worker; 1 is the next.

        `MAX_QUEUE_POSITION` means this place or a later one. A render that waits for another attempt is the next one
        as soon as its delay is over.
        """
        ...

    async def queue(self) -> QueueStats:
        """Return the size and age of the queue, without reading its renders."""
        ...

    async def acquire(self, *, worker: str, lease: timedelta) -> Render | None:
        """Lease to `worker`, atomically, the first render of the queue: QUEUED, without a lease and without a delay.

        Reads one entry of one index. A stored document that can't be decoded is logged and skipped.

        - Order: start-time fair queueing (`services.renders.fair_queue`; docs/decisions/0029-queue.md).
        - Bound: a render whose owner has no other queued one, and is not ahead of its share, waits for at most one
          render of each other owner, besides those that have already started, whatever others queue before or after it.
        - Ahead of its share is an owner who has just been served more than others with the same weight. Its render also
          waits until the others have been served as much as the owner's last render, in frames by weight.
        - A start may use the virtual time of a second ago: its owner may then get ahead of others by as many frames as
          were acquired in that second.
        """
        ...

    async def reacquire(self, *, worker: str, lease: timedelta, queued: bool = True) -> Render | None:
        """Lease to `worker`, atomically, a render that was acquired before and is free again, longest free first.

        That is a RENDERING one without a worker, since its lease has expired or was released. If there is none, and
        `queued`, it is a QUEUED one whose delay (`due_at`) is over or whose lease has expired: it was before all others
        when it was first acquired, and keeps its place. A `due_at` more than `MAX_DUE_DELAY` from now is no delay. A
        stored document that can't be decoded is logged and skipped.
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
        quota is returned in the same atomic step. A render that ends without ever having been started counts no more
        towards its owner's share of the queue.
        """
        ...

    async def record_many(self, renders: Sequence[Render]) -> frozenset[str]:
        """Do what `record` does without a worker for 1 to `MAX_ADDED` renders, in one atomic step.

        Return the ids of those that were replaced.
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
        """Delete the owner's webhook messages and units of quota, of any version, and its damaged renders.

        With `dry_run`, only count them.
        """
        ...
