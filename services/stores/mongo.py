"""The production store: MongoDB, through the calls that motor and PyMongo's `AsyncMongoClient` have in common.

`docs/architecture.md` shows the documents. A change of one document is one conditional update. A change of several (a
render and its owner's quota or webhook message) is a transaction, so the server must be a replica set; one member is
enough. Writes wait for a majority. Leases expire by the server's clock.
"""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from datetime import timedelta
from functools import partial
from typing import Any

from pymongo import ASCENDING, ReturnDocument
from pymongo.errors import DuplicateKeyError

from services import documents
from services.errors import LeaseLost, StoreUnavailable
from services.ids import time_of
from services.models import QuotaWindow, Render, RenderFilter, RenderStatus
from services.ports import AddOutcome, AddResult, ErasedRecords, QueueStats
from services.stores.mongo_catalog import MongoCatalogStore
from services.stores.mongo_connection import (
    DEFAULT_DATABASE,
    Client,
    Document,
    ServerClock,
    mongo_operation,
    open_with_client,
    operation_timeout_s,
)
from services.stores.mongo_documents import (
    READABLE,
    READABLE_VERSIONS,
    UNFINISHED,
    due_conditions,
    owner_key,
    readable,
    render_document,
)
from services.stores.mongo_erasure import erase_records
from services.stores.mongo_indexes import build_at_start
from services.stores.mongo_lists import MongoLists
from services.stores.mongo_outbox import MongoOutbox
from services.stores.mongo_probe import check_replica_set, check_transactions, check_writes
from services.stores.mongo_quota import MongoQuota
from services.stores.mongo_transactions import Session, run_transaction
from services.webhooks.messages import WebhookMessage

NEWER_CHECK_INTERVAL_S = 60.0  # of looking for documents that `acquire` passes over, which costs a query
MAX_ADD_TRIES = 10  # of an `add` whose insert conflicts with a concurrent one


