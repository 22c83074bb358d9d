"""The embedded store: a SQLite file that one process opens and one thread accesses."""

import json
import sqlite3
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path

from services import documents
from services.documents import SkippedDocuments
from services.errors import LeaseLost
from services.ids import time_of
from services.models import QuotaWindow, Render, RenderFilter, RenderStatus
from services.ports import MAX_DUE_DELAY, AddOutcome, AddResult, Clock, ErasedRecords, QueueStats
from services.stores import sqlite_erasure, sqlite_leases, sqlite_lists, sqlite_outbox
from services.stores.sqlite_catalog import SqliteCatalogStore
from services.stores.sqlite_connection import SqliteFile, open_sqlite_file, to_ms
from services.stores.sqlite_leases import Lease, lease_from
from services.stores.sqlite_outbox import SqliteOutbox
from services.webhooks.messages import WebhookMessage

UNIT_RETENTION_MS = 7 * 86_400_000  # after the start of a quota window; then its units are deleted


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

    async def add(self, render: Render, window: QuotaWindow) -> AddResult:  # noqa: D102
        return await self._file.write(_add, render, window)

    async def quota_used(self, window: QuotaWindow) -> int:  # noqa: D102
        return await self._file.read(_quota_used, window)

    async def get(self, render_id: str, *, owner: str) -> Render | None:  # noqa: D102
        return await self._file.read(_get, render_id, owner)

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

    async def unfinished(self, owners: Collection[str], *, first: int) -> Sequence[Render]:  # noqa: D102
        return await self._file.read(sqlite_lists.unfinished, self._skipped, owners, first)

    async def exists_newer(self, render_id: str, *, owner: str | None, matching: RenderFilter) -> bool:  # noqa: D102
        return await self._file.read(sqlite_lists.exists_newer, render_id, owner, matching)

    async def exists_older(self, render_id: str, *, owner: str | None, matching: RenderFilter) -> bool:  # noqa: D102
        return await self._file.read(sqlite_lists.exists_older, render_id, owner, matching)

    async def queue_position(self, render: Render) -> int:  # noqa: D102
        return await self._file.read(_queue_position, render)

    async def queue(self) -> QueueStats:  # noqa: D102
        return await self._file.read(_queue)

    async def acquire(  # noqa: D102
        self, *, worker: str, lease: timedelta, excluding: Collection[str] = (), queued: bool = True
    ) -> Render | None:
        now, until = self._clock.now(), lease_from(self._clock, lease)
        return await self._file.write(_acquire, self._skipped, worker, now, until, excluding, queued)

    async def renew(  # noqa: D102
        self, render_ids: Collection[str], *, worker: str, lease: timedelta
    ) -> frozenset[str]:
        return await self._file.write(sqlite_leases.renew, render_ids, worker, lease_from(self._clock, lease))

    async def release(self, render_ids: Collection[str] | None = None, *, worker: str) -> None:  # noqa: D102
        await self._file.write(sqlite_leases.release, render_ids, worker)

    async def record(  # noqa: D102
        self, render: Render, *, worker: str | None = None, lease: timedelta | None = None
    ) -> bool:
        kept = None if lease is None else lease_from(self._clock, lease)
        message = WebhookMessage(render=render) if self._webhooks_enabled and render.status.is_terminal else None
        return await self._file.write(_record, render, worker, kept, message)

    async def delete(self, render_id: str, *, owner: str) -> bool:  # noqa: D102
        return await self._file.write(_delete, render_id, owner)

    async def delete_ended_before(self, moment: datetime) -> int:
        """Delete the renders that ended before; return their number. Raises `StoreUnavailable`."""
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


def _add(db: sqlite3.Connection, render: Render, window: QuotaWindow) -> AddResult:
    used = _quota_used(db, window)
    if render.idempotency_key is not None:
        row = db.execute(
            "SELECT document FROM renders WHERE owner = ? AND idempotency_key = ?",
            (render.owner, render.idempotency_key),
        ).fetchone()
        if row:
            return AddResult(outcome=AddOutcome.DUPLICATE, render=documents.decode(row[0]), used=used)
    if used >= window.limit:
        return AddResult(outcome=AddOutcome.OVER_QUOTA, render=render, used=used)
    starts_at = to_ms(window.starts_at)
    db.execute("DELETE FROM quota_units WHERE window_starts_at < ?", (starts_at - UNIT_RETENTION_MS,))
    db.execute("INSERT INTO quota_units VALUES (?, ?, ?)", (render.id, window.owner, starts_at))
    db.execute(
        "INSERT INTO renders VALUES (?, ?, ?, ?, ?, ?, ?, NULL, NULL, ?)",
        (
            render.id,
            render.owner,
            render.revision,
            render.status,
            render.generation_id,
            render.idempotency_key,
            _due_ms(render),
            documents.encode(render),
        ),
    )
    return AddResult(outcome=AddOutcome.ADDED, render=render, used=used + 1)


