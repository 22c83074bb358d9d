"""The embedded store: a SQLite file that one process opens and one thread accesses."""

import sqlite3
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path

from services import stored_documents
from services.errors import LeaseLost
from services.models import QuotaWindow, Render, RenderFilter, RenderStatus
from services.ports import AddManyResult, AddResult, Clock, ErasedRecords, QueueStats
from services.stored_documents import SkippedDocuments
from services.stores import (
    sqlite_erasure,
    sqlite_leases,
    sqlite_lists,
    sqlite_outbox,
    sqlite_queue,
    sqlite_quota,
    sqlite_starts,
)
from services.stores.sqlite_batches import message_of_ended_batch
from services.stores.sqlite_catalog import SqliteCatalogStore
from services.stores.sqlite_connection import SqliteFile, open_sqlite_file
from services.stores.sqlite_leases import free_at, lease_from
from services.stores.sqlite_outbox import SqliteOutbox
from services.webhooks.messages import WebhookMessage


class SqliteStore:
    """A `RenderStore` in one file. Open it with `open_sqlite_store`; `services.ports` specifies the methods."""

    def __init__(self, file: SqliteFile, clock: Clock, *, webhooks_enabled: bool) -> None:
        skipped = SkippedDocuments()
        self.outbox = SqliteOutbox(file, clock, skipped)
        self.catalog = SqliteCatalogStore(file, clock, skipped)
        self._file = file
        self._clock = clock
        self._webhooks_enabled = webhooks_enabled
        self._skipped = skipped

    @property
    def skipped_documents(self) -> int:  # noqa: D102
        return self._skipped.count

    async def add(self, render: Render, window: QuotaWindow, *, weight: float = 1.0) -> AddResult:  # noqa: D102
        free = free_at(self._clock, render)
        return await self._file.write(sqlite_starts.add, self._skipped, render, window, weight, free)

    async def add_many(  # noqa: D102
        self, renders: Sequence[Render], window: QuotaWindow, *, weight: float = 1.0
    ) -> AddManyResult:
        free = [free_at(self._clock, render) for render in renders]
        return await self._file.write(sqlite_starts.add_many, renders, window, weight, free)

    async def find_by_keys(self, owner: str, keys: Collection[str]) -> Mapping[str, Render]:  # noqa: D102
        return await self._file.read(sqlite_starts.find_by_keys, self._skipped, owner, keys)

    async def quota_used(self, window: QuotaWindow) -> int:  # noqa: D102
        return await self._file.read(sqlite_quota.used, window)

    async def get(self, render_id: str, *, owner: str) -> Render | None:  # noqa: D102
        return await self._file.read(_get, self._skipped, render_id, owner)

    async def get_many(self, render_ids: Collection[str]) -> Sequence[Render]:  # noqa: D102
        return await self._file.read(sqlite_lists.get_many, self._skipped, render_ids)

    async def list(  # noqa: D102
        self,
        *,
        owner: str | None,
        first: int,
        matching: RenderFilter,
        older_than: str | None = None,
        newer_than: str | None = None,
        oldest_first: bool = False,
    ) -> Sequence[Render]:
        query = (owner, first, matching, older_than, newer_than, oldest_first)
        return await self._file.read(sqlite_lists.list_renders, self._skipped, *query)

    async def count(self, *, owner: str | None, matching: RenderFilter) -> int:  # noqa: D102
        return await self._file.read(sqlite_lists.count, owner, matching)

    async def count_by_status(self, owner: str, batch_id: str) -> Mapping[RenderStatus, int]:  # noqa: D102
        return await self._file.read(sqlite_lists.count_by_status, owner, batch_id)

    async def unfinished(self, owners: Collection[str], *, first: int) -> Sequence[Render]:  # noqa: D102
        return await self._file.read(sqlite_lists.unfinished, self._skipped, owners, first)

    async def exists_newer(self, render_id: str, *, owner: str | None, matching: RenderFilter) -> bool:  # noqa: D102
        return await self._file.read(sqlite_lists.exists_newer, render_id, owner, matching)

    async def exists_older(self, render_id: str, *, owner: str | None, matching: RenderFilter) -> bool:  # noqa: D102
        return await self._file.read(sqlite_lists.exists_older, render_id, owner, matching)

    async def queue_position(self, render: Render) -> int:  # noqa: D102
        return await self._file.read(sqlite_queue.position, render)

    async def queue(self) -> QueueStats:  # noqa: D102
        return await self._file.read(sqlite_queue.stats)

    async def acquire(self, *, worker: str, lease: timedelta) -> Render | None:  # noqa: D102
        until = lease_from(self._clock, lease)
        return await self._file.write(sqlite_queue.acquire, self._skipped, worker, until)

    async def reacquire(self, *, worker: str, lease: timedelta, queued: bool = True) -> Render | None:  # noqa: D102
        until = lease_from(self._clock, lease)
        return await self._file.write(sqlite_queue.reacquire, self._skipped, worker, until, queued)

    async def renew(  # noqa: D102
        self, render_ids: Collection[str], *, worker: str, lease: timedelta
    ) -> frozenset[str]:
        return await self._file.write(sqlite_leases.renew, render_ids, worker, lease_from(self._clock, lease))

    async def release(self, render_ids: Collection[str] | None = None, *, worker: str) -> None:  # noqa: D102
        await self._file.write(sqlite_leases.release, render_ids, worker)

    async def record(  # noqa: D102
        self, render: Render, *, worker: str | None = None, lease: timedelta | None = None
    ) -> bool:
        until = free_at(self._clock, render)
        if lease is not None and render.status is RenderStatus.RENDERING:
            until = lease_from(self._clock, lease).until_ms
        return await self._file.write(_record, render, worker, until, self._webhooks_enabled)

    async def record_many(self, renders: Sequence[Render]) -> frozenset[str]:  # noqa: D102
        free = [free_at(self._clock, render) for render in renders]
        return await self._file.write(_record_many, renders, free, self._webhooks_enabled)

    async def delete(self, render_id: str, *, owner: str) -> bool:  # noqa: D102
        return await self._file.write(_delete, render_id, owner)

    async def delete_ended_before(self, moment: datetime) -> int:
        """Delete the renders that ended before; return their number. Raises `StoreUnavailable`.

        An ended render whose document is damaged is deleted if it was created before.
        """
        return await self._file.write(sqlite_erasure.delete_ended_before, moment)

    async def check(self) -> None:  # noqa: D102
        await self._file.check()

    async def render_ids(self, owner: str) -> Sequence[str]:  # noqa: D102
        return await self._file.read(sqlite_erasure.render_ids, owner)

    async def erase_records(self, owner: str, *, dry_run: bool) -> ErasedRecords:  # noqa: D102
        return await self._file.write(sqlite_erasure.erase_records, owner, dry_run)


