"""The queue of the embedded store: which render a worker gets next."""

import sqlite3

from services import stored_documents
from services.ids import time_of
from services.models import Render
from services.ports import MAX_QUEUE_POSITION, QueueStats
from services.stored_documents import SkippedDocuments
from services.stores.sqlite_leases import Lease


def acquire(db: sqlite3.Connection, skipped: SkippedDocuments, worker: str, lease: Lease) -> Render | None:
    """Lease the first render of the queue, and advance the virtual time to its order key."""
    statement = """
        UPDATE renders SET lease_worker = ?, lease_until = ? WHERE rowid = (
            SELECT rowid FROM renders INDEXED BY renders_ready
            WHERE status = 'queued' AND lease_until IS NULL ORDER BY order_key, id LIMIT 1
        ) RETURNING id, document, order_key
        """
    while row := db.execute(statement, (worker, lease.until_ms)).fetchone():
        db.execute("UPDATE queue SET virtual_time = ?1 WHERE virtual_time < ?1", (row[2],))
        if readable := list(skipped.decode([row[:2]], stored_documents.decode)):
            return readable[0]
    return None


def reacquire(
    db: sqlite3.Connection,
    skipped: SkippedDocuments,
    worker: str,
    lease: Lease,
    queued: bool,  # noqa: FBT001  # keyword-only in `SqliteStore.reacquire`
) -> Render | None:
    """Lease a render that is free again, RENDERING ones first."""
    statement = """
        UPDATE renders SET lease_worker = ?, lease_until = ? WHERE rowid = (
            SELECT rowid FROM renders INDEXED BY renders_leased_until
            WHERE status = ? AND lease_until <= ? ORDER BY lease_until LIMIT 1
        ) RETURNING id, document
        """
    for status in ("rendering", "queued") if queued else ("rendering",):
        while row := db.execute(statement, (worker, lease.until_ms, status, lease.now_ms)).fetchone():
            if readable := list(skipped.decode([row], stored_documents.decode)):
                return readable[0]
    return None


def position(db: sqlite3.Connection, render: Render) -> int:
    """Return the place among the renders that wait for a worker, counted up to `MAX_QUEUE_POSITION`."""
    row = db.execute("SELECT order_key FROM renders WHERE id = ?", (render.id,)).fetchone()
    if row is None:
        return 1
    query = """
        SELECT count(*) FROM (
            SELECT 1 FROM renders INDEXED BY renders_ready
            WHERE status = 'queued' AND lease_until IS NULL AND (order_key, id) < (?, ?) LIMIT ?
        )
        """
    (ahead,) = db.execute(query, (row[0], render.id, MAX_QUEUE_POSITION - 1)).fetchone()
    return int(ahead) + 1


def stats(db: sqlite3.Connection) -> QueueStats:
    """Return the number of QUEUED renders, those with a delay included, and the age of the oldest."""
    (depth,) = db.execute("SELECT depth FROM queue").fetchone()
    (oldest,) = db.execute("SELECT min(id) FROM renders WHERE status = 'queued'").fetchone()
    return QueueStats(depth=depth, oldest_created_at=time_of(oldest) if oldest else None)
