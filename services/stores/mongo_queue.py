"""The queue in MongoDB: which render a worker gets next, and the collection `queue` with the queue's virtual time.

A QUEUED render that waits for a worker has `ready`. Every other unfinished one has `lease.until`, the time from which
it may be acquired again: the end of its lease or of its delay, which no worker holds. After a release it is `RELEASED`.
"""

import asyncio
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from pymongo import ASCENDING, DESCENDING, ReturnDocument
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import DuplicateKeyError

from services.errors import StoreUnavailable
from services.ids import time_of
from services.models import Render, RenderStatus
from services.ports import MAX_DUE_DELAY, MAX_QUEUE_POSITION, QueueStats
from services.stored_documents import SCHEMA_VERSION
from services.stores.mongo_connection import Database, Document, ServerClock, mongo_operation
from services.stores.mongo_documents import READABLE, UNFINISHED, RenderReader, render_document, require_readable

RELEASED = datetime(1970, 1, 1, tzinfo=UTC)
VIRTUAL_TIME_AGE_S = 1.0  # of what a start uses; reading it for each start would be a fifth of the start's CPU time
OTHER_VERSIONS_INTERVAL_S = 60.0  # of looking for unfinished documents of other versions
VIRTUAL_TIME = {"_id": "virtual_time"}
BEFORE_ALL = -1  # the order key of renders that an older version has queued
QUEUED, RENDERING = RenderStatus.QUEUED.value, RenderStatus.RENDERING.value


