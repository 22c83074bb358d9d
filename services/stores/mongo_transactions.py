"""Runs transactions, and repeats those that conflict with another.

With motor, each try runs in one of motor's threads, with the synchronous client that motor wraps. A change of threads
for each call would take a quarter of a transaction's CPU time.

Relies on `delegate` and `run_on_executor` of motor 3.7, which are not documented; so do all tests of stores with motor.
"""

import asyncio
import time
from collections.abc import AsyncIterable, Callable, Coroutine, Mapping, Sequence
from itertools import count
from typing import Any, TypeVar, cast

from pymongo import AsyncMongoClient, MongoClient
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import PyMongoError
from pymongo.results import UpdateResult

from services.background.backoff import backoff_s
from services.stores.mongo_connection import Client, Document, maybe_await, mongo_operation

T = TypeVar("T")

RETRY_BASE_S, MAX_RETRY_S = 0.01, 0.1  # delays before what conflicted with another process is repeated


class Calls:
    """Calls of a collection, that of any of the drivers, in the transaction of a session if there is one."""

    def __init__(self, collection: Any, session: Any = None) -> None:
        self._collection = collection
        self._session = session

    async def find_one(self, conditions: Document, projection: Document | None = None, **options: Any) -> Any:
        """Return the first document, or None."""
        return await self._call("find_one", conditions, projection, **options)

    async def find(self, conditions: Document, projection: Document, **options: Any) -> list[Document]:
        """Return all documents."""
        cursor = self._collection.find(conditions, projection, session=self._session, **options)
        return [found async for found in cursor] if isinstance(cursor, AsyncIterable) else list(cursor)

    async def count_documents(self, conditions: Document) -> int:
        """Return the number of documents."""
        return cast("int", await self._call("count_documents", conditions))

    async def insert(self, documents: Sequence[Mapping[str, Any]]) -> None:
        """Insert documents, at least one."""
        if len(documents) == 1:
            await self._call("insert_one", documents[0])
        else:
            await self._call("insert_many", documents)

    async def update_one(self, conditions: Document, update: Document, **options: Any) -> UpdateResult:
        """Change the first document."""
        return cast("UpdateResult", await self._call("update_one", conditions, update, **options))

    async def _call(self, name: str, *args: Any, **options: Any) -> Any:
        return await maybe_await(getattr(self._collection, name)(*args, session=self._session, **options))


CallsOf = Callable[[AsyncCollection[Document]], Calls]  # returns the calls of a collection


class Transaction:
    """An open transaction."""

    def __init__(self, session: Any, *, is_synchronous: bool) -> None:
        self._session = session
        self._is_synchronous = is_synchronous

    def on(self, collection: AsyncCollection[Document]) -> Calls:
        """Return the calls of the collection in this transaction."""
        in_use: Any = collection
        return Calls(in_use.delegate if self._is_synchronous else in_use, self._session)


Operation = Callable[[Transaction], Coroutine[Any, Any, T]]


async def run_transaction(client: Client, operation: Operation[T], *, timeout_s: float) -> T:
    """Run the operation in a transaction. Repeat it after transient conflicts, within the timeout.

    The operation awaits nothing but calls of its transaction. If this is cancelled, the transaction may be committed.
    Raises `StoreUnavailable`. Not done with the drivers' `with_transaction`: while a server is unavailable, it retries
    for two minutes, whatever the timeout.
    """
    ends_s = time.monotonic() + timeout_s
    with mongo_operation(timeout_s):
        for failures in count(1):
            try:
                return await _run(client, operation)
            except PyMongoError as error:
                pause_s = backoff_s(failures, base_s=RETRY_BASE_S, max_s=MAX_RETRY_S)
                is_late = error.timeout or time.monotonic() + pause_s >= ends_s
                if is_late or not error.has_error_label("TransientTransactionError"):
                    raise
            await asyncio.sleep(pause_s)
    raise AssertionError


async def _run(client: Client, operation: Operation[T]) -> T:
    driver: Any = client
    if isinstance(driver, AsyncMongoClient):
        async with driver.start_session() as session, await session.start_transaction():
            return await operation(Transaction(session, is_synchronous=False))
    from motor.frameworks.asyncio import run_on_executor  # noqa: PLC0415  # only where motor is in use

    result = run_on_executor(  # type: ignore[no-untyped-call]  # motor has no types
        driver.get_io_loop(), _run_in_thread, driver.delegate, operation
    )
    return cast("T", await result)


def _run_in_thread(client: MongoClient[Document], operation: Operation[T]) -> T:
    with client.start_session() as session, session.start_transaction():
        return _result(operation(Transaction(session, is_synchronous=True)))


def _result(coroutine: Coroutine[Any, Any, T]) -> T:
    """Return the result of a coroutine that does not suspend: all that it awaits is done when it is called."""
    try:
        coroutine.send(None)
    except StopIteration as finished:
        return cast("T", finished.value)
    coroutine.close()
    raise AssertionError("a transaction must await nothing but its own calls")
