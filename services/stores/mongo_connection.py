"""Connects to MongoDB through motor or PyMongo, limits the time of operations, and tracks the server's clock.

Relies on what PyMongo 4.20 and motor 3.7 don't guarantee: `pymongo.timeout` is provisional; motor copies context
variables, in which `pymongo.timeout` keeps its deadline, to the threads that run its calls; and PyMongo appends
", Timeout: …, Topology Description: …" to messages. `tests/services/stores/test_private_names.py` checks all three.
"""

import inspect
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar, cast

from pymongo import AsyncMongoClient, timeout
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import BulkWriteError, DuplicateKeyError, OperationFailure, PyMongoError

from services.errors import StartupError, StoreUnavailable
from services.stores.mongo_url import log_weak_options, read_mongo_url

Document = dict[str, Any]
Client = AsyncMongoClient[Document]
Database = AsyncDatabase[Document]
Opened = TypeVar("Opened")

DUPLICATE_KEY = 11000  # the code of a write error
DEFAULT_DATABASE = "rendercast"  # if the URL contains none
DEFAULT_TIMEOUT_S = 10.0  # if the URL has no `timeoutMS`
DEFAULT_OPTIONS = {"appName": "rendercast", "w": "majority", "retryWrites": True, "connectTimeoutMS": 5_000}
RETRYABLE_WRITES = "etryable writes"  # in the messages of servers without them, and in PyMongo's own


class ServerClock:
    """The server's clock: read from time to time, and advanced by the monotonic clock in between."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._server_time: datetime | None = None
        self._read_at = 0.0

    async def sync(self) -> Document:
        """Read the server's time; return its whole response to the command `hello`."""
        hello = await self._client.admin.command("hello")
        self._server_time, self._read_at = hello["localTime"].replace(tzinfo=UTC), time.monotonic()
        return hello

    def now(self) -> datetime:
        """Return the server's current time. Raises `StoreUnavailable` before the first `sync`."""
        if self._server_time is None:
            raise StoreUnavailable("the server's time is not known")
        return self._server_time + timedelta(seconds=time.monotonic() - self._read_at)


@asynccontextmanager
async def open_with_client(
    connect: Callable[..., object], url: str, prepare: Callable[[Client], Awaitable[Opened]]
) -> AsyncIterator[Opened]:
    """Open a client for the URL and yield what `prepare` returns for it; close the client at the end.

    Raises `StartupError` if the URL is not valid or `prepare` raises `StoreUnavailable`.
    """
    client = new_client(connect, url)
    try:
        try:
            opened = await prepare(client)
        except StoreUnavailable as error:
            raise StartupError(f"MongoDB at {hosts_of(url)} can't be used: {error}") from error
        yield opened
    finally:
        with timeout(operation_timeout_s(client)):
            await maybe_await(client.close())


def new_client(connect: Callable[..., object], url: str, **overrides: object) -> Client:
    """Return an unconnected client. The URL's options precede `DEFAULT_OPTIONS`; `overrides` precede both.

    Raises `StartupError` if the URL is not valid, with a reason that contains no password.
    """
    checked = read_mongo_url(url)
    log_weak_options(checked.options)
    defaults = {name: value for name, value in DEFAULT_OPTIONS.items() if name.lower() not in checked.options}
    try:
        client = connect(checked.url, tz_aware=True, **{**defaults, **overrides})
    except OSError as error:
        raise StartupError(f"MONGODB_URL is not valid: a file of its tls… options can't be used: {error}.") from None
    except (PyMongoError, ValueError) as error:
        raise StartupError(f"MONGODB_URL is not valid: {error}.") from None
    return cast("Client", client)


def operation_timeout_s(client: Client) -> float:
    """Return the time limit of an operation including its retries, in seconds."""
    return client.options.timeout or DEFAULT_TIMEOUT_S


@contextmanager
def suppress_codes(codes: Collection[int]) -> Iterator[list[OperationFailure]]:
    """Suppress server errors with these codes; append them to the list that is yielded."""
    errors: list[OperationFailure] = []
    try:
        yield errors
    except OperationFailure as error:
        if error.code not in codes:
            raise
        errors.append(error)


async def maybe_await(value: Any) -> Any:
    """Return the value, awaited if it is awaitable: some calls are coroutines in only one of the two drivers."""
    return await value if inspect.isawaitable(value) else value


@contextmanager
def mongo_operation(timeout_s: float | None) -> Iterator[None]:
    """Limit the total time of the calls in this context, unless None, and raise `StoreUnavailable` for their errors.

    `DuplicateKeyError` is not translated, and is also raised for that of an `insert_many`. The time in which motor
    waits for a thread counts too, which is not the case for the client's own `timeoutMS`.
    """
    try:
        with timeout(timeout_s):
            yield
    except DuplicateKeyError:
        raise
    except BulkWriteError as error:
        if any(each["code"] == DUPLICATE_KEY for each in error.details["writeErrors"]):
            raise DuplicateKeyError(describe(error)) from error
        raise StoreUnavailable(describe(error)) from error
    except PyMongoError as error:
        raise StoreUnavailable(describe(error)) from error


def describe(error: PyMongoError) -> str:
    """Return the error's message without the details that PyMongo appends; what to change, if that is known."""
    text = re.split(r", Timeout:|, full error:|\n", str(error), maxsplit=1)[0]
    if RETRYABLE_WRITES in text:
        return f"{text.rstrip('.')}: add retryWrites=false to MONGODB_URL"
    if re.search("replica set named?", text):
        return f"{text}: correct the option replicaSet of MONGODB_URL"
    return text


def hosts_of(url: str) -> str:
    """Return the hosts of a URL without user and password, split as PyMongo does."""
    return url.partition("://")[2].partition("?")[0].partition("/")[0].rpartition("@")[2]
