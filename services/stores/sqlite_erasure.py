"""Erases what the embedded store holds of one owner, for `rendercast forget`, and renders after their retention."""

import sqlite3
from collections.abc import Sequence
from datetime import datetime

from services.ids import TIME_LENGTH, new_render_id
from services.ports import ErasedRecords


def render_ids(db: sqlite3.Connection, owner: str) -> Sequence[str]:
    """Return the ids of all the owner's renders."""
    return [render_id for (render_id,) in db.execute("SELECT id FROM renders WHERE owner = ?", (owner,))]


def erase_records(db: sqlite3.Connection, owner: str, dry_run: bool) -> ErasedRecords:  # noqa: FBT001  # run by `write`
    """Delete the owner's messages and quota windows, or only count them.

    Messages have no index by owner, so all of them are read.
    """
    messages = "FROM webhooks WHERE document ->> '$.render.owner' = ?"
    windows = "FROM quota_windows WHERE owner = ?"
    (message_count,) = db.execute(f"SELECT count(*) {messages}", (owner,)).fetchone()
    (window_count,) = db.execute(f"SELECT count(*) {windows}", (owner,)).fetchone()
    if not dry_run:
        db.execute(f"DELETE {messages}", (owner,))
        db.execute(f"DELETE {windows}", (owner,))
    return ErasedRecords(messages=message_count, quota_windows=window_count)


def delete_ended_before(db: sqlite3.Connection, moment: datetime) -> int:
    """Delete the renders that ended before; return their number. Only documents created before are read."""
    deleted = db.execute(
        "DELETE FROM renders WHERE id < ? AND status NOT IN ('queued', 'rendering') "
        "AND unixepoch(document ->> '$.completed_at') < ?",
        (new_render_id(moment)[:TIME_LENGTH], int(moment.timestamp())),
    )
    return deleted.rowcount
