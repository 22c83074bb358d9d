"""Erases what the embedded store holds of one owner, for `rendercast forget`, and renders after their retention.

Damaged documents are erased too, and do not prevent the erasure of others: SQL reads only documents that are JSON.
"""

import sqlite3
from collections.abc import Sequence
from datetime import datetime

import msgspec

from services import stored_documents
from services.ids import TIME_LENGTH, new_render_id
from services.ports import ErasedRecords


def render_ids(db: sqlite3.Connection, owner: str) -> Sequence[str]:
    """Return the ids of all the owner's renders."""
    return [render_id for (render_id,) in db.execute("SELECT id FROM renders WHERE owner = ?", (owner,))]


def erase_records(db: sqlite3.Connection, owner: str, dry_run: bool) -> ErasedRecords:  # noqa: FBT001  # run by `write`
    """Delete the owner's messages, quota windows and damaged renders, or only count them.

    Messages have no index by owner, so all of them are read. A damaged one is the owner's if its text still says so.
    """
    messages = """
        FROM webhooks
        WHERE CASE WHEN json_valid(document) THEN document ->> '$.render.owner' = ? ELSE instr(document, ?) END
        """
    of_owner = (owner, f'"owner":{msgspec.json.encode(owner).decode()}')
    windows = "FROM quota_windows WHERE owner = ?"
    (message_count,) = db.execute(f"SELECT count(*) {messages}", of_owner).fetchone()
    (window_count,) = db.execute(f"SELECT count(*) {windows}", (owner,)).fetchone()
    damaged = [render_id for render_id in render_ids(db, owner) if _is_damaged(db, render_id)]
    if not dry_run:
        db.execute(f"DELETE {messages}", of_owner)
        db.execute(f"DELETE {windows}", (owner,))
        db.executemany("DELETE FROM renders WHERE id = ?", [(render_id,) for render_id in damaged])
    return ErasedRecords(messages=message_count, quota_windows=window_count, damaged=damaged)


def delete_ended_before(db: sqlite3.Connection, moment: datetime) -> int:
    """Delete the renders that ended before; return their number. Only documents created before are read.

    One without a legible end, which is damaged, counts as ended.
    """
    deleted = db.execute(
        "DELETE FROM renders WHERE id < ? AND status NOT IN ('queued', 'rendering') "
        "AND ifnull(iif(json_valid(document), unixepoch(document ->> '$.completed_at'), NULL) < ?, TRUE)",
        (new_render_id(moment)[:TIME_LENGTH], int(moment.timestamp())),
    )
    return deleted.rowcount


def _is_damaged(db: sqlite3.Connection, render_id: str) -> bool:
    """Return whether the render can't be decoded. A file of a newer version is not opened."""
    (document,) = db.execute("SELECT document FROM renders WHERE id = ?", (render_id,)).fetchone()
    try:
        stored_documents.decode(document)
    except (msgspec.DecodeError, UnicodeError):
        return True
    return False
