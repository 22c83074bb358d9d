"""Reads documents by their ids, those of concurrent calls with one command.

A command takes more CPU time than the rest of a small request: for the switch to a thread of motor, and in PyMongo. A
server with many clients reads many documents at the same time, most of all after a deployment, when all connect again.
"""

import asyncio
from collections.abc import Sequence
from contextvars import Context

from pymongo.asynchronous.collection import AsyncCollection

from services.errors import StoreUnavailable
from services.stores.mongo_connection import Document, mongo_operation

MAX_IDS = 100  # in one command


class _Reader:
    """A call that waits for a document."""

    __slots__ = ("found", "id")

    def __init__(self, id_: str) -> None:
        self.id = id_
        self.found: asyncio.Future[Document | None] = asyncio.get_running_loop().create_future()


class MongoReads:
    """Reads documents of a collection by id. Reads of one iteration of the event loop are one command for each 100."""

    def __init__(self, collection: AsyncCollection[Document], *, timeout_s: float) -> None:
        self._collection = collection
        self._timeout_s = timeout_s
        self._waiting: list[_Reader] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def find(self, id_: str) -> Document | None:
        """Return the document, or None, within the timeout. The caller must not change it.

        Raises `StoreUnavailable`, or what else the driver raises if it can't read this document.
        """
        if not self._waiting:  # in a context without the time limit and the request of the first caller
            asyncio.get_running_loop().call_soon(self._start_all, context=Context())
        reader = _Reader(id_)
        self._waiting.append(reader)
        return await reader.found

    def _start_all(self) -> None:
        waiting, self._waiting = _unfinished(self._waiting), []
        for start in range(0, len(waiting), MAX_IDS):
            self._start(waiting[start : start + MAX_IDS])

    def _start(self, readers: Sequence[_Reader]) -> None:
        """Read the documents in a task. It is cancelled when all readers are, and they when it is."""
        task = asyncio.create_task(self._read(readers), name="read from MongoDB")
        self._tasks.add(task)

        def cancel_if_unused(_: object) -> None:
            if all(reader.found.cancelled() for reader in readers):
                task.cancel()

        def end(_: object) -> None:
            self._tasks.discard(task)
            if task.cancelled():
                for reader in readers:
                    reader.found.cancel()

        task.add_done_callback(end)
        for reader in readers:
            reader.found.add_done_callback(cancel_if_unused)

    async def _read(self, readers: Sequence[_Reader]) -> None:
        """Read the documents and give each reader its own, or an error."""
        ids = {reader.id for reader in readers}
        try:
            documents = {document["_id"]: document for document in await self._find(list(ids))}
        except StoreUnavailable as error:
            for reader in _unfinished(readers):  # each gets an exception of its own, with its own traceback
                reader.found.set_exception(StoreUnavailable(str(error)))
        except Exception as error:  # noqa: BLE001  # of a document that can't be read, which must not affect others
            if len(ids) > 1:
                self._start_each(_unfinished(readers))
                return
            for reader in _unfinished(readers):
                reader.found.set_exception(error)
        else:
            for reader in _unfinished(readers):
                reader.found.set_result(documents.get(reader.id))

    def _start_each(self, readers: Sequence[_Reader]) -> None:
        """Read each document alone."""
        for id_ in {reader.id for reader in readers}:
            self._start([reader for reader in readers if reader.id == id_])

    async def _find(self, ids: list[str]) -> Sequence[Document]:
        with mongo_operation(self._timeout_s):
            if len(ids) == 1:
                document = await self._collection.find_one({"_id": ids[0]})
                return () if document is None else (document,)
            return await self._collection.find({"_id": {"$in": ids}}).to_list(None)


def _unfinished(readers: Sequence[_Reader]) -> list[_Reader]:
    return [reader for reader in readers if not reader.found.done()]
