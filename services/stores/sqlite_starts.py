"""Stores new renders in the embedded store: idempotency keys, units of quota and places in the queue in one step."""

import json
import sqlite3
from collections.abc import Collection, Mapping, Sequence

from services import stored_documents
from services.models import QuotaWindow, Render
from services.ports import AddManyResult, AddOutcome, AddResult
from services.renders.fair_queue import places
from services.stored_documents import SkippedDocuments
from services.stores import sqlite_quota
from services.stores.sqlite_connection import to_ms


def add(  # run by `write`
    db: sqlite3.Connection,
    skipped: SkippedDocuments,
    render: Render,
    window: QuotaWindow,
    weight: float,
    free_at: int | None,
) -> AddResult:
    """Store a render, free from then on; None: now."""
    keys = () if render.idempotency_key is None else (render.idempotency_key,)
    if keys and (found := find_by_keys(db, skipped, render.owner, keys)):
        used = sqlite_quota.used(db, window)
        return AddResult(outcome=AddOutcome.DUPLICATE, render=found[keys[0]], used=used)
    result = _add_new(db, [render], window, weight, [free_at])
    return AddResult(outcome=result.outcome, render=render, used=result.used)


def add_many(
    db: sqlite3.Connection,
    renders: Sequence[Render],
    window: QuotaWindow,
    weight: float,
    free_at: Sequence[int | None],
) -> AddManyResult:
    """Store all renders or none."""
    keys = [render.idempotency_key for render in renders if render.idempotency_key is not None]
    if keys and _ids_by_key(db, renders[0].owner, keys):
        return AddManyResult(outcome=AddOutcome.DUPLICATE, used=sqlite_quota.used(db, window))
    return _add_new(db, renders, window, weight, free_at)


def find_by_keys(
    db: sqlite3.Connection, skipped: SkippedDocuments, owner: str, keys: Collection[str]
) -> Mapping[str, Render]:
    """Return the owner's renders with these idempotency keys, by key."""
    found = {}
    for key, row_id in _ids_by_key(db, owner, keys):
        render_id, document = db.execute("SELECT id, document FROM renders WHERE rowid = ?", (row_id,)).fetchone()
        found[key] = skipped.decode_one(render_id, document, stored_documents.decode)
    return found


def _ids_by_key(db: sqlite3.Connection, owner: str, keys: Collection[str]) -> Sequence[tuple[str, int]]:
    query = """
        SELECT idempotency_key, rowid FROM renders
        WHERE owner = ? AND idempotency_key IN (SELECT value FROM json_each(?)) AND idempotency_key IS NOT NULL
        """
    return db.execute(query, (owner, json.dumps(list(keys)))).fetchall()


def _add_new(
    db: sqlite3.Connection,
    renders: Sequence[Render],
    window: QuotaWindow,
    weight: float,
    free_at: Sequence[int | None],
) -> AddManyResult:
    used = sqlite_quota.used(db, window)
    if used + len(renders) > window.limit:
        return AddManyResult(outcome=AddOutcome.OVER_QUOTA, used=used)
    sqlite_quota.take(db, window, len(renders))
    (virtual_time,) = db.execute("SELECT virtual_time FROM queue").fetchone()
    (last,) = db.execute(
        "SELECT max(finish_key) FROM renders WHERE owner = ? AND finish_key IS NOT NULL", (renders[0].owner,)
    ).fetchone()
    placed = places(renders, weight=weight, virtual_time=virtual_time, last_finish_key=last)
    for render, place, until in zip(renders, placed, free_at, strict=True):
        db.execute(
            """
            INSERT INTO renders (
                id, owner, revision, status, generation_id, batch_id, composition_id, idempotency_key,
                order_key, finish_key, quota_window, lease_until, document
            ) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """,
            (
                render.id,
                render.owner,
                render.revision,
                render.status,
                render.generation_id,
                render.batch_id,
                render.composition_id,
                render.idempotency_key,
                place.order_key,
                place.finish_key,
                to_ms(window.starts_at),
                until,
                stored_documents.encode(render),
            ),
        )
    return AddManyResult(outcome=AddOutcome.ADDED, used=used + len(renders))
