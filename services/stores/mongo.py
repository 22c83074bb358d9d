"""The production store: MongoDB, through the calls that motor and PyMongo's `AsyncMongoClient` have in common.

`docs/architecture.md` shows the documents. A change of one document is one conditional update. A change of several (a
render and its owner's quota or webhook message) is a transaction, so the server must be a replica set; one member is
enough. Writes wait for a majority. Leases expire by the server's clock.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from datetime import timedelta
from functools import partial
from itertools import count
from typing import Any, TypeVar

from pymongo import ASCENDING, DESCENDING, ReturnDocument
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.errors import DuplicateKeyError, PyMongoError

from services import documents
from services.backoff import backoff_s
from services.errors import LeaseLost, StoreUnavailable
from services.ids import time_of
from services.models import QuotaWindow, Render, RenderFilter, RenderStatus
from services.ports import AddOutcome, AddResult, QueueStats
from services.stores.mongo_connection import (
    DEFAULT_DATABASE,
    Client,
    Document,
    ServerClock,
    maybe_await,
    mongo_operation,
    open_with_client,
    operation_timeout_s,
)
from services.stores.mongo_documents import (
    QUOTA_INDEXES,
    RENDER_INDEXES,
    UNFINISHED,
    UNIT_RETENTION,
    filter_conditions,
    owner_key,
    render_document,
    set_retention,
    used_units,
    window_id,
)
from services.stores.mongo_outbox import MongoOutbox
from services.webhooks.messages import WebhookMessage

Session = AsyncClientSession
T = TypeVar("T")

PREPARE_TIMEOUT_S = 300.0  # building the indexes of a large collection takes long
RETRY_BASE_S, MAX_RETRY_S = 0.02, 1.0  # delays before a transaction that conflicted with another is repeated
MAX_ADD_TRIES = 10  # of an `add` whose insert conflicts with a concurrent one


class MongoStore:
    """A `RenderStore` in MongoDB. Open it with `open_mongo_store`; `services.ports` specifies the methods."""

    def __init__(self, client: Client, *, webhooks_enabled: bool) -> None:
        database = client.get_default_database(DEFAULT_DATABASE)
        self._client = client
        self._renders = database["renders"]
        self._quota = database["quota"]
        self._clock = ServerClock(client)
        self._timeout_s = operation_timeout_s(client)
        self._webhooks_enabled = webhooks_enabled
        self.outbox = MongoOutbox(client, self._clock)

    async def prepare(self, *, retention: timedelta | None) -> None:
        """Create missing indexes. With `retention`, the server deletes renders this long after their end.

        Raises `StoreUnavailable`, also if the server is not a replica set.
        """
        with self._operation():
            hello = await self._clock.sync()
        if "setName" not in hello and hello.get("msg") != "isdbgrid":
            raise StoreUnavailable("it is not a replica set, which transactions need; a set of one member is enough")
        with mongo_operation(PREPARE_TIMEOUT_S):
            await self._renders.create_indexes(list(RENDER_INDEXES))
            await self._quota.create_indexes(list(QUOTA_INDEXES))
            await self.outbox.create_indexes()
            await set_retention(self._renders, retention)

    async def add(self, render: Render, window: QuotaWindow) -> AddResult:  # noqa: D102
        for _ in range(MAX_ADD_TRIES):
            try:
                return await self._in_transaction(partial(self._add, render, window))
            except DuplicateKeyError:  # a concurrent call inserted the same key or window
                continue
        raise StoreUnavailable("too many concurrent calls for one user")

    async def quota_used(self, window: QuotaWindow) -> int:  # noqa: D102
        with self._operation():
            return used_units(await self._quota.find_one({"_id": window_id(window)}))

    async def get(self, render_id: str, *, owner: str) -> Render | None:  # noqa: D102
        with self._operation():
            found = await self._renders.find_one({"_id": render_id, "owner": owner})
        return None if found is None else documents.from_mapping(found["render"])

    async def get_many(self, render_ids: Collection[str]) -> Sequence[Render]:  # noqa: D102
        return await self._find({"_id": {"$in": list(render_ids)}}, order=ASCENDING, first=0)

    async def list(  # noqa: D102
        self, *, owner: str | None, first: int, matching: RenderFilter, older_than: str | None = None
    ) -> Sequence[Render]:
        conditions = filter_conditions(owner, matching)
        if older_than is not None:
            conditions["_id"] = {"$lt": older_than}
        return await self._find(conditions, order=DESCENDING, first=first)

    async def unfinished(self, owners: Collection[str], *, first: int) -> Sequence[Render]:  # noqa: D102
        conditions = {"owner": {"$in": list(owners)}, "status": {"$in": UNFINISHED}}
        return await self._find(conditions, order=ASCENDING, first=first)

    async def exists_newer(self, render_id: str, *, owner: str | None, matching: RenderFilter) -> bool:  # noqa: D102
        with self._operation():
            found = await self._renders.find_one({**filter_conditions(owner, matching), "_id": {"$gte": render_id}})
        return found is not None

    async def queue_position(self, render: Render) -> int:  # noqa: D102
        with self._operation():
            ahead = await self._renders.count_documents(
                {"status": RenderStatus.QUEUED.value, "_id": {"$lt": render.id}}
            )
        return ahead + 1

    async def queue(self) -> QueueStats:  # noqa: D102
        queued = {"status": RenderStatus.QUEUED.value}
        with self._operation():
            depth = await self._renders.count_documents(queued)
            oldest = await self._renders.find_one(queued, {"_id": True}, sort=[("_id", ASCENDING)])
        return QueueStats(depth=depth, oldest_created_at=time_of(oldest["_id"]) if oldest else None)

    async def acquire(  # noqa: D102
        self, *, worker: str, lease: timedelta, excluding: Collection[str] = (), queued: bool = True
    ) -> Render | None:
        now = self._clock.now()
        due = {
            "_id": {"$nin": list(excluding)},
            "status": {"$in": UNFINISHED if queued else [RenderStatus.RENDERING.value]},
            "$and": [
                {"$or": [{"due_at": None}, {"due_at": {"$lte": now}}]},
                {"$or": [{"lease": None}, {"lease.until": {"$lte": now}}]},
            ],
        }
        while True:
            with self._operation():
                acquired = await self._renders.find_one_and_update(
                    due,
                    {"$set": {"lease": {"worker": worker, "until": now + lease}}},
                    sort=[("_id", ASCENDING)],
                    return_document=ReturnDocument.AFTER,
                )
            if acquired is None:
                return None
            if readable := documents.decode_readable([(acquired["_id"], acquired["render"])], documents.from_mapping):
                return readable[0]

    async def renew(  # noqa: D102
        self, render_ids: Collection[str], *, worker: str, lease: timedelta
    ) -> frozenset[str]:
        held = {"_id": {"$in": list(render_ids)}, "lease.worker": worker}
        with self._operation():
            await self._clock.sync()
            await self._renders.update_many(held, {"$set": {"lease.until": self._clock.now() + lease}})
            return frozenset([found["_id"] async for found in self._renders.find(held, {"_id": True})])

    async def release(self, render_ids: Collection[str] | None = None, *, worker: str) -> None:  # noqa: D102
        held: Document = {"lease.worker": worker}
        if render_ids is not None:
            held["_id"] = {"$in": list(render_ids)}
        with self._operation():
            await self._renders.update_many(held, {"$unset": {"lease": ""}})

    async def record(  # noqa: D102
        self, render: Render, *, worker: str | None = None, lease: timedelta | None = None
    ) -> bool:
        record = partial(self._record, render, worker, lease)
        if render.returns_quota or self._has_webhook(render):
            return await self._in_transaction(record)
        with self._operation():
            return await record()

    async def delete(self, render_id: str, *, owner: str) -> bool:  # noqa: D102
        with self._operation():
            deleted = await self._renders.delete_one({"_id": render_id, "owner": owner, "status": {"$nin": UNFINISHED}})
        return deleted.deleted_count == 1

    async def check(self) -> None:  # noqa: D102
        with self._operation():
            await self._renders.find_one({}, {"_id": True})

    async def _add(self, render: Render, window: QuotaWindow, session: Session) -> AddResult:
        quota = await self._quota.find_one({"_id": window_id(window)}, session=session)
        used = used_units(quota)
        if render.idempotency_key is not None:
            found = await self._renders.find_one({"key": owner_key(render)}, session=session)
            if found is not None:
                earlier = documents.from_mapping(found["render"])
                return AddResult(outcome=AddOutcome.DUPLICATE, render=earlier, used=used)
        if used >= window.limit:
            return AddResult(outcome=AddOutcome.OVER_QUOTA, render=render, used=used)
        await self._take_quota_unit(render, window, session)
        await self._renders.insert_one({"_id": render.id, **render_document(render)}, session=session)
        return AddResult(outcome=AddOutcome.ADDED, render=render, used=used + 1)

    async def _take_quota_unit(self, render: Render, window: QuotaWindow, session: Session) -> None:
        await self._quota.update_one(
            {"_id": window_id(window)},
            {"$push": {"renders": render.id}, "$setOnInsert": {"expires_at": window.ends_at + UNIT_RETENTION}},
            upsert=True,
            session=session,
        )

    async def _return_quota_unit(self, render: Render, session: Session | None) -> None:
        unit = {"renders": render.id}
        await self._quota.update_one(unit, {"$pull": unit}, session=session)

    async def _record(
        self, render: Render, worker: str | None, lease: timedelta | None, session: Session | None = None
    ) -> bool:
        before: Document = {"_id": render.id, "revision": render.revision - 1}
        if worker is not None:
            before["lease.worker"] = worker
        change: Document = {"$set": render_document(render)}
        if render.status is not RenderStatus.RENDERING:
            change["$unset"] = {"lease": ""}
        elif lease is not None:
            change["$set"]["lease.until"] = self._clock.now() + lease
        changed = await self._renders.update_one(before, change, session=session)
        if changed.matched_count == 0:
            if worker is not None:
                await self._require_lease(render.id, worker, session)
            return False
        if render.returns_quota:
            await self._return_quota_unit(render, session)
        if session is not None and self._has_webhook(render):
            await self.outbox.add(WebhookMessage(render=render), session)
        return True

    def _has_webhook(self, render: Render) -> bool:
        return self._webhooks_enabled and render.status.is_terminal

    async def _require_lease(self, render_id: str, worker: str, session: Session | None) -> None:
        if await self._renders.find_one({"_id": render_id, "lease.worker": worker}, session=session) is None:
            raise LeaseLost(render_id)

    async def _find(self, conditions: Mapping[str, Any], *, order: int, first: int) -> Sequence[Render]:
        with self._operation():
            cursor = self._renders.find(conditions, {"render": True}).sort("_id", order).limit(first)
            found = [(document["_id"], document["render"]) async for document in cursor]
        return documents.decode_readable(found, documents.from_mapping)

    def _operation(self) -> AbstractContextManager[None]:
        return mongo_operation(self._timeout_s)

    async def _in_transaction(self, operation: Callable[[Session], Awaitable[T]]) -> T:
        """Run the operation in a transaction. Repeat it after transient conflicts, within the timeout.

        Not done with the drivers' `with_transaction`: while a server is unavailable, it retries for two minutes,
        whatever the timeout.
        """
        with self._operation():
            async with await maybe_await(self._client.start_session()) as session:
                for failures in count(1):
                    try:
                        async with await maybe_await(session.start_transaction()):
                            return await operation(session)
                    except PyMongoError as error:
                        if error.timeout or not error.has_error_label("TransientTransactionError"):
                            raise
                    await asyncio.sleep(backoff_s(failures, base_s=RETRY_BASE_S, max_s=MAX_RETRY_S))
        raise AssertionError


def open_mongo_store(
    connect: Callable[..., object], url: str, *, retention: timedelta | None = None, webhooks_enabled: bool = False
) -> AbstractAsyncContextManager[MongoStore]:
    """Connect with `connect`, the client class of motor or of PyMongo, and create missing indexes.

    No operation takes longer than the URL's `timeoutMS`, by default ten seconds. With `webhooks_enabled`, each end of a
    render adds a message to the outbox. Raises `StartupError` if the server can't be reached or is not a replica set.
    """

    async def prepare(client: Client) -> MongoStore:
        store = MongoStore(client, webhooks_enabled=webhooks_enabled)
        await store.prepare(retention=retention)
        return store

    return open_with_client(connect, url, prepare)
