"""Reads documents by their ids, those of concurrent calls with one command.

A command takes as much CPU time as the rest of a small request, most of it for the change of threads and in PyMongo. A
server with many clients reads many documents at the same time, most of all after a deployment, when all connect again.
"""

import asyncio
from contextvars import Context
from typing import Any

from pymongo.asynchronous.collection import AsyncCollection

from services.stores.mongo_connection import Document, mongo_operation

MAX_IDS = 100  # in one command


class MongoReads:
    """Reads documents of a collection by id. The reads of one iteration of the event loop are one command."""

    def __init__(self, collection: AsyncCollection[Document], *, timeout_s: float) -> None:
        self._collection: Any = collection
        self._timeout_s = timeout_s
        self._waiting: list[tuple[str, asyncio.Future[Document | None]]] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def find(self, id_: str) -> Document | None:
        """Return the document, or None. The caller must not change it. Raises `StoreUnavailable`."""
        loop = asyncio.get_running_loop()
        found: asyncio.Future[Document | None] = loop.create_future()
        if not self._waiting:
            loop.call_soon(self._start, context=Context())  # without the deadline and the request of the first call
        self._waiting.append((id_, found))
        return await found

    def _start(self) -> None:
        waiting, self._waiting = self._waiting, []
        for start in range(0, len(waiting), MAX_IDS):
            task = asyncio.create_task(self._read(waiting[start : start + MAX_IDS]), name="read from MongoDB")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _read(self, waiting: list[tuple[str, asyncio.Future[Document | None]]]) -> None:
        """Read the documents and pass each, or the error, to the calls that wait for it."""
        ids = {id_ for id_, _ in waiting}
        try:
            with mongo_operation(self._timeout_s):
                if len(ids) == 1:
                    documents = [await self._collection.find_one({"_id": ids.pop()})]
                else:
                    documents = await self._collection.find({"_id": {"$in": list(ids)}}).to_list(None)
        except Exception as error:  # noqa: BLE001  # raised to the callers
            for _, found in waiting:
                if not found.done():
                    found.set_exception(error)
        else:
            by_id = {document["_id"]: document for document in documents if document is not None}
            for id_, found in waiting:
                if not found.done():
                    found.set_result(by_id.get(id_))
        finally:
            for _, found in waiting:
                found.cancel()  # if this was cancelled
