"""Opens the SQLite file of the embedded store, and runs its operations one at a time in one thread.

Each operation is one transaction that runs entirely in that thread: it can't interleave with another, and it has its
full effect or none even if the calling coroutine is cancelled. With WAL and `synchronous=FULL`, acknowledged changes
survive a power failure (https://www.sqlite.org/pragma.html#pragma_synchronous).
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, closing
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TypeVar

from services.errors import StartupError, StoreUnavailable
from services.stores.sqlite_migrations import MIGRATIONS

T = TypeVar("T")
BUSY_TIMEOUT_S = 2.0
TO_TEXT = partial(str, encoding="utf-8", errors="surrogateescape")  # a damaged text fails when it is decoded as JSON
# Nothing runs when the file is opened. Delays end too: the monotonic clock may have started again since.
END_LEASES = """
    UPDATE webhooks SET lease_worker = NULL, lease_until = NULL WHERE lease_worker IS NOT NULL;
    UPDATE renders SET lease_worker = NULL, lease_until = NULL WHERE status = 'queued' AND lease_until IS NOT NULL;
    UPDATE renders SET lease_worker = NULL, lease_until = 0 WHERE status = 'rendering';
    """


class SqliteFile:
    """An open file and the thread that accesses it."""

    def __init__(self, connection: sqlite3.Connection, executor: ThreadPoolExecutor, path: Path) -> None:
        self.connection = connection
        self._executor = executor
        self._path = path
        self._identity = _identity(path)

    async def read(self, operation: Callable[..., T], *args: object) -> T:
        """Run an operation that only reads, on one snapshot of the file. Raises `StoreUnavailable`."""
        return await self._run("BEGIN", operation, *args)

    async def write(self, operation: Callable[..., T], *args: object) -> T:
        """Run an operation that writes, while no other program can write. Raises `StoreUnavailable`."""
        return await self._run("BEGIN IMMEDIATE", operation, *args)

    async def check(self) -> None:
        """Read from the file, not from memory, and write to it. Raises `StoreUnavailable`."""
        await asyncio.get_running_loop().run_in_executor(self._executor, _check_readable, self._path, self._identity)
        await self.write(_write_version)

    async def _run(self, begin: str, operation: Callable[..., T], *args: object) -> T:
        call = partial(_in_transaction, self.connection, begin, operation, *args)
        return await asyncio.get_running_loop().run_in_executor(self._executor, call)


@asynccontextmanager
async def open_sqlite_file(path: Path, *, shared: bool = False) -> AsyncIterator[SqliteFile]:
    """Open the file; create and migrate it as needed. No other process may have it open, so all its leases are ended.

    With `shared`, another process may have it open. Then it must exist with the current version; it is not migrated,
    and leases are kept. Raises `StartupError` if the file can't be read or written, or has an unsupported version.
    """
    executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="sqlite")
    in_thread = partial(asyncio.get_running_loop().run_in_executor, executor)
    try:
        connection = await in_thread(_open, path, shared)
        try:
            yield SqliteFile(connection, executor, path)
        finally:
            await in_thread(connection.close)
    finally:
        executor.shutdown()


def to_ms(moment: datetime) -> int:
    """Return a time in its stored form: milliseconds since the Unix epoch."""
    return round(moment.timestamp() * 1000)


def _open(path: Path, shared: bool) -> sqlite3.Connection:  # noqa: FBT001  # keyword-only in `open_sqlite_file`
    if shared and not path.exists():
        raise StartupError(f"There is no data file {path}: `rendercast dev` creates it.")
    try:
        connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
        connection.text_factory = TO_TEXT
        try:
            (_prepare_shared if shared else _prepare)(connection, path)
        except BaseException:
            connection.close()
            raise
    except (sqlite3.Error, OSError) as error:
        raise StartupError(f"The data file {path} can't be used: {error}.") from error
    return connection


def _prepare_shared(connection: sqlite3.Connection, path: Path) -> None:
    if _version(connection) != len(MIGRATIONS):
        raise StartupError(
            f"The data file {path} was written by another version of Rendercast: start `rendercast dev` once."
        )
    connection.execute("PRAGMA synchronous = FULL")


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    version = _version(connection)
    if version > len(MIGRATIONS):
        raise StartupError(
            f"The data file {path} was written by a newer version of Rendercast. "
            "Run that version, or set RENDERCAST_DATA_DIR to another folder."
        )
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    for number, script in enumerate(MIGRATIONS[version:], start=version + 1):
        connection.executescript(f"BEGIN IMMEDIATE; {script}; PRAGMA user_version = {number}; COMMIT;")
    connection.executescript(END_LEASES)


def _version(connection: sqlite3.Connection) -> int:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return int(version)


def _identity(path: Path) -> tuple[int, int]:
    """Return device and inode, which differ if another file replaces this one. Raises `OSError`."""
    status = path.stat()
    return status.st_dev, status.st_ino


def _check_readable(path: Path, identity: tuple[int, int]) -> None:
    """Read through a new connection, since an open one has pages in memory.

    The file must not be read in another way: closing it would release the locks of this process's connections
    (https://www.sqlite.org/howtocorrupt.html, section 2.2).
    """
    try:
        if _identity(path) != identity:
            raise StoreUnavailable(f"the data file {path} was replaced while it was open")
        with closing(
            sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=BUSY_TIMEOUT_S)
        ) as opened:
            opened.execute("SELECT id FROM renders LIMIT 1").fetchone()
    except (sqlite3.Error, OSError) as error:
        raise StoreUnavailable(f"the data file {path} can't be read: {error}") from error


def _write_version(connection: sqlite3.Connection) -> None:
    """Write the version, which does not change."""
    connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")


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
        raise StoreUnavailable(f"the data file can't be read or written: {error}") from error
    return result
