"""The units of quota in the embedded store: a counter for each window of an owner."""

import sqlite3

from services.models import QuotaWindow, Render
from services.stores.sqlite_connection import to_ms

WINDOW_RETENTION_MS = 7 * 86_400_000  # after the start of a quota window; then its counter is deleted


def used(db: sqlite3.Connection, window: QuotaWindow) -> int:
    """Return the number of used units."""
    row = db.execute(
        "SELECT used FROM quota_windows WHERE owner = ? AND starts_at = ?", (window.owner, to_ms(window.starts_at))
    ).fetchone()
    return 0 if row is None else int(row[0])


def take(db: sqlite3.Connection, window: QuotaWindow, units: int) -> None:
    """Use units of the window."""
    starts_at = to_ms(window.starts_at)
    db.execute("DELETE FROM quota_windows WHERE starts_at < ?", (starts_at - WINDOW_RETENTION_MS,))
    db.execute(
        "INSERT INTO quota_windows VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET used = used + excluded.used",
        (window.owner, starts_at, units),
    )


def give_back(db: sqlite3.Connection, render: Render) -> None:
    """Return the render's unit to the window that it came from, if that still exists."""
    db.execute(
        """
        UPDATE quota_windows SET used = used - 1
        WHERE owner = ? AND starts_at = (SELECT quota_window FROM renders WHERE id = ?) AND used > 0
        """,
        (render.owner, render.id),
    )
