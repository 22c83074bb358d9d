"""Queries of the embedded store that return or count several renders."""

import json
import sqlite3
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from itertools import islice

from services import stored_documents
from services.models import Render, RenderFilter, RenderStatus
from services.stored_documents import SkippedDocuments


def get_many(db: sqlite3.Connection, skipped: SkippedDocuments, render_ids: Collection[str]) -> Sequence[Render]:
    """Return the existing renders of these ids, of any owner, unordered."""
    query = "SELECT id, document FROM renders WHERE id IN (SELECT value FROM json_each(?))"
    return list(skipped.decode(db.execute(query, [json.dumps(list(render_ids))]), stored_documents.decode))


def unfinished(
    db: sqlite3.Connection, skipped: SkippedDocuments, owners: Collection[str], first: int
) -> Sequence[Render]:
    """Return up to `first` unfinished renders of these owners, oldest first."""
    query = """
        SELECT id, document FROM renders INDEXED BY renders_unfinished_of_owner
        WHERE status IN ('queued', 'rendering') AND owner IN (SELECT value FROM json_each(?))
        ORDER BY id
        """
    return list(islice(skipped.decode(db.execute(query, [json.dumps(list(owners))]), stored_documents.decode), first))


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
    bounds = [(comparison, bound) for comparison, bound in (("<", older_than), (">", newer_than)) if bound is not None]
    order = "ASC" if oldest_first else "DESC"
    parts = [_select("id, document", owner, part, bounds) for part in _parts(matching)]
    if not parts:
        return []
    query = " UNION ALL ".join(text for text, _ in parts) + f" ORDER BY id {order}"
    values = [value for _, of_part in parts for value in of_part]
    return list(islice(skipped.decode(db.execute(query, values), stored_documents.decode), first))


def exists_newer(db: sqlite3.Connection, render_id: str, owner: str | None, matching: RenderFilter) -> bool:
    """Return whether there is a matching render with this id or a higher one."""
    return _exists(db, (">=", render_id), owner, matching)


def exists_older(db: sqlite3.Connection, render_id: str, owner: str | None, matching: RenderFilter) -> bool:
    """Return whether there is a matching render with this id or a lower one."""
    return _exists(db, ("<=", render_id), owner, matching)


def count(db: sqlite3.Connection, owner: str | None, matching: RenderFilter) -> int:
    """Return the number of matching renders, without reading their documents."""
    parts = [_select("count(*)", owner, part) for part in _parts(matching)]
    return sum(int(db.execute(*part).fetchone()[0]) for part in parts)


def count_by_status(db: sqlite3.Connection, owner: str, batch_id: str) -> Mapping[RenderStatus, int]:
    """Return the numbers of the owner's renders of a batch."""
    query = """
        SELECT status, count(*) FROM renders INDEXED BY renders_of_batch
        WHERE owner = ? AND batch_id = ? GROUP BY status
        """
    return {RenderStatus(status): number for status, number in db.execute(query, (owner, batch_id))}


def _exists(db: sqlite3.Connection, bound: tuple[str, str], owner: str | None, matching: RenderFilter) -> bool:
    parts = [_select("1", owner, part, [bound]) for part in _parts(matching)]
    return any(db.execute(f"{text} LIMIT 1", values).fetchone() is not None for text, values in parts)


def _parts(matching: RenderFilter) -> Sequence[RenderFilter]:
    """Split a filter into those that one range of an index has in order of id: one for each status."""
    if matching.statuses is None or _index(matching) is not None:
        return [matching]
    return [replace(matching, statuses=frozenset({status})) for status in sorted(matching.statuses)]


def _select(
    columns: str, owner: str | None, matching: RenderFilter, bounds: Sequence[tuple[str, str]] = ()
) -> tuple[str, list[str]]:
    """Return a query of one range of one index, made of fixed text and placeholders only, and its values.

    Without an owner, conditions other than the status have no index: then all renders are read in the order of ids.
    """
    index = "renders_of_owner"
    conditions, values = (["TRUE"], []) if owner is None else (["owner = ?"], [owner])
    for column, value in (
        ("generation_id", matching.generation_id),
        ("batch_id", matching.batch_id),
        ("composition_id", matching.composition_id),
    ):
        if value is not None:
            conditions.append(f"{column} = ?")
            values.append(value)
    if matching.statuses is not None:
        index = "renders_of_owner_by_status"
        conditions.append(f"status IN ({', '.join('?' * len(matching.statuses))})")
        values.extend(matching.statuses)
    for comparison, bound in bounds:
        conditions.append(f"id {comparison} ?")
        values.append(bound)
    hint = "" if owner is None else f"INDEXED BY {_index(matching) or index}"
    return f"SELECT {columns} FROM renders {hint} WHERE {' AND '.join(conditions)}", values


def _index(matching: RenderFilter) -> str | None:
    """Return the index of the condition that matches the fewest renders; None if there is only a status, or none."""
    if matching.batch_id is not None:
        return "renders_of_batch"
    if matching.generation_id is not None:
        return "renders_of_generation"
    return None if matching.composition_id is None else "renders_of_composition"
