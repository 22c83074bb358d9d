"""How MongoDB is connected to through motor or PyMongo, asked within a limit, and what its clock says."""

import inspect
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime, timedelta
from typing import Any, TypeVar, cast

from pymongo import AsyncMongoClient, timeout
from pymongo.errors import DuplicateKeyError, OperationFailure, PyMongoError

from services.errors import StartupError, StoreUnavailable

Document = dict[str, Any]
Client = AsyncMongoClient[Document]
Opened = TypeVar("Opened")

DATABASE = "rendercast"  # unless the URL names another
PATIENCE_S = 10.0  # unless the URL's `timeoutMS` says otherwise
CONNECTING_MS = 5_000
BAD_URL = (
    "MONGODB_URL can't be used. It must look like mongodb://user:password@host:27017/database, with special characters "
    "percent-encoded; the files it names, and the DNS records of mongodb+srv://, must be there."
)


class ServerTime:
    """The server's clock, asked for now and then and followed by the monotonic clock in between."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._told: datetime | None = None
        self._told_at = 0.0

    async def follow(self) -> Document:
        """Ask the server for its time, and return all it says of itself."""
        hello = await self._client.admin.command("hello")
        self._told, self._told_at = hello["localTime"], time.monotonic()
        return hello

    def now(self) -> datetime:
        """Return the server's time, as far as it is known."""
        if self._told is None:
            raise StoreUnavailable("the server's time is not known")
        return self._told + timedelta(seconds=time.monotonic() - self._told_at)


@asynccontextmanager
async def open_through(
    connect: Callable[..., object], url: str, prepare: Callable[[Client], Awaitable[Opened]]
) -> AsyncIterator[Opened]:
    """Open what `prepare` makes of a client of the URL. Raises `StartupError` if it raises `StoreUnavailable`."""
    client = new_client(connect, url)
    try:
        try:
            opened = await prepare(client)
        except StoreUnavailable as error:
            raise StartupError(f"MongoDB at {hosts_of(url)} can't be used: {error}") from error
        yield opened
    finally:
        with timeout(patience_of(client)):
            await settled(client.close())


def new_client(connect: Callable[..., object], url: str) -> Client:
    """Return a client for the URL. Raises `StartupError` without a word of the URL, which may be secret."""
    if not url.startswith(("mongodb://", "mongodb+srv://")):  # PyMongo would take it for the name of a host
        raise StartupError(BAD_URL)
    try:
        client = connect(
            url,
            appname="rendercast",
            tz_aware=True,
            w="majority",
            readPreference="primary",
            retryWrites=True,
            connectTimeoutMS=CONNECTING_MS,
        )
    except (PyMongoError, ValueError, OSError):
        raise StartupError(BAD_URL) from None
    return cast("Client", client)


def patience_of(client: Client) -> float:
    """Return how many seconds an operation may take, its retries included."""
    return client.options.timeout or PATIENCE_S


@contextmanager
def tolerating(codes: Collection[int]) -> Iterator[list[OperationFailure]]:
    """Keep errors with these codes in the list that is returned."""
    errors: list[OperationFailure] = []
    try:
        yield errors
    except OperationFailure as error:
        if error.code not in codes:
            raise
        errors.append(error)


async def settled(value: Any) -> Any:
    """Return what both drivers mean: some calls are coroutines in one of them only."""
    return await value if inspect.isawaitable(value) else value


@contextmanager
def asking(limit_s: float) -> Iterator[None]:
    """Give the calls made meanwhile so long together. Raises `StoreUnavailable` for what they raise.

    Set here, and not only for the client, the limit counts from the call: motor may keep it waiting for a thread.
    """
    try:
        with timeout(limit_s):
            yield
    except DuplicateKeyError:
        raise
    except PyMongoError as error:
        raise StoreUnavailable(_first_line(error)) from error


def _first_line(error: PyMongoError) -> str:
    """Return what is wrong, without the topology that PyMongo appends."""
    return str(error).partition(", Timeout:")[0].partition("\n")[0]


def hosts_of(url: str) -> str:
    """Return the hosts a URL names, without the password it may hold, split as PyMongo does."""
    return url.partition("://")[2].partition("?")[0].partition("/")[0].rpartition("@")[2]
