"""Queries of the embedded store that return or count several renders."""

import json
import sqlite3
from collections.abc import Collection, Sequence
from itertools import islice

from services import documents
from services.documents import SkippedDocuments
from services.models import Render, RenderFilter


def get_many(db: sqlite3.Connection, skipped: SkippedDocuments, render_ids: Collection[str]) -> Sequence[Render]:
    """Return the existing renders of these ids, of any owner, unordered."""
    query = "SELECT id, document FROM renders WHERE id IN (SELECT value FROM json_each(?))"
    return list(skipped.decode(db.execute(query, [json.dumps(list(render_ids))]), documents.decode))


def unfinished(
    db: sqlite3.Connection, skipped: SkippedDocuments, owners: Collection[str], first: int
) -> Sequence[Render]:
    """Return up to `first` unfinished renders of these owners, oldest first."""
    query = """
        SELECT id, document FROM renders
        WHERE status IN ('queued', 'rendering') AND owner IN (SELECT value FROM json_each(?))
        ORDER BY id
        """
    return list(islice(skipped.decode(db.execute(query, [json.dumps(list(owners))]), documents.decode), first))


def list_renders(  # run by `read`, which takes positional arguments
    db: sqlite3.Connection,
    skipped: SkippedDocuments,
    owner: str | None,
    first: int,
    matching: RenderFilter,
    older_than: str | None,
    newer_than: str | None,
    oldest_first: bool,  # noqa: FBT001  # keyword-only in `SqliteStore.list`
) -> Sequence[Render]:
    """Return up to `first` matching renders with ids between the two that are given."""
    conditions, values = _conditions(owner, matching)
    for comparison, bound in (("<", older_than), (">", newer_than)):
        if bound is not None:
            conditions, values = f"{conditions} AND id {comparison} ?", [*values, bound]
    order = "ASC" if oldest_first else "DESC"
    query = f"SELECT id, document FROM renders WHERE {conditions} ORDER BY id {order}"
    return list(islice(skipped.decode(db.execute(query, values), documents.decode), first))


def exists_newer(db: sqlite3.Connection, render_id: str, owner: str | None, matching: RenderFilter) -> bool:
    """Return whether there is a matching render with this id or a higher one."""
    return _exists(db, "id >= ?", render_id, owner, matching)


def exists_older(db: sqlite3.Connection, render_id: str, owner: str | None, matching: RenderFilter) -> bool:
    """Return whether there is a matching render with this id or a lower one."""
    return _exists(db, "id <= ?", render_id, owner, matching)


def count(db: sqlite3.Connection, owner: str | None, matching: RenderFilter) -> int:
    """Return the number of matching renders, without reading their documents."""
    conditions, values = _conditions(owner, matching)
    (number,) = db.execute(f"SELECT count(*) FROM renders WHERE {conditions}", values).fetchone()
    return int(number)


def _exists(db: sqlite3.Connection, condition: str, render_id: str, owner: str | None, matching: RenderFilter) -> bool:
    conditions, values = _conditions(owner, matching)
    query = f"SELECT 1 FROM renders WHERE {conditions} AND {condition} LIMIT 1"
    return db.execute(query, [*values, render_id]).fetchone() is not None


def _conditions(owner: str | None, matching: RenderFilter) -> tuple[str, list[str]]:
    """Return an SQL condition, made of fixed text and placeholders only, and its values."""
    conditions, values = (["TRUE"], []) if owner is None else (["owner = ?"], [owner])
    if matching.statuses is not None:
        conditions.append(f"status IN ({', '.join('?' * len(matching.statuses))})")
        values.extend(matching.statuses)
    if matching.generation_id is not None:
        conditions.append("generation_id = ?")
        values.append(matching.generation_id)
    return " AND ".join(conditions), values
