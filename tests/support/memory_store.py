"""A `RenderStore` in memory."""

import itertools
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.errors import LeaseLost, StoreUnavailable
from services.models import QuotaWindow, Render, RenderFilter, RenderStatus, replace
from services.ports import MAX_DUE_DELAY, AddOutcome, AddResult, Clock, ErasedRecords, QueueStats
from services.webhooks.messages import WebhookMessage
from tests.support.fake_clock import FakeClock
from tests.support.memory_catalog import MemoryCatalogStore
from tests.support.memory_outbox import MemoryOutbox


@dataclass
class StoredRender:
    render: Render
    worker: str | None = None
    lease_until_s: float = 0.0


class MemoryStore:
    """A `RenderStore` in memory.

    `unavailable` makes every call raise, as an unreachable database does. The renders of the ids in `unreadable` are
    those of a newer version; only `get` and `get_many` know them. A worker's next call of each method named in
    `lost_responses` raises after it has made its change, as when a connection breaks.
    """

    def __init__(self, clock: Clock | None = None, *, webhooks_enabled: bool = False) -> None:
        self.unavailable = False
        self.skipped_documents = 0
        self.unreadable: set[str] = set()
        self.lost_responses: set[str] = set()
        self.reads = 0
        self._clock = clock or FakeClock()
        self.outbox = MemoryOutbox(self._clock)
        self.catalog = MemoryCatalogStore(self._clock)
        self._webhooks_enabled = webhooks_enabled
        self._rows: dict[str, StoredRender] = {}
        self._units: dict[str, tuple[str, datetime]] = {}

    def _check(self) -> None:
        if self.unavailable:
            raise StoreUnavailable("the store is unavailable")

    def _lose_response(self, method: str) -> None:
        if method in self.lost_responses:
            self.lost_responses.remove(method)
            raise StoreUnavailable("no response")

    async def add(self, render: Render, window: QuotaWindow) -> AddResult:
        self._check()
        used = await self.quota_used(window)
        key = render.idempotency_key
        for row in self._rows.values():
            if key is not None and (row.render.owner, row.render.idempotency_key) == (render.owner, key):
                return AddResult(outcome=AddOutcome.DUPLICATE, render=row.render, used=used)
        if used >= window.limit:
            return AddResult(outcome=AddOutcome.OVER_QUOTA, render=render, used=used)
        self._rows[render.id] = StoredRender(render)
        self._units[render.id] = (window.owner, window.starts_at)
        return AddResult(outcome=AddOutcome.ADDED, render=render, used=used + 1)

    async def quota_used(self, window: QuotaWindow) -> int:
        self._check()
        return sum(unit == (window.owner, window.starts_at) for unit in self._units.values())

    async def get(self, render_id: str, *, owner: str) -> Render | None:
        self._check()
        self.reads += 1
        if render_id in self.unreadable:
            raise StoreUnavailable("this version can't read the render")
        row = self._rows.get(render_id)
        return row.render if row and row.render.owner == owner else None

    async def get_many(self, render_ids: Collection[str]) -> Sequence[Render]:
        self._check()
        self.reads += 1
        readable = self._rows.keys() - self.unreadable
        return [self._rows[render_id].render for render_id in render_ids if render_id in readable]

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
        self._check()
        found = (row.render for _, row in sorted(self._rows.items(), reverse=not oldest_first))
        kept = (
            r
            for r in found
            if _matches(r, owner, matching)
            and (older_than is None or r.id < older_than)
            and (newer_than is None or r.id > newer_than)
        )
        return list(itertools.islice(kept, first))

    async def count(self, *, owner: str | None, matching: RenderFilter) -> int:
        self._check()
        return sum(_matches(row.render, owner, matching) for row in self._rows.values())

    async def unfinished(self, owners: Collection[str], *, first: int) -> Sequence[Render]:
        self._check()
        self.reads += 1
        found = (row.render for _, row in sorted(self._rows.items()))
        return list(itertools.islice((r for r in found if r.owner in owners and not r.status.is_terminal), first))

    async def exists_newer(self, render_id: str, *, owner: str | None, matching: RenderFilter) -> bool:
        self._check()
        return any(_matches(row.render, owner, matching) and id_ >= render_id for id_, row in self._rows.items())

    async def exists_older(self, render_id: str, *, owner: str | None, matching: RenderFilter) -> bool:
        self._check()
        return any(_matches(row.render, owner, matching) and id_ <= render_id for id_, row in self._rows.items())

    async def queue_position(self, render: Render) -> int:
        self._check()
        queued = (row.render for row in self._rows.values() if row.render.status is RenderStatus.QUEUED)
        return 1 + sum(other.id < render.id for other in queued)

    async def queue(self) -> QueueStats:
        self._check()
        queued = [row.render for row in self._rows.values() if row.render.status is RenderStatus.QUEUED]
        oldest = min((render.created_at for render in queued), default=None)
        return QueueStats(depth=len(queued), oldest_created_at=oldest)

    async def acquire(
        self, *, worker: str, lease: timedelta, excluding: Collection[str] = (), queued: bool = True
    ) -> Render | None:
        self._check()
        now, now_s = self._clock.now(), self._clock.monotonic()
        for id_, row in sorted(self._rows.items()):
            free = id_ not in excluding and (row.worker is None or row.lease_until_s <= now_s)
            due_at = row.render.due_at
            due = due_at is None or due_at <= now or due_at > now + MAX_DUE_DELAY
            wanted = {RenderStatus.QUEUED, RenderStatus.RENDERING} if queued else {RenderStatus.RENDERING}
            if free and due and row.render.status in wanted:
                row.worker, row.lease_until_s = worker, now_s + lease.total_seconds()
                self._lose_response("acquire")
                return row.render
        return None

    async def renew(self, render_ids: Collection[str], *, worker: str, lease: timedelta) -> frozenset[str]:
        self._check()
        held = [row for id_, row in self._rows.items() if id_ in render_ids and row.worker == worker]
        for row in held:
            row.lease_until_s = self._clock.monotonic() + lease.total_seconds()
        return frozenset(row.render.id for row in held)

    async def release(self, render_ids: Collection[str] | None = None, *, worker: str) -> None:
        self._check()
        for id_, row in self._rows.items():
            if row.worker == worker and (render_ids is None or id_ in render_ids):
                row.worker = None

    async def record(self, render: Render, *, worker: str | None = None, lease: timedelta | None = None) -> bool:
        self._check()
        row = self._rows.get(render.id)
        if worker is not None and (row is None or row.worker != worker):
            raise LeaseLost(render.id)
        if row is None or row.render.revision != render.revision - 1:
            return False
        row.render = render
        if self._webhooks_enabled and render.status.is_terminal:
            self.outbox.add(WebhookMessage(render=render))
        if lease is not None:
            row.lease_until_s = self._clock.monotonic() + lease.total_seconds()
        if render.status is not RenderStatus.RENDERING:
            row.worker = None
        if render.returns_quota:
            self._units.pop(render.id, None)
        if worker is not None:
            self._lose_response("record")
        return True

    async def delete(self, render_id: str, *, owner: str) -> bool:
        self._check()
        row = self._rows.get(render_id)
        if row is None or row.render.owner != owner or not row.render.status.is_terminal:
            return False
        del self._rows[render_id]
        return True

    async def check(self) -> None:
        self._check()

    async def render_ids(self, owner: str) -> Sequence[str]:
        self._check()
        return [render_id for render_id, row in self._rows.items() if row.render.owner == owner]

    async def erase_records(self, owner: str, *, dry_run: bool) -> ErasedRecords:
        self._check()
        units = [render_id for render_id, (each, _) in self._units.items() if each == owner]
        windows = {self._units[render_id] for render_id in units}
        if not dry_run:
            for render_id in units:
                del self._units[render_id]
        return ErasedRecords(messages=self.outbox.erase(owner, dry_run=dry_run), quota_windows=len(windows))


def _matches(render: Render, owner: str | None, matching: RenderFilter) -> bool:
    return (
        owner in {None, render.owner}
        and (matching.statuses is None or render.status in matching.statuses)
        and (matching.generation_id is None or render.generation_id == matching.generation_id)
    )


def copy_of(render: Render, **changes: object) -> Render:
    """Return a changed copy, without the checks of `lifecycle`."""
    return replace(render, **changes)  # type: ignore[arg-type]
