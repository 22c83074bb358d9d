"""The leases of the embedded store.

A QUEUED render without `lease_until` waits for a worker. `lease_until` is the time from which a render may be acquired
again: the end of its lease, or of its delay, which no worker holds. A RENDERING render always has one: 0 after a
release.
"""

import json
import sqlite3
from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta

from services.models import Render, RenderStatus
from services.ports import MAX_DUE_DELAY, Clock


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


def free_at(clock: Clock, render: Render) -> int | None:
    """Return when a QUEUED render's delay ends, in milliseconds of the monotonic clock; None if it has none."""
    if render.status is not RenderStatus.QUEUED or render.due_at is None:
        return None
    delay = render.due_at - clock.now()
    return lease_from(clock, delay).until_ms if timedelta(0) < delay <= MAX_DUE_DELAY else None


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
        UPDATE renders SET lease_worker = NULL, lease_until = iif(status = 'rendering', 0, NULL)
        WHERE lease_worker = ? AND (? IS NULL OR id IN (SELECT value FROM json_each(?)))
        """
    ids = None if render_ids is None else json.dumps(list(render_ids))
    db.execute(statement, (worker, ids, ids))
