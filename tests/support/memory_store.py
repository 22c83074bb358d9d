"""A `RenderStore` in memory."""

import itertools
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.errors import LeaseLost, StoreUnavailable
from services.models import QuotaWindow, Render, RenderFilter, RenderStatus, replace
from services.ports import (
    MAX_DUE_DELAY,
    MAX_QUEUE_POSITION,
    AddManyResult,
    AddOutcome,
    AddResult,
    Clock,
    ErasedRecords,
    QueueStats,
)
from services.renders.fair_queue import QueuePlace, places
from services.webhooks.messages import EndedBatch, WebhookMessage
from tests.support.fake_clock import FakeClock
from tests.support.memory_catalog import MemoryCatalogStore
from tests.support.memory_outbox import MemoryOutbox


@dataclass
class StoredRender:
    """A render, its place in the queue, and when it may be acquired again: the end of its lease or delay, if any."""

    render: Render
    place: QueuePlace
    worker: str | None = None
    free_at_s: float | None = None


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
        self._virtual_time = 0

    def _check(self) -> None:
        if self.unavailable:
            raise StoreUnavailable("the store is unavailable")

    def _lose_response(self, method: str) -> None:
        if method in self.lost_responses:
            self.lost_responses.remove(method)
            raise StoreUnavailable("no response")

    async def add(self, render: Render, window: QuotaWindow, *, weight: float = 1.0) -> AddResult:
        self._check()
        used = await self.quota_used(window)
        key = render.idempotency_key
        for row in self._rows.values():
            if key is not None and (row.render.owner, row.render.idempotency_key) == (render.owner, key):
                return AddResult(outcome=AddOutcome.DUPLICATE, render=row.render, used=used)
        if used >= window.limit:
            return AddResult(outcome=AddOutcome.OVER_QUOTA, render=render, used=used)
        owned = [row for row in self._rows.values() if row.render.owner == render.owner]
        last = max((row.place.finish_key for row in owned if not row.render.was_never_started), default=None)
        (place,) = places([render], weight=weight, virtual_time=self._virtual_time, last_finish_key=last)
        self._rows[render.id] = StoredRender(render, place, free_at_s=self._end_of_delay(render))
        self._units[render.id] = (window.owner, window.starts_at)
        return AddResult(outcome=AddOutcome.ADDED, render=render, used=used + 1)

    async def add_many(self, renders: Sequence[Render], window: QuotaWindow, *, weight: float = 1.0) -> AddManyResult:
        used = await self.quota_used(window)
        keys = {render.idempotency_key for render in renders} - {None}
        if await self.find_by_keys(renders[0].owner, keys):
            return AddManyResult(outcome=AddOutcome.DUPLICATE, used=used)
        if used + len(renders) > window.limit:
            return AddManyResult(outcome=AddOutcome.OVER_QUOTA, used=used)
        for render in renders:
            await self.add(render, window, weight=weight)
        return AddManyResult(outcome=AddOutcome.ADDED, used=used + len(renders))

    async def find_by_keys(self, owner: str, keys: Collection[str | None]) -> Mapping[str, Render]:
        self._check()
        owned = [row.render for row in self._rows.values() if row.render.owner == owner]
        return {each.idempotency_key: each for each in owned if each.idempotency_key and each.idempotency_key in keys}

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

    async def count_by_status(self, owner: str, batch_id: str) -> Mapping[RenderStatus, int]:
        self._check()
        self.reads += 1
        of_batch = RenderFilter(batch_id=batch_id)
        return Counter(row.render.status for row in self._rows.values() if _matches(row.render, owner, of_batch))

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
        if render.id not in self._rows:
            return 1
        place = self._rows[render.id].place
        ahead = sum(
            (row.place.order_key, id_) < (place.order_key, render.id)
            for id_, row in self._rows.items()
            if row.render.status is RenderStatus.QUEUED and row.free_at_s is None
        )
        return min(ahead + 1, MAX_QUEUE_POSITION)

    async def queue(self) -> QueueStats:
        self._check()
        queued = [row.render for row in self._rows.values() if row.render.status is RenderStatus.QUEUED]
        oldest = min((render.created_at for render in queued), default=None)
        return QueueStats(depth=len(queued), oldest_created_at=oldest)

    async def acquire(self, *, worker: str, lease: timedelta) -> Render | None:
        self._check()
        ready = [row for row in self._rows.values() if row.free_at_s is None]
        queued = [row for row in ready if row.render.status is RenderStatus.QUEUED]
        if not queued:
            return None
        first = min(queued, key=lambda row: (row.place.order_key, row.render.id))
        self._virtual_time = max(self._virtual_time, first.place.order_key)
        return self._lease(first, worker, lease)

    async def reacquire(self, *, worker: str, lease: timedelta, queued: bool = True) -> Render | None:
        self._check()
        now_s = self._clock.monotonic()
        for status in (RenderStatus.RENDERING, RenderStatus.QUEUED) if queued else (RenderStatus.RENDERING,):
            rows = [row for row in self._rows.values() if row.render.status is status]
            times = [(row.free_at_s, row.render.id) for row in rows if row.free_at_s is not None]
            if times and (oldest := min(times))[0] <= now_s:
                return self._lease(self._rows[oldest[1]], worker, lease)
        return None

    def _lease(self, row: StoredRender, worker: str, lease: timedelta) -> Render:
        row.worker, row.free_at_s = worker, self._clock.monotonic() + lease.total_seconds()
        self._lose_response("acquire")
        return row.render

    def _set_lease(self, row: StoredRender, lease: timedelta | None) -> None:
        if row.render.status is not RenderStatus.RENDERING:
            row.worker, row.free_at_s = None, self._end_of_delay(row.render)
        elif lease is not None:
            row.free_at_s = self._clock.monotonic() + lease.total_seconds()
        elif row.free_at_s is None:
            row.free_at_s = 0.0

    def _end_of_delay(self, render: Render) -> float | None:
        if render.status is not RenderStatus.QUEUED or render.due_at is None:
            return None
        delay = render.due_at - self._clock.now()
        return self._clock.monotonic() + delay.total_seconds() if timedelta(0) < delay <= MAX_DUE_DELAY else None

    async def renew(self, render_ids: Collection[str], *, worker: str, lease: timedelta) -> frozenset[str]:
        self._check()
        held = [row for id_, row in self._rows.items() if id_ in render_ids and row.worker == worker]
        for row in held:
            row.free_at_s = self._clock.monotonic() + lease.total_seconds()
        return frozenset(row.render.id for row in held)

    async def release(self, render_ids: Collection[str] | None = None, *, worker: str) -> None:
        self._check()
        for id_, row in self._rows.items():
            if row.worker == worker and (render_ids is None or id_ in render_ids):
                row.worker = None
                row.free_at_s = 0.0 if row.render.status is RenderStatus.RENDERING else None

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
            if render.batch_id is not None:
                counts = await self.count_by_status(render.owner, render.batch_id)
                if batch := EndedBatch.of(render.batch_id, counts):
                    self.outbox.add(WebhookMessage(render=render, batch=batch))
        self._set_lease(row, lease)
        if render.returns_quota:
            self._units.pop(render.id, None)
        if worker is not None:
            self._lose_response("record")
        return True

    async def record_many(self, renders: Sequence[Render]) -> frozenset[str]:
        return frozenset([render.id for render in renders if await self.record(render)])

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
        and (matching.batch_id is None or render.batch_id == matching.batch_id)
        and (matching.composition_id is None or render.composition_id == matching.composition_id)
    )


def copy_of(render: Render, **changes: object) -> Render:
    """Return a changed copy, without the checks of `lifecycle`."""
    return replace(render, **changes)  # type: ignore[arg-type]