@asynccontextmanager
async def open_sqlite_store(path: Path, clock: Clock, *, webhooks_enabled: bool = False) -> AsyncIterator[SqliteStore]:
    """Open the file; create and migrate it as needed. No other process may have it open, so all its leases are ended.

    With `webhooks_enabled`, each end of a render adds a message to the outbox. Raises `StartupError` if the file can't
    be read or written, or was written by a newer version of Rendercast.
    """
    async with open_sqlite_file(path) as file:
        yield SqliteStore(file, clock, webhooks_enabled=webhooks_enabled)


def _get(db: sqlite3.Connection, skipped: SkippedDocuments, render_id: str, owner: str) -> Render | None:
    row = db.execute("SELECT document FROM renders WHERE id = ? AND owner = ?", (render_id, owner)).fetchone()
    return skipped.decode_one(render_id, row[0], stored_documents.decode) if row else None


def _record(
    db: sqlite3.Connection,
    render: Render,
    worker: str | None,
    until: int | None,
    webhooks_enabled: bool,  # noqa: FBT001  # run by `write`
) -> bool:
    row = db.execute("SELECT revision, lease_worker, status FROM renders WHERE id = ?", (render.id,)).fetchone()
    if worker is not None and (row is None or row[1] != worker):
        raise LeaseLost(render.id)
    if row is None or row[0] != render.revision - 1:
        return False
    if render.status is RenderStatus.RENDERING:
        _set_rendering(db, render, until, was=row[2])
        return True
    db.execute(
        """
        UPDATE renders SET revision = ?, status = ?, lease_worker = NULL, lease_until = ?, document = ?,
            finish_key = iif(?, NULL, finish_key)
        WHERE id = ?
        """,
        (render.revision, render.status, until, stored_documents.encode(render), render.was_never_started, render.id),
    )
    if render.returns_quota:
        sqlite_quota.give_back(db, render)
    if webhooks_enabled and render.status.is_terminal:
        sqlite_outbox.add(db, WebhookMessage(render=render))
        if message := message_of_ended_batch(db, render):
            sqlite_outbox.add(db, message)
    return True


def _record_many(
    db: sqlite3.Connection,
    renders: Sequence[Render],
    until: Sequence[int | None],
    webhooks_enabled: bool,  # noqa: FBT001  # run by `write`
) -> frozenset[str]:
    each = zip(renders, until, strict=True)
    return frozenset([render.id for render, free in each if _record(db, render, None, free, webhooks_enabled)])


def _set_rendering(db: sqlite3.Connection, render: Render, until: int | None, *, was: str) -> None:
    """Store a RENDERING render. A progress step, the most frequent change, does not touch the indexes by status."""
    if was != RenderStatus.RENDERING:
        db.execute("UPDATE renders SET status = ? WHERE id = ?", (render.status, render.id))
    db.execute(
        "UPDATE renders SET revision = ?, lease_until = coalesce(?, lease_until, 0), document = ? WHERE id = ?",
        (render.revision, until, stored_documents.encode(render), render.id),
    )


def _delete(db: sqlite3.Connection, render_id: str, owner: str) -> bool:
    deleted = db.execute(
        "DELETE FROM renders WHERE id = ? AND owner = ? AND status NOT IN ('queued', 'rendering')", (render_id, owner)
    )
    return deleted.rowcount == 1
