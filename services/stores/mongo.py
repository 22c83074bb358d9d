"""The store of production: MongoDB, through the calls that motor and PyMongo's `AsyncMongoClient` share.

`docs/architecture.md` shows the documents. A change of one document is one conditional update; what changes a render
and its owner's quota together is a transaction, so the server must be a replica set (of one is enough). Writes wait
for a majority. Leases go by the server's clock, which each process follows by its monotonic clock in between.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from datetime import timedelta
from functools import partial
from itertools import count
from typing import Any, TypeVar

from pymongo import ASCENDING, DESCENDING, IndexModel, ReturnDocument
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.errors import DuplicateKeyError, PyMongoError

from services import documents
from services.backoff import backoff_s
from services.errors import LeaseLost, StoreUnavailable
from services.ids import time_of
from services.models import QuotaWindow, Render, RenderFilter, RenderStatus
from services.ports import AddOutcome, AddResult, Queue
from services.renders.lifecycle import ACTIVE
from services.stores.mongo_connection import (
    DATABASE,
    Client,
    Document,
    ServerTime,
    asking,
    open_through,
    patience_of,
    settled,
    tolerating,
)
from services.stores.mongo_outbox import MongoOutbox
from services.webhooks.messages import WebhookMessage

Session = AsyncClientSession
T = TypeVar("T")

SCHEMA_VERSION = 1
PREPARING_S = 300.0  # for the indexes of a large collection
FIRST_PAUSE_S, MAX_PAUSE_S = 0.02, 1.0  # of a transaction that met another
RACES = 10  # how often a first insert may collide with another's before the call gives up
UNIT_RETENTION = timedelta(days=7)  # quota windows that ended this long ago are removed
UNFINISHED = sorted(status.value for status in ACTIVE)
INDEX_NOT_FOUND = {26, 27}  # https://github.com/mongodb/mongo/blob/master/src/mongo/base/error_codes.yml
INDEX_DIFFERS = {85, 86}

RENDER_INDEXES = (
    IndexModel([("owner", ASCENDING), ("_id", DESCENDING)], name="of_owner"),
    IndexModel([("key", ASCENDING)], name="by_key", unique=True, sparse=True),
    IndexModel([("status", ASCENDING), ("_id", ASCENDING)], name="by_status"),
    IndexModel([("lease.worker", ASCENDING)], name="leased", sparse=True),
)
QUOTA_INDEXES = (
    IndexModel([("renders", ASCENDING)], name="by_render"),
    IndexModel([("expires_at", ASCENDING)], name="expired", expireAfterSeconds=0),
)


class MongoStore:
    """A `RenderStore` in MongoDB. Open it with `open_mongo_store`; `services.ports` says what each method does."""

    def __init__(self, client: Client, *, announces_ends: bool) -> None:
        database = client.get_default_database(DATABASE)
        self._client = client
        self._renders = database["renders"]
        self._quota = database["quota"]
        self._time = ServerTime(client)
        self._patience_s = patience_of(client)
        self._announces_ends = announces_ends
        self.outbox = MongoOutbox(client, self._time)

    async def prepare(self, *, retention: timedelta | None) -> None:
        """Make the indexes there are not yet; `retention` has ended renders removed by the server after that time.

        Raises `StoreUnavailable` if that can't be done, or the server is no replica set.
        """
        with self._asking():
            hello = await self._time.follow()
        if "setName" not in hello and hello.get("msg") != "isdbgrid":
            raise StoreUnavailable("it is not a replica set, and transactions need one; a set of one member is enough")
        with asking(PREPARING_S):
            await self._renders.create_indexes(list(RENDER_INDEXES))
            await self._quota.create_indexes(list(QUOTA_INDEXES))
            await self.outbox.make_indexes()
            await self._keep_for(retention)

    async def add(self, render: Render, window: QuotaWindow) -> AddResult:  # noqa: D102
        for _ in range(RACES):
            try:
                return await self._in_transaction(partial(self._add, render, window))
            except DuplicateKeyError:  # another call stored the same key, or opened the same window, a moment before
                continue
        raise StoreUnavailable("too many calls at once for one user")

    async def quota_used(self, window: QuotaWindow) -> int:  # noqa: D102
        with self._asking():
            return _units(await self._quota.find_one({"_id": _window_id(window)}))

    async def get(self, render_id: str, *, owner: str) -> Render | None:  # noqa: D102
        with self._asking():
            found = await self._renders.find_one({"_id": render_id, "owner": owner})
        return None if found is None else documents.from_mapping(found["render"])

    async def get_many(self, render_ids: Collection[str]) -> Sequence[Render]:  # noqa: D102
        return await self._find({"_id": {"$in": list(render_ids)}}, order=ASCENDING, first=0)

    async def list(  # noqa: D102
        self, *, owner: str | None, first: int, matching: RenderFilter, older_than: str | None = None
    ) -> Sequence[Render]:
        conditions = _conditions(owner, matching)
        if older_than is not None:
            conditions["_id"] = {"$lt": older_than}
        return await self._find(conditions, order=DESCENDING, first=first)

    async def unfinished(self, owners: Collection[str], *, first: int) -> Sequence[Render]:  # noqa: D102
        conditions = {"owner": {"$in": list(owners)}, "status": {"$in": UNFINISHED}}
        return await self._find(conditions, order=ASCENDING, first=first)

    async def exists_newer(self, render_id: str, *, owner: str | None, matching: RenderFilter) -> bool:  # noqa: D102
        with self._asking():
            return (
                await self._renders.find_one({**_conditions(owner, matching), "_id": {"$gte": render_id}}) is not None
            )

    async def queue_position(self, render: Render) -> int:  # noqa: D102
        with self._asking():
            ahead = await self._renders.count_documents(
                {"status": RenderStatus.QUEUED.value, "_id": {"$lt": render.id}}
            )
        return ahead + 1

    async def queue(self) -> Queue:  # noqa: D102
        queued = {"status": RenderStatus.QUEUED.value}
        with self._asking():
            depth = await self._renders.count_documents(queued)
            oldest = await self._renders.find_one(queued, {"_id": True}, sort=[("_id", ASCENDING)])
        return Queue(depth=depth, oldest_created_at=time_of(oldest["_id"]) if oldest else None)

    async def acquire(  # noqa: D102
        self, *, worker: str, lease: timedelta, excluding: Collection[str] = (), queued: bool = True
    ) -> Render | None:
        now = self._time.now()
        due = {
            "_id": {"$nin": list(excluding)},
            "status": {"$in": UNFINISHED if queued else [RenderStatus.RENDERING.value]},
            "$and": [
                {"$or": [{"due_at": None}, {"due_at": {"$lte": now}}]},
                {"$or": [{"lease": None}, {"lease.until": {"$lte": now}}]},
            ],
        }
        while True:
            with self._asking():
                taken = await self._renders.find_one_and_update(
                    due,
                    {"$set": {"lease": {"worker": worker, "until": now + lease}}},
                    sort=[("_id", ASCENDING)],
                    return_document=ReturnDocument.AFTER,
                )
            if taken is None:
                return None
            if readable := documents.readable([(taken["_id"], taken["render"])], documents.from_mapping):
                return readable[0]

    async def renew(  # noqa: D102
        self, render_ids: Collection[str], *, worker: str, lease: timedelta
    ) -> frozenset[str]:
        held = {"_id": {"$in": list(render_ids)}, "lease.worker": worker}
        with self._asking():
            await self._time.follow()
            await self._renders.update_many(held, {"$set": {"lease.until": self._time.now() + lease}})
            return frozenset([found["_id"] async for found in self._renders.find(held, {"_id": True})])

    async def release(self, render_ids: Collection[str] | None = None, *, worker: str) -> None:  # noqa: D102
        held: Document = {"lease.worker": worker}
        if render_ids is not None:
            held["_id"] = {"$in": list(render_ids)}
        with self._asking():
            await self._renders.update_many(held, {"$unset": {"lease": ""}})

    async def record(  # noqa: D102
        self, render: Render, *, worker: str | None = None, lease: timedelta | None = None
    ) -> bool:
        record = partial(self._record, render, worker, lease)
        if render.gives_quota_back or self._announces(render):
            return await self._in_transaction(record)
        with self._asking():
            return await record()

    async def delete(self, render_id: str, *, owner: str) -> bool:  # noqa: D102
        with self._asking():
            deleted = await self._renders.delete_one({"_id": render_id, "owner": owner, "status": {"$nin": UNFINISHED}})
        return deleted.deleted_count == 1

    async def _add(self, render: Render, window: QuotaWindow, session: Session) -> AddResult:
        quota = await self._quota.find_one({"_id": _window_id(window)}, session=session)
        used = _units(quota)
        if render.idempotency_key is not None:
            found = await self._renders.find_one({"key": _key(render)}, session=session)
            if found is not None:
                earlier = documents.from_mapping(found["render"])
                return AddResult(verdict=AddOutcome.DUPLICATE, render=earlier, used=used)
        if used >= window.limit:
            return AddResult(verdict=AddOutcome.OVER_QUOTA, render=render, used=used)
        await self._quota.update_one(
            {"_id": _window_id(window)},
            {"$push": {"renders": render.id}, "$setOnInsert": {"expires_at": window.ends_at + UNIT_RETENTION}},
            upsert=True,
            session=session,
        )
        await self._renders.insert_one({"_id": render.id, **_document(render)}, session=session)
        return AddResult(verdict=AddOutcome.ADDED, render=render, used=used + 1)

    async def _record(
        self, render: Render, worker: str | None, lease: timedelta | None, session: Session | None = None
    ) -> bool:
        before: Document = {"_id": render.id, "revision": render.revision - 1}
        if worker is not None:
            before["lease.worker"] = worker
        change: Document = {"$set": _document(render)}
        if render.status is not RenderStatus.RENDERING:
            change["$unset"] = {"lease": ""}
        elif lease is not None:
            change["$set"]["lease.until"] = self._time.now() + lease
        changed = await self._renders.update_one(before, change, session=session)
        if changed.matched_count == 0:
            if worker is not None:
                await self._require_lease(render.id, worker, session)
            return False
        if render.gives_quota_back:
            units = {"renders": render.id}
            await self._quota.update_one(units, {"$pull": units}, session=session)
        if session is not None and self._announces(render):
            await self.outbox.add(WebhookMessage(render=render), session)
        return True

    def _announces(self, render: Render) -> bool:
        return self._announces_ends and render.status.is_terminal

    async def _require_lease(self, render_id: str, worker: str, session: Session | None) -> None:
        if await self._renders.find_one({"_id": render_id, "lease.worker": worker}, session=session) is None:
            raise LeaseLost(render_id)

    async def _find(self, conditions: Mapping[str, Any], *, order: int, first: int) -> Sequence[Render]:
        with self._asking():
            cursor = self._renders.find(conditions, {"render": True}).sort("_id", order).limit(first)
            found = [(document["_id"], document["render"]) async for document in cursor]
        return documents.readable(found, documents.from_mapping)

    def _asking(self) -> AbstractContextManager[None]:
        return asking(self._patience_s)

    async def _in_transaction(self, operation: Callable[[Session], Awaitable[T]]) -> T:
        """Run the operation in a transaction, again if the server says so, but no longer than an operation may take.

        Not by the drivers' `with_transaction`: while a server is away it goes on for two minutes, whatever the timeout.
        """
        with self._asking():
            async with await settled(self._client.start_session()) as session:
                for failures in count(1):
                    try:
                        async with await settled(session.start_transaction()):
                            return await operation(session)
                    except PyMongoError as error:
                        if error.timeout or not error.has_error_label("TransientTransactionError"):
                            raise
                    await asyncio.sleep(backoff_s(failures, first_s=FIRST_PAUSE_S, longest_s=MAX_PAUSE_S))
        raise AssertionError

    async def _keep_for(self, retention: timedelta | None) -> None:
        """Have ended renders removed so long after their end. Other processes may be changing the same right now."""
        name = "ended_long_ago"
        if retention is None:
            with tolerating(INDEX_NOT_FOUND):
                await self._renders.drop_index(name)
            return
        seconds = int(retention.total_seconds())
        index = IndexModel([("ended_at", ASCENDING)], name=name, expireAfterSeconds=seconds)
        with tolerating(INDEX_DIFFERS) as differences:
            await self._renders.create_indexes([index])
        if differences:
            change = {"name": name, "expireAfterSeconds": seconds}
            await self._renders.database.command("collMod", self._renders.name, index=change)


def open_mongo_store(
    connect: Callable[..., object], url: str, *, retention: timedelta | None = None, announces_ends: bool = False
) -> AbstractAsyncContextManager[MongoStore]:
    """Connect with `connect`, the client class of motor or of PyMongo, and make what indexes there are not yet.

    No operation takes longer than the URL's `timeoutMS`, by default ten seconds. If it `announces_ends`, its outbox
    gets a message with each. Raises `StartupError` if the server can't be reached or is no replica set.
    """

    async def prepare(client: Client) -> MongoStore:
        store = MongoStore(client, announces_ends=announces_ends)
        await store.prepare(retention=retention)
        return store

    return open_through(connect, url, prepare)


def _document(render: Render) -> Document:
    """Return what is kept of a render beside its id: what is searched for, and the whole of it."""
    document: Document = {
        "schema": SCHEMA_VERSION,
        "owner": render.owner,
        "revision": render.revision,
        "status": render.status.value,
        "due_at": render.due_at,
        "render": documents.to_mapping(render),
    }
    searchable = {
        "generation_id": render.generation_id,
        "key": _key(render),
        "ended_at": render.completed_at,
    }
    return document | {name: value for name, value in searchable.items() if value is not None}


def _key(render: Render) -> str | None:
    """Return the idempotency key as one text with its owner, which a sparse index keeps unique."""
    return None if render.idempotency_key is None else f"{render.owner}\n{render.idempotency_key}"


def _conditions(owner: str | None, matching: RenderFilter) -> Document:
    conditions: Document = {} if owner is None else {"owner": owner}
    if matching.statuses is not None:
        conditions["status"] = {"$in": [status.value for status in matching.statuses]}
    if matching.generation_id is not None:
        conditions["generation_id"] = matching.generation_id
    return conditions


def _window_id(window: QuotaWindow) -> str:
    return f"{window.starts_at:%Y-%m-%dT%H:%M:%SZ} {window.owner}"


def _units(quota: Mapping[str, Any] | None) -> int:
    return 0 if quota is None else len(quota["renders"])
