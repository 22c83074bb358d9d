"""The embedded store: one SQLite file, one process, one thread that runs every statement.

Each operation is one transaction, run whole in that thread: it can't interleave with another, and it happens whole
or not at all even if the coroutine that asked for it is cancelled. WAL with `synchronous=FULL` means that what was
acknowledged survives a power cut (https://www.sqlite.org/pragma.html#pragma_synchronous).
"""

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TypeVar

from services import documents
from services.errors import LeaseLost, StartupError, StoreUnavailable
from services.ids import time_of
from services.models import QuotaWindow, Render, RenderFilter, RenderStatus
from services.ports import Admission, Clock, Queue, Verdict

T = TypeVar("T")
BUSY_TIMEOUT_S = 2.0
LONGEST_WINDOW_KEPT_MS = 7 * 86_400_000  # units of quota windows that began earlier are removed

# `user_version` counts how many of these a file has been through. Append; never change one that was released.
MIGRATIONS = (
    """
    CREATE TABLE renders (
        id TEXT PRIMARY KEY,
        owner TEXT NOT NULL,
        revision INTEGER NOT NULL,
        status TEXT NOT NULL,
        generation_id TEXT,
        idempotency_key TEXT,
        due_at INTEGER,
        lease_worker TEXT,
        lease_until INTEGER,
        document TEXT NOT NULL
    ) STRICT;
    CREATE INDEX renders_of_owner ON renders (owner, id);
    CREATE UNIQUE INDEX renders_by_key ON renders (owner, idempotency_key) WHERE idempotency_key IS NOT NULL;
    CREATE INDEX renders_unfinished ON renders (id, status) WHERE status IN ('queued', 'rendering');
    CREATE INDEX renders_unfinished_of_owner ON renders (owner, id) WHERE status IN ('queued', 'rendering');
    CREATE INDEX renders_queued ON renders (status, id) WHERE status = 'queued';
    CREATE INDEX renders_leased ON renders (lease_worker) WHERE lease_worker IS NOT NULL;
    CREATE TABLE quota_units (
        render_id TEXT PRIMARY KEY,
        owner TEXT NOT NULL,
        window_starts_at INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX quota_units_of_window ON quota_units (owner, window_starts_at);
    CREATE INDEX quota_units_by_age ON quota_units (window_starts_at);
    """,
)


class SqliteStore:
    """A `RenderStore` in one file. Open it with `open_sqlite_store`; `services.ports` says what each method does."""

    def __init__(self, connection: sqlite3.Connection, executor: ThreadPoolExecutor, clock: Clock) -> None:
        self._connection = connection
        self._executor = executor
        self._clock = clock

    async def add(self, render: Render, window: QuotaWindow) -> Admission:  # noqa: D102
        return await self._write(_add, render, window)

    async def quota_used(self, window: QuotaWindow) -> int:  # noqa: D102
        return await self._read(_quota_used, window)

    async def get(self, render_id: str, *, owner: str) -> Render | None:  # noqa: D102
        return await self._read(_get, render_id, owner)

    async def get_many(self, render_ids: Collection[str]) -> Sequence[Render]:  # noqa: D102
        return await self._read(_get_many, render_ids)

    async def list(  # noqa: D102
        self, *, owner: str | None, first: int, matching: RenderFilter, older_than: str | None = None
    ) -> Sequence[Render]:
        return await self._read(_list, owner, first, matching, older_than)

    async def unfinished(self, owners: Collection[str], *, first: int) -> Sequence[Render]:  # noqa: D102
        return await self._read(_unfinished, owners, first)

    async def exists_newer(self, render_id: str, *, owner: str | None, matching: RenderFilter) -> bool:  # noqa: D102
        return await self._read(_exists_newer, render_id, owner, matching)

    async def queue_position(self, render: Render) -> int:  # noqa: D102
        return await self._read(_queue_position, render)

    async def queue(self) -> Queue:  # noqa: D102
        return await self._read(_queue)

    async def acquire(  # noqa: D102
        self, *, worker: str, lease: timedelta, excluding: Collection[str] = (), queued: bool = True
    ) -> Render | None:
        return await self._write(_acquire, worker, self._clock.now(), lease, excluding, queued)

    async def renew(  # noqa: D102
        self, render_ids: Collection[str], *, worker: str, lease: timedelta
    ) -> frozenset[str]:
        return await self._write(_renew, render_ids, worker, self._clock.now() + lease)

    async def release(self, render_ids: Collection[str] | None = None, *, worker: str) -> None:  # noqa: D102
        await self._write(_release, render_ids, worker)

    async def record(  # noqa: D102
        self, render: Render, *, worker: str | None = None, lease: timedelta | None = None
    ) -> bool:
        return await self._write(_record, render, worker, None if lease is None else self._clock.now() + lease)

    async def delete(self, render_id: str, *, owner: str) -> bool:  # noqa: D102
        return await self._write(_delete, render_id, owner)

    async def _read(self, operation: Callable[..., T], *args: object) -> T:
        return await self._run("BEGIN", operation, *args)

    async def _write(self, operation: Callable[..., T], *args: object) -> T:
        return await self._run("BEGIN IMMEDIATE", operation, *args)

    async def _run(self, begin: str, operation: Callable[..., T], *args: object) -> T:
        call = partial(_in_transaction, self._connection, begin, operation, *args)
        return await asyncio.get_running_loop().run_in_executor(self._executor, call)