class MongoStore:
    """A `RenderStore` in MongoDB. Open it with `open_mongo_store`; `services.ports` specifies the methods."""

    def __init__(self, client: Client, *, webhooks_enabled: bool) -> None:
        database = client.get_default_database(DEFAULT_DATABASE)
        self._client = client
        self._renders = database["renders"]
        self._quota = MongoQuota(database["quota"])
        self._clock = ServerClock(client)
        self._timeout_s = operation_timeout_s(client)
        self._webhooks_enabled = webhooks_enabled
        self._skipped = documents.SkippedDocuments()
        self._next_newer_check_s = 0.0
        self._lists = MongoLists(self._renders, self._skipped, timeout_s=self._timeout_s)
        self.outbox = MongoOutbox(client, self._clock, self._skipped)
        self.catalog = MongoCatalogStore(client, self._clock, self._skipped)

    @property
    def skipped_documents(self) -> int:  # noqa: D102
        return self._skipped.count

    async def prepare(self, *, retention: timedelta | None) -> None:
        """Check the server and build missing indexes of small collections.

        With `retention`, the server deletes renders this long after their end. Raises `StoreUnavailable`, also if the
        server is not a replica set.
        """
        with self._operation():
            check_replica_set(await self._clock.sync())
        await check_writes(self._renders, timeout_s=self._timeout_s)
        await build_at_start(self._renders.database, retention=retention, timeout_s=self._timeout_s)
        await check_transactions(self._client, self._renders, timeout_s=self._timeout_s)

    async def add(self, render: Render, window: QuotaWindow) -> AddResult:  # noqa: D102
        for _ in range(MAX_ADD_TRIES):
            try:
                add = partial(self._add, render, window)
                return await run_transaction(self._client, add, timeout_s=self._timeout_s)
            except DuplicateKeyError:  # a concurrent call inserted the same key or window
                continue
        raise StoreUnavailable("too many concurrent calls for one user")

    async def quota_used(self, window: QuotaWindow) -> int:  # noqa: D102
        with self._operation():
            return await self._quota.used(window)

    async def get(self, render_id: str, *, owner: str) -> Render | None:  # noqa: D102
        with self._operation():
            found = await self._renders.find_one({"_id": render_id, "owner": owner})
        return None if found is None else self._read(found)

    async def get_many(self, render_ids: Collection[str]) -> Sequence[Render]:  # noqa: D102
        return await self._lists.get_many(render_ids)

    async def list(  # noqa: D102
        self,
        *,
        owner: str | None,
        first: int,
        matching: RenderFilter,
        older_than: str | None = None,
        newer_than: str | None = None,
        oldest_first: bool = False,
    ) -> Sequence[Render]:
        return await self._lists.list(
            owner=owner,
            first=first,
            matching=matching,
            older_than=older_than,
            newer_than=newer_than,
            oldest_first=oldest_first,
        )

    async def count(self, *, owner: str | None, matching: RenderFilter) -> int:  # noqa: D102
        return await self._lists.count(owner=owner, matching=matching)

    async def unfinished(self, owners: Collection[str], *, first: int) -> Sequence[Render]:  # noqa: D102
        return await self._lists.unfinished(owners, first=first)

    async def exists_newer(self, render_id: str, *, owner: str | None, matching: RenderFilter) -> bool:  # noqa: D102
        return await self._lists.exists({"$gte": render_id}, owner=owner, matching=matching)

    async def exists_older(self, render_id: str, *, owner: str | None, matching: RenderFilter) -> bool:  # noqa: D102
        return await self._lists.exists({"$lte": render_id}, owner=owner, matching=matching)

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
        due = due_conditions(now, excluding=excluding, queued=queued)
        while True:
            with self._operation():
                acquired = await self._renders.find_one_and_update(
                    due,
                    {"$set": {"lease": {"worker": worker, "until": now + lease}}},
                    sort=[("_id", ASCENDING)],
                    return_document=ReturnDocument.AFTER,
                )
            if acquired is None:
                await self._log_newer()
                return None
            if renders := self._decode([acquired]):
                return renders[0]

    async def renew(  # noqa: D102
        self, render_ids: Collection[str], *, worker: str, lease: timedelta
    ) -> frozenset[str]:
        held = {**READABLE, "_id": {"$in": list(render_ids)}, "lease.worker": worker}
        with self._operation():
            await self._clock.sync()
            await self._renders.update_many(held, {"$set": {"lease.until": self._clock.now() + lease}})
            return frozenset([found["_id"] async for found in self._renders.find(held, {"_id": True})])

    async def release(self, render_ids: Collection[str] | None = None, *, worker: str) -> None:  # noqa: D102
        held: Document = {**READABLE, "lease.worker": worker}
        if render_ids is not None:
            held["_id"] = {"$in": list(render_ids)}
        with self._operation():
            await self._renders.update_many(held, {"$unset": {"lease": ""}})

    async def record(  # noqa: D102
        self, render: Render, *, worker: str | None = None, lease: timedelta | None = None
    ) -> bool:
        record = partial(self._record, render, worker, lease)
        if render.returns_quota or self._has_webhook(render):
            return await run_transaction(self._client, record, timeout_s=self._timeout_s)
        with self._operation():
            return await record()

    async def delete(self, render_id: str, *, owner: str) -> bool:  # noqa: D102
        with self._operation():
            deleted = await self._renders.delete_one(
                {**READABLE, "_id": render_id, "owner": owner, "status": {"$nin": UNFINISHED}}
            )
        return deleted.deleted_count == 1

    async def check(self) -> None:  # noqa: D102
        with self._operation():
            await self._renders.find_one({}, {"_id": True})

    async def render_ids(self, owner: str) -> Sequence[str]:  # noqa: D102
        with self._operation():
            return [found["_id"] async for found in self._renders.find({"owner": owner}, {"_id": True})]

    async def erase_records(self, owner: str, *, dry_run: bool) -> ErasedRecords:  # noqa: D102
        return await erase_records(self._renders.database, owner, dry_run=dry_run)

    async def _add(self, render: Render, window: QuotaWindow, session: Session) -> AddResult:
        used = await self._quota.used(window, session)
        if render.idempotency_key is not None:
            found = await self._renders.find_one({"key": owner_key(render)}, session=session)
            if found is not None:
                return AddResult(outcome=AddOutcome.DUPLICATE, render=self._read(found), used=used)
        if used >= window.limit:
            return AddResult(outcome=AddOutcome.OVER_QUOTA, render=render, used=used)
        await self._quota.take(render, window, session)
        await self._renders.insert_one({"_id": render.id, **render_document(render)}, session=session)
        return AddResult(outcome=AddOutcome.ADDED, render=render, used=used + 1)

    async def _record(
        self, render: Render, worker: str | None, lease: timedelta | None, session: Session | None = None
    ) -> bool:
        before: Document = {**READABLE, "_id": render.id, "revision": render.revision - 1}
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
            await self._quota.give_back(render, session)
        if session is not None and self._has_webhook(render):
            await self.outbox.add(WebhookMessage(render=render), session)
        return True

    def _has_webhook(self, render: Render) -> bool:
        return self._webhooks_enabled and render.status.is_terminal

    async def _require_lease(self, render_id: str, worker: str, session: Session | None) -> None:
        held = {**READABLE, "_id": render_id, "lease.worker": worker}
        if await self._renders.find_one(held, session=session) is None:
            raise LeaseLost(render_id)

    def _decode(self, found: Sequence[Mapping[str, Any]]) -> Sequence[Render]:
        return readable(found, "render", documents.from_mapping, self._skipped)

    def _read(self, found: Mapping[str, Any]) -> Render:
        """Return the render of a document. Raises `StoreUnavailable` if this version can't read it."""
        if renders := self._decode([found]):
            return renders[0]
        raise StoreUnavailable(f"this version can't read the stored document {found['_id']}")

    async def _log_newer(self) -> None:
        """Count the unfinished renders of a newer version, at most once a minute."""
        if time.monotonic() < self._next_newer_check_s:
            return
        self._next_newer_check_s = time.monotonic() + NEWER_CHECK_INTERVAL_S
        newer = {"status": {"$in": UNFINISHED}, "schema": {"$nin": READABLE_VERSIONS}}
        with self._operation():
            self._decode([document async for document in self._renders.find(newer, {"schema": True})])

    def _operation(self) -> AbstractContextManager[None]:
        return mongo_operation(self._timeout_s)


def open_mongo_store(
    connect: Callable[..., object], url: str, *, retention: timedelta | None = None, webhooks_enabled: bool = False
) -> AbstractAsyncContextManager[MongoStore]:
    """Connect with `connect`, the client class of motor or of PyMongo, and check the server and its indexes.

    No operation takes longer than the URL's `timeoutMS`, by default ten seconds. With `webhooks_enabled`, each end of a
    render adds a message to the outbox. Raises `StartupError` if the server can't be reached or is not a replica set.
    """

    async def prepare(client: Client) -> MongoStore:
        store = MongoStore(client, webhooks_enabled=webhooks_enabled)
        await store.prepare(retention=retention)
        return store

    return open_with_client(connect, url, prepare)