class MongoQueue:
    """Leases renders to workers. `services.ports` specifies the methods that `MongoStore` has too."""

    def __init__(self, database: Database, clock: ServerClock, read: RenderReader, *, timeout_s: float) -> None:
        self._renders: AsyncCollection[Document] = database["renders"]
        self._queue: AsyncCollection[Document] = database["queue"]
        self._clock = clock
        self._read = read
        self._timeout_s = timeout_s
        self._known_virtual_time = -1  # after the latest render that this process has acquired
        self._read_virtual_time = 0
        self._next_read_s = 0.0
        self._reading = asyncio.Lock()
        self._next_check_s = 0.0

    async def virtual_time(self) -> int:
        """Return the virtual time of at most `VIRTUAL_TIME_AGE_S` ago: owners who were idle gain no more than that.

        Raises `StoreUnavailable`, also if its form is newer.
        """
        if time.monotonic() >= self._next_read_s:
            async with self._reading:  # so that concurrent starts read it once
                if time.monotonic() >= self._next_read_s:
                    with mongo_operation(self._timeout_s):
                        self._read_virtual_time = await self._stored_virtual_time()
                    self._next_read_s = time.monotonic() + VIRTUAL_TIME_AGE_S
        return max(self._read_virtual_time, self._known_virtual_time)

    async def _stored_virtual_time(self) -> int:
        """Return the stored virtual time.

        If it is not stored, because nothing was acquired or the renders were restored without it, it is that of the
        first render: otherwise new owners would precede all renders that are queued.
        """
        if found := await self._queue.find_one(VIRTUAL_TIME):
            require_readable(found)
            return int(found["value"])
        order = [("order_key", ASCENDING)]
        first = await self._renders.find_one({"ready": True}, {"order_key": True}, sort=order)
        return max(0, int(first["order_key"])) if first else 0

    async def last_finish_key(self, owner: str) -> int | None:
        """Return the highest finish key of the owner's renders; None if there is none.

        Runs inside a `mongo_operation`.
        """
        keyed = {"owner": owner, "finish_key": {"$gte": 0}}
        order = [("finish_key", DESCENDING)]
        last = await self._renders.find_one(keyed, {"finish_key": True}, sort=order)
        return None if last is None else int(last["finish_key"])

    def waiting(self, render: Render) -> Document:
        """Return the fields of a QUEUED render that no worker has leased: until its delay is over, or ready."""
        now = self._clock.now()
        delay = timedelta(0) if render.due_at is None else render.due_at - now
        return {"lease": {"until": now + delay}} if timedelta(0) < delay <= MAX_DUE_DELAY else {"ready": True}

    def change_of(self, render: Render, lease: timedelta | None) -> Document:
        """Return the update that records a render. A RENDERING one keeps its lease, extended to `lease` from now."""
        document = render_document(render)
        if render.status is RenderStatus.QUEUED:
            waiting = self.waiting(render)
            gone = {"ready", "lease"} - waiting.keys()
            return {"$set": document | waiting, "$unset": dict.fromkeys(gone, "")}
        if render.status is RenderStatus.RENDERING:
            until = RELEASED if lease is None else self._clock.now() + lease
            return {"$set": document, "$max": {"lease.until": until}, "$unset": {"ready": ""}}
        gone = {"ready", "lease", "finish_key"} if render.was_never_started else {"ready", "lease"}
        return {"$set": document, "$unset": dict.fromkeys(gone, "")}

    async def acquire(self, *, worker: str, lease: timedelta) -> Render | None:  # noqa: D102
        first = {"ready": True, **READABLE}
        order = [("order_key", ASCENDING), ("_id", ASCENDING)]
        while (found := await self._lease(first, order, worker, lease)) is not None:
            await self._advance(int(found.get("order_key", BEFORE_ALL)))
            if renders := self._read.many([found]):
                return renders[0]
        return None

    async def reacquire(self, *, worker: str, lease: timedelta, queued: bool = True) -> Render | None:  # noqa: D102
        await self._check_other_versions()
        for status in (RENDERING, QUEUED) if queued else (RENDERING,):
            free = {"status": status, "lease.until": {"$lte": self._clock.now()}, **READABLE}
            while (found := await self._lease(free, [("lease.until", ASCENDING)], worker, lease)) is not None:
                if renders := self._read.many([found]):
                    return renders[0]
        return None

    async def release(self, held: Document) -> None:
        """End the leases on the renders that match. Runs inside a `mongo_operation`."""
        ready = {"$set": {"ready": True}, "$unset": {"lease": ""}}
        await self._renders.update_many({**held, "status": QUEUED}, ready)
        await self._renders.update_many({**held, "status": RENDERING}, {"$set": {"lease": {"until": RELEASED}}})

    async def position(self, render: Render) -> int:
        """Return the place among the renders that wait for a worker, counted up to `MAX_QUEUE_POSITION`."""
        with mongo_operation(self._timeout_s):
            found = await self._renders.find_one({"_id": render.id}, {"order_key": True})
            key = (found or {}).get("order_key", BEFORE_ALL)
            before = {"ready": True, "order_key": {"$lt": key}}
            beside = {"ready": True, "order_key": key, "_id": {"$lt": render.id}}
            limit = MAX_QUEUE_POSITION - 1
            ahead = sum([await self._renders.count_documents(each, limit=limit) for each in (before, beside)])
        return min(ahead + 1, MAX_QUEUE_POSITION)

    async def stats(self) -> QueueStats:
        """Return the number of QUEUED renders, those with a delay included, and the age of the oldest."""
        queued = {"status": QUEUED}
        with mongo_operation(self._timeout_s):
            depth = await self._renders.count_documents(queued)
            oldest = await self._renders.find_one(queued, {"_id": True}, sort=[("_id", ASCENDING)])
        return QueueStats(depth=depth, oldest_created_at=time_of(oldest["_id"]) if oldest else None)

    async def _lease(
        self, conditions: Document, order: list[tuple[str, int]], worker: str, lease: timedelta
    ) -> dict[str, Any] | None:
        with mongo_operation(self._timeout_s):
            return await self._renders.find_one_and_update(
                conditions,
                {"$set": {"lease": {"worker": worker, "until": self._clock.now() + lease}}, "$unset": {"ready": ""}},
                sort=order,
                return_document=ReturnDocument.AFTER,
            )

    async def _advance(self, order_key: int) -> None:
        """Advance the virtual time. If that fails, it lags until the next render is acquired, which is harmless."""
        if order_key <= self._known_virtual_time:
            return
        with suppress(StoreUnavailable, DuplicateKeyError), mongo_operation(self._timeout_s):
            change = {"$max": {"value": order_key}, "$setOnInsert": {"schema": SCHEMA_VERSION}}
            await self._queue.update_one(VIRTUAL_TIME, change, upsert=True)
            self._known_virtual_time = order_key

    async def _check_other_versions(self) -> None:
        """Give unfinished renders of older versions their place, and count those of newer ones, at most once a minute.

        Older queued ones come before all others, in the order of their ids. Those that an older worker has leased are
        left to it.
        """
        if time.monotonic() < self._next_check_s:
            return
        self._next_check_s = time.monotonic() + OTHER_VERSIONS_INTERVAL_S
        free = {"$or": [{"lease": None}, {"lease.until": {"$lte": self._clock.now()}}]}
        older = {"$lt": SCHEMA_VERSION}
        ready = {"$set": {"ready": True, "order_key": BEFORE_ALL, "schema": SCHEMA_VERSION}, "$unset": {"lease": ""}}
        newer = {"status": {"$in": UNFINISHED}, "schema": {"$gt": SCHEMA_VERSION}}
        with mongo_operation(self._timeout_s):
            await self._renders.update_many({"status": QUEUED, "schema": older, **free}, ready)
            await self._renders.update_many(
                {"status": RENDERING, "schema": older, "lease": None}, {"$set": {"lease": {"until": RELEASED}}}
            )
            self._read.many([document async for document in self._renders.find(newer, {"schema": True})])