@asynccontextmanager
async def open_sqlite_store(path: Path, clock: Clock) -> AsyncIterator[SqliteStore]:
    """Open the file, made and migrated as needed. Nobody else may have it open, so leases left in it are ended.

    Raises `StartupError` if it can't be read or written or comes from a newer version of this program.
    """
    executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="sqlite")
    in_thread = partial(asyncio.get_running_loop().run_in_executor, executor)
    try:
        connection = await in_thread(_open, path)
        try:
            yield SqliteStore(connection, executor, clock)
        finally:
            await in_thread(connection.close)
    finally:
        executor.shutdown()


def _open(path: Path) -> sqlite3.Connection:
    try:
        connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
        try:
            _prepare(connection, path)
        except BaseException:
            connection.close()
            raise
    except (sqlite3.Error, OSError) as error:
        raise StartupError(f"The data file {path} can't be used: {error}.") from error
    return connection


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > len(MIGRATIONS):
        raise StartupError(
            f"The data file {path} comes from a newer version of Rendercast. "
            "Run that version, or set RENDERCAST_DATA_DIR to another folder."
        )
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    for number, script in enumerate(MIGRATIONS[version:], start=version + 1):
        connection.executescript(f"BEGIN IMMEDIATE; {script}; PRAGMA user_version = {number}; COMMIT;")
    connection.execute("UPDATE renders SET lease_worker = NULL, lease_until = NULL WHERE lease_worker IS NOT NULL")


def _in_transaction(
    connection: sqlite3.Connection,
    begin: str,
    operation: Callable[..., T],
    *args: object,
) -> T:
    try:
        connection.execute(begin)
        try:
            result = operation(connection, *args)
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
    except sqlite3.Error as error:
        raise StoreUnavailable(f"The data file can't be read or written now: {error}.") from error
    return result


def _add(db: sqlite3.Connection, render: Render, window: QuotaWindow) -> Admission:
    used = _quota_used(db, window)
    if render.idempotency_key is not None:
        row = db.execute(
            "SELECT document FROM renders WHERE owner = ? AND idempotency_key = ?",
            (render.owner, render.idempotency_key),
        ).fetchone()
        if row:
            return Admission(verdict=Verdict.DUPLICATE, render=documents.decode(row[0]), used=used)
    if used >= window.limit:
        return Admission(verdict=Verdict.OVER_QUOTA, render=render, used=used)
    starts_at = _ms(window.starts_at)
    db.execute("DELETE FROM quota_units WHERE window_starts_at < ?", (starts_at - LONGEST_WINDOW_KEPT_MS,))
    db.execute("INSERT INTO quota_units VALUES (?, ?, ?)", (render.id, window.owner, starts_at))
    db.execute(
        "INSERT INTO renders VALUES (?, ?, ?, ?, ?, ?, ?, NULL, NULL, ?)",
        (
            render.id,
            render.owner,
            render.revision,
            render.status,
            render.generation_id,
            render.idempotency_key,
            _due(render),
            documents.encode(render),
        ),
    )
    return Admission(verdict=Verdict.ADDED, render=render, used=used + 1)


def _quota_used(db: sqlite3.Connection, window: QuotaWindow) -> int:
    (used,) = db.execute(
        "SELECT count(*) FROM quota_units WHERE owner = ? AND window_starts_at = ?",
        (window.owner, _ms(window.starts_at)),
    ).fetchone()
    return int(used)


def _get(db: sqlite3.Connection, render_id: str, owner: str) -> Render | None:
    row = db.execute("SELECT document FROM renders WHERE id = ? AND owner = ?", (render_id, owner)).fetchone()
    return documents.decode(row[0]) if row else None


def _get_many(db: sqlite3.Connection, render_ids: Collection[str]) -> Sequence[Render]:
    query = "SELECT id, document FROM renders WHERE id IN (SELECT value FROM json_each(?))"
    return documents.readable(db.execute(query, [json.dumps(list(render_ids))]), documents.decode)


def _list(
    db: sqlite3.Connection, owner: str | None, first: int, matching: RenderFilter, older_than: str | None
) -> Sequence[Render]:
    conditions, values = _conditions(owner, matching)
    if older_than is not None:
        conditions, values = f"{conditions} AND id < ?", [*values, older_than]
    query = f"SELECT id, document FROM renders WHERE {conditions} ORDER BY id DESC LIMIT ?"
    return documents.readable(db.execute(query, [*values, first]), documents.decode)


