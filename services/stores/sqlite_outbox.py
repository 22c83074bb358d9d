"""The outbox of the embedded store."""

import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from services.models import WebhookStatus
from services.ports import BacklogStats, Clock
from services.stored_documents import SkippedDocuments
from services.stores.sqlite_connection import SqliteFile, open_sqlite_file, to_ms
from services.stores.sqlite_leases import Lease, lease_from
from services.webhooks import stored_documents as webhook_documents
from services.webhooks.messages import WebhookMessage

DUE_IMMEDIATELY = 0  # stored for PENDING messages without `due_at`; sorts first. Messages that are not PENDING: NULL


class SqliteOutbox:
    """An `Outbox` in the file of a `SqliteStore`; `services.webhooks.ports` specifies the methods."""

    def __init__(self, file: SqliteFile, clock: Clock, skipped: SkippedDocuments) -> None:
        self._file = file
        self._skipped = skipped
        self._clock = clock

    async def acquire(self, *, worker: str, lease: timedelta) -> WebhookMessage | None:  # noqa: D102
        until = lease_from(self._clock, lease)
        return await self._file.write(_acquire, self._skipped, worker, self._clock.now(), until)

    async def record(self, message: WebhookMessage, *, worker: str | None = None) -> bool:  # noqa: D102
        return await self._file.write(_record, message, worker, self._clock.now())

    async def release(self, *, worker: str) -> None:  # noqa: D102
        await self._file.write(_release, worker)

    async def get(self, message_id: str) -> WebhookMessage | None:  # noqa: D102
        return await self._file.read(_get, self._skipped, message_id)

    async def list(  # noqa: D102
        self, *, first: int, status: WebhookStatus | None = None
    ) -> Sequence[WebhookMessage]:
        return await self._file.read(_list, self._skipped, first, status)

    async def backlog(self) -> BacklogStats:  # noqa: D102
        return await self._file.read(_backlog)


@asynccontextmanager
async def open_sqlite_outbox(path: Path, clock: Clock) -> AsyncIterator[SqliteOutbox]:
    """Open the outbox of a file that another process may have open. Raises `StartupError` if there is no file."""
    async with open_sqlite_file(path, shared=True) as file:
        yield SqliteOutbox(file, clock, SkippedDocuments())


def add(db: sqlite3.Connection, message: WebhookMessage) -> None:
    """Store a new message, in the transaction that ends its render."""
    db.execute(
        "INSERT INTO webhooks VALUES (?, ?, ?, ?, ?, NULL, NULL, NULL, ?) ON CONFLICT DO NOTHING",
        (
            message.id,
            message.revision,
            message.status,
            to_ms(message.occurred_at),
            _due_ms(message),
            webhook_documents.encode_message(message),
        ),
    )


def _acquire(
    db: sqlite3.Connection, skipped: SkippedDocuments, worker: str, now: datetime, lease: Lease
) -> WebhookMessage | None:
    statement = """
        UPDATE webhooks SET lease_worker = ?, lease_until = ? WHERE id = (
            SELECT id FROM webhooks
            WHERE due_at <= ? AND (lease_until IS NULL OR lease_until <= ?)
            ORDER BY due_at LIMIT 1
        ) RETURNING id, document
        """
    while row := db.execute(statement, (worker, lease.until_ms, to_ms(now), lease.now_ms)).fetchone():
        if readable := list(skipped.decode([row], webhook_documents.decode_message)):
            return readable[0]
    return None


def _record(db: sqlite3.Connection, message: WebhookMessage, worker: str | None, now: datetime) -> bool:
    keeps_lease = message.is_in_progress
    db.execute("DELETE FROM webhooks WHERE expires_at <= ?", (to_ms(now),))
    changed = db.execute(
        """
        UPDATE webhooks SET revision = ?, status = ?, due_at = ?, expires_at = ?, document = ?,
            lease_worker = iif(?, lease_worker, NULL), lease_until = iif(?, lease_until, NULL)
        WHERE id = ? AND revision = ? AND (? IS NULL OR lease_worker = ?)
        """,
        (
            message.revision,
            message.status,
            _due_ms(message),
            None if message.expires_at is None else to_ms(message.expires_at),
            webhook_documents.encode_message(message),
            keeps_lease,
            keeps_lease,
            message.id,
            message.revision - 1,
            worker,
            worker,
        ),
    )
    return changed.rowcount == 1


def _release(db: sqlite3.Connection, worker: str) -> None:
    db.execute("UPDATE webhooks SET lease_worker = NULL, lease_until = NULL WHERE lease_worker = ?", (worker,))


def _get(db: sqlite3.Connection, skipped: SkippedDocuments, message_id: str) -> WebhookMessage | None:
    row = db.execute("SELECT document FROM webhooks WHERE id = ?", (message_id,)).fetchone()
    return skipped.decode_one(message_id, row[0], webhook_documents.decode_message) if row else None


def _list(
    db: sqlite3.Connection, skipped: SkippedDocuments, first: int, status: WebhookStatus | None
) -> Sequence[WebhookMessage]:
    condition, values = ("TRUE", []) if status is None else ("status = ?", [status])
    query = f"SELECT id, document FROM webhooks WHERE {condition} ORDER BY occurred_at DESC LIMIT ?"
    return list(skipped.decode(db.execute(query, [*values, first]), webhook_documents.decode_message))


def _backlog(db: sqlite3.Connection) -> BacklogStats:
    pending, oldest = db.execute("SELECT count(*), min(occurred_at) FROM webhooks WHERE status = 'pending'").fetchone()
    return BacklogStats(
        pending=pending, oldest_occurred_at=None if oldest is None else datetime.fromtimestamp(oldest / 1000, UTC)
    )


def _due_ms(message: WebhookMessage) -> int | None:
    if message.status is not WebhookStatus.PENDING:
        return None
    return DUE_IMMEDIATELY if message.due_at is None else to_ms(message.due_at)