def _quota_used(db: sqlite3.Connection, window: QuotaWindow) -> int:
    (used,) = db.execute(
        "SELECT count(*) FROM quota_units WHERE owner = ? AND window_starts_at = ?",
        (window.owner, to_ms(window.starts_at)),
    ).fetchone()
    return int(used)


def _get(db: sqlite3.Connection, render_id: str, owner: str) -> Render | None:
    row = db.execute("SELECT document FROM renders WHERE id = ? AND owner = ?", (render_id, owner)).fetchone()
    return documents.decode(row[0]) if row else None


def _queue_position(db: sqlite3.Connection, render: Render) -> int:
    (ahead,) = db.execute(
        "SELECT count(*) FROM renders WHERE status = 'queued' AND id < ?",
        (render.id,),
    ).fetchone()
    return int(ahead) + 1


def _queue(db: sqlite3.Connection) -> QueueStats:
    depth, oldest = db.execute("SELECT count(*), min(id) FROM renders WHERE status = 'queued'").fetchone()
    return QueueStats(depth=depth, oldest_created_at=time_of(oldest) if oldest else None)


def _acquire(
    db: sqlite3.Connection,
    skipped: SkippedDocuments,
    worker: str,
    now: datetime,
    lease: Lease,
    excluding: Collection[str],
    queued: bool,  # noqa: FBT001  # keyword-only in `acquire`
) -> Render | None:
    statement = """
        UPDATE renders SET lease_worker = ?, lease_until = ? WHERE id = (
            SELECT id FROM renders
            WHERE status IN ('queued', 'rendering') AND (status = 'rendering' OR ?)
            AND (due_at IS NULL OR due_at <= ? OR due_at > ?)
            AND (lease_until IS NULL OR lease_until <= ?) AND id NOT IN (SELECT value FROM json_each(?))
            ORDER BY id LIMIT 1
        ) RETURNING id, document
        """
    due = (to_ms(now), to_ms(now + MAX_DUE_DELAY))
    values = (worker, lease.until_ms, queued, *due, lease.now_ms, json.dumps(list(excluding)))
    while row := db.execute(statement, values).fetchone():
        if readable := list(skipped.decode([row], documents.decode)):
            return readable[0]
    return None


def _record(
    db: sqlite3.Connection,
    render: Render,
    worker: str | None,
    lease: Lease | None,
    message: WebhookMessage | None,
) -> bool:
    row = db.execute("SELECT revision, lease_worker FROM renders WHERE id = ?", (render.id,)).fetchone()
    if worker is not None and (row is None or row[1] != worker):
        raise LeaseLost(render.id)
    if row is None or row[0] != render.revision - 1:
        return False
    db.execute(
        "UPDATE renders SET revision = ?, status = ?, due_at = ?, document = ? WHERE id = ?",
        (render.revision, render.status, _due_ms(render), documents.encode(render), render.id),
    )
    if render.status is not RenderStatus.RENDERING:
        db.execute("UPDATE renders SET lease_worker = NULL, lease_until = NULL WHERE id = ?", (render.id,))
    elif lease is not None:
        db.execute("UPDATE renders SET lease_until = ? WHERE id = ?", (lease.until_ms, render.id))
    if render.returns_quota:
        db.execute("DELETE FROM quota_units WHERE render_id = ?", (render.id,))
    if message is not None:
        sqlite_outbox.add(db, message)
    return True


def _delete(db: sqlite3.Connection, render_id: str, owner: str) -> bool:
    deleted = db.execute(
        "DELETE FROM renders WHERE id = ? AND owner = ? AND status NOT IN ('queued', 'rendering')", (render_id, owner)
    )
    return deleted.rowcount == 1


def _due_ms(render: Render) -> int | None:
    return None if render.due_at is None else to_ms(render.due_at)