def _unfinished(db: sqlite3.Connection, owners: Collection[str], first: int) -> Sequence[Render]:
    query = """
        SELECT id, document FROM renders
        WHERE status IN ('queued', 'rendering') AND owner IN (SELECT value FROM json_each(?))
        ORDER BY id LIMIT ?
        """
    return documents.readable(db.execute(query, (json.dumps(list(owners)), first)), documents.decode)


def _exists_newer(db: sqlite3.Connection, render_id: str, owner: str | None, matching: RenderFilter) -> bool:
    conditions, values = _conditions(owner, matching)
    row = db.execute(f"SELECT 1 FROM renders WHERE {conditions} AND id >= ? LIMIT 1", [*values, render_id]).fetchone()
    return row is not None


def _conditions(owner: str | None, matching: RenderFilter) -> tuple[str, list[str]]:
    """Return an SQL condition with placeholders, made of fixed text only, and its values."""
    conditions, values = (["TRUE"], []) if owner is None else (["owner = ?"], [owner])
    if matching.statuses is not None:
        conditions.append(f"status IN ({', '.join('?' * len(matching.statuses))})")
        values.extend(matching.statuses)
    if matching.generation_id is not None:
        conditions.append("generation_id = ?")
        values.append(matching.generation_id)
    return " AND ".join(conditions), values


def _queue_position(db: sqlite3.Connection, render: Render) -> int:
    (ahead,) = db.execute(
        "SELECT count(*) FROM renders WHERE status = 'queued' AND id < ?",
        (render.id,),
    ).fetchone()
    return int(ahead) + 1


def _queue(db: sqlite3.Connection) -> Queue:
    depth, oldest = db.execute("SELECT count(*), min(id) FROM renders WHERE status = 'queued'").fetchone()
    return Queue(depth=depth, oldest_created_at=time_of(oldest) if oldest else None)


def _acquire(
    db: sqlite3.Connection,
    worker: str,
    now: datetime,
    lease: timedelta,
    excluding: Collection[str],
    queued: bool,  # noqa: FBT001  # `acquire` takes it by name
) -> Render | None:
    statement = """
        UPDATE renders SET lease_worker = ?, lease_until = ? WHERE id = (
            SELECT id FROM renders
            WHERE status IN ('queued', 'rendering') AND (status = 'rendering' OR ?) AND (due_at IS NULL OR due_at <= ?)
            AND (lease_until IS NULL OR lease_until <= ?) AND id NOT IN (SELECT value FROM json_each(?))
            ORDER BY id LIMIT 1
        ) RETURNING id, document
        """
    values = (worker, _ms(now + lease), queued, _ms(now), _ms(now), json.dumps(list(excluding)))
    while row := db.execute(statement, values).fetchone():
        if readable := documents.readable([row], documents.decode):
            return readable[0]
    return None


def _renew(db: sqlite3.Connection, render_ids: Collection[str], worker: str, until: datetime) -> frozenset[str]:
    statement = """
        UPDATE renders SET lease_until = ?
        WHERE lease_worker = ? AND id IN (SELECT value FROM json_each(?))
        RETURNING id
        """
    rows = db.execute(statement, (_ms(until), worker, json.dumps(list(render_ids))))
    return frozenset(render_id for (render_id,) in rows)


def _release(db: sqlite3.Connection, render_ids: Collection[str] | None, worker: str) -> None:
    statement = """
        UPDATE renders SET lease_worker = NULL, lease_until = NULL
        WHERE lease_worker = ? AND (? IS NULL OR id IN (SELECT value FROM json_each(?)))
        """
    chosen = None if render_ids is None else json.dumps(list(render_ids))
    db.execute(statement, (worker, chosen, chosen))


def _record(db: sqlite3.Connection, render: Render, worker: str | None, until: datetime | None) -> bool:
    row = db.execute("SELECT revision, lease_worker FROM renders WHERE id = ?", (render.id,)).fetchone()
    if worker is not None and (row is None or row[1] != worker):
        raise LeaseLost(render.id)
    if row is None or row[0] != render.revision - 1:
        return False
    db.execute(
        "UPDATE renders SET revision = ?, status = ?, due_at = ?, document = ? WHERE id = ?",
        (render.revision, render.status, _due(render), documents.encode(render), render.id),
    )
    if render.status is not RenderStatus.RENDERING:
        db.execute("UPDATE renders SET lease_worker = NULL, lease_until = NULL WHERE id = ?", (render.id,))
    elif until is not None:
        db.execute("UPDATE renders SET lease_until = ? WHERE id = ?", (_ms(until), render.id))
    if render.gives_quota_back:
        db.execute("DELETE FROM quota_units WHERE render_id = ?", (render.id,))
    return True


def _delete(db: sqlite3.Connection, render_id: str, owner: str) -> bool:
    deleted = db.execute(
        "DELETE FROM renders WHERE id = ? AND owner = ? AND status NOT IN ('queued', 'rendering')", (render_id, owner)
    )
    return deleted.rowcount == 1


def _due(render: Render) -> int | None:
    return None if render.due_at is None else _ms(render.due_at)


def _ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)
