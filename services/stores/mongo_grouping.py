"""Sends the reads by id, or the inserts, of concurrent calls with one command.

A command takes more CPU time than the rest of a small request: for the switch to a thread of motor, and in PyMongo. A
server with many clients has many calls at the same time, most of all after a deployment, when all connect again.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextvars import Context
from typing import Any, Generic, TypeVar

from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import BulkWriteError, DuplicateKeyError, PyMongoError

from services.errors import StoreUnavailable
from services.stores.mongo_connection import DUPLICATE_KEY, Document, mongo_operation

Argument = TypeVar("Argument")
Result = TypeVar("Result")

MAX_IDS = 100  # in one command
INSERTED_TOGETHER_S = 1.0  # an insert waits for an open transaction, of a process that died, that has its number
MAX_INSERTS = 20  # in one command, which would otherwise be split when it has 48 MB


class _Call(Generic[Argument, Result]):
    """A call that waits for its result."""

    __slots__ = ("argument", "result")

    def __init__(self, argument: Argument) -> None:
        self.argument = argument
        self.result: asyncio.Future[Result] = asyncio.get_running_loop().create_future()


class GroupedCalls(Generic[Argument, Result]):
    """Calls with one argument each, of which those of one iteration of the event loop are sent together.

    `send` takes up to `size` arguments and returns a result, or an exception, for each. With `together_s`, calls that
    have not succeeded together after this time, or half the timeout, are sent again, alone, so that none waits longer
    for another. The first command may then still have its effect.
    """

    def __init__(
        self,
        send: Callable[[Sequence[Argument]], Awaitable[Sequence[Result | Exception]]],
        *,
        size: int,
        timeout_s: float,
        together_s: float | None = None,
    ) -> None:
        self._send = send
        self._size = size
        self._timeout_s = timeout_s
        self._together_s = together_s and min(together_s, timeout_s / 2)
        self._waiting: list[_Call[Argument, Result]] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def call(self, argument: Argument) -> Result:
        """Return the result of this argument, within the timeout.

        Raises `StoreUnavailable`, or what else the driver raises because of this argument.
        """
        if not self._waiting:  # in a context without the time limit and the request of the first caller
            asyncio.get_running_loop().call_soon(self._start_all, context=Context())
        call: _Call[Argument, Result] = _Call(argument)
        self._waiting.append(call)
        return await call.result

    def _start_all(self) -> None:
        waiting, self._waiting = _unfinished(self._waiting), []
        for start in range(0, len(waiting), self._size):
            self._start(waiting[start : start + self._size], limit_s=self._timeout_s)

    def _start(self, calls: Sequence[_Call[Argument, Result]], *, limit_s: float) -> None:
        """Send the calls in a task. It is cancelled when all callers are, and they when it is."""
        task = asyncio.create_task(self._run(calls, limit_s), name="calls of MongoDB")
        self._tasks.add(task)

        def cancel_if_unused(_: object) -> None:
            if all(call.result.cancelled() for call in calls):
                task.cancel()

        def end(_: object) -> None:
            self._tasks.discard(task)
            if task.cancelled():
                for call in calls:
                    call.result.cancel()

        task.add_done_callback(end)
        for call in calls:
            call.result.add_done_callback(cancel_if_unused)

    async def _run(self, calls: Sequence[_Call[Argument, Result]], limit_s: float) -> None:
        """Send the calls and give each caller its own result or exception."""
        together_s = self._together_s if len(calls) > 1 else None
        results: Sequence[Result | Exception]
        try:
            with mongo_operation(together_s or limit_s):
                results = await self._send([call.argument for call in calls])
        except Exception as error:  # noqa: BLE001  # perhaps because of one argument, which must not affect others
            is_late = together_s is not None and isinstance(error.__cause__, PyMongoError) and error.__cause__.timeout
            if len(calls) > 1 and (is_late or not isinstance(error, StoreUnavailable)):
                for call in _unfinished(calls):
                    self._start([call], limit_s=limit_s - (together_s or 0))
                return
            # Each caller gets an exception of its own, with its own traceback.
            results = [StoreUnavailable(str(error)) for _ in calls] if isinstance(error, StoreUnavailable) else [error]
        for call, result in zip(calls, results, strict=True):
            if not call.result.done():
                if isinstance(result, Exception):
                    call.result.set_exception(result)
                else:
                    call.result.set_result(result)


def _unfinished(calls: Sequence[_Call[Argument, Result]]) -> list[_Call[Argument, Result]]:
    return [call for call in calls if not call.result.done()]


async def find_by_ids(collection: AsyncCollection[Document], ids: Sequence[str]) -> Sequence[Document | None]:
    """Return the document with each id, or None."""
    if len(ids) == 1:
        return [await collection.find_one({"_id": ids[0]})]
    found = await collection.find({"_id": {"$in": list(set(ids))}}).to_list(None)
    by_id = {document["_id"]: document for document in found}
    return [by_id.get(id_) for id_ in ids]


async def insert_each(
    collection: AsyncCollection[Document], documents: Sequence[Document]
) -> Sequence[DuplicateKeyError | StoreUnavailable | None]:
    """Insert each document, whether or not another is rejected; return why, for each that is."""
    if len(documents) == 1:
        await collection.insert_one(documents[0])
        return [None]
    try:
        await collection.insert_many(documents, ordered=False)
    except BulkWriteError as error:
        if error.details["writeConcernErrors"]:
            raise
        rejected = {each["index"]: _rejection(each) for each in error.details["writeErrors"]}
        return [rejected.get(index) for index in range(len(documents))]
    return [None] * len(documents)


def _rejection(error: Mapping[str, Any]) -> DuplicateKeyError | StoreUnavailable:
    message = str(error["errmsg"])
    return DuplicateKeyError(message) if error["code"] == DUPLICATE_KEY else StoreUnavailable(message)
