"""The leases of the embedded store."""

import json
import sqlite3
from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta

from services.ports import Clock


@dataclass(frozen=True, slots=True)
class Lease:
    """The current time and the end of a lease, in milliseconds of the monotonic clock.

    A step of the wall clock can't end or extend such a lease. No lease outlives the process, so none is compared with
    the monotonic clock of another boot.
    """

    now_ms: int
    until_ms: int


def lease_from(clock: Clock, length: timedelta) -> Lease:
    """Return a lease that starts now."""
    now_ms = round(clock.monotonic() * 1000)
    return Lease(now_ms, now_ms + round(length.total_seconds() * 1000))


def renew(db: sqlite3.Connection, render_ids: Collection[str], worker: str, lease: Lease) -> frozenset[str]:
    """Extend the leases that the worker still holds on these renders; return their ids."""
    statement = """
        UPDATE renders SET lease_until = ?
        WHERE lease_worker = ? AND id IN (SELECT value FROM json_each(?))
        RETURNING id
        """
    rows = db.execute(statement, (lease.until_ms, worker, json.dumps(list(render_ids))))
    return frozenset(render_id for (render_id,) in rows)


def release(db: sqlite3.Connection, render_ids: Collection[str] | None, worker: str) -> None:
    """End the worker's leases on these renders, or all of its leases."""
    statement = """
        UPDATE renders SET lease_worker = NULL, lease_until = NULL
        WHERE lease_worker = ? AND (? IS NULL OR id IN (SELECT value FROM json_each(?)))
        """
    ids = None if render_ids is None else json.dumps(list(render_ids))
    db.execute(statement, (worker, ids, ids))
