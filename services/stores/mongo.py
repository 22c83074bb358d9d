"""The production store: MongoDB, through the calls that motor and PyMongo's `AsyncMongoClient` have in common.

`docs/architecture.md` shows the documents. A change of one document is one conditional update. A change of several (a
render and its owner's quota or webhook message) is a transaction, so the server must be a replica set; one member is
enough. Writes wait for a majority. Leases expire by the server's clock.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from datetime import timedelta
from functools import partial

from services import stored_documents
from services.errors import LeaseLost
from services.models import QuotaWindow, Render, RenderFilter, RenderStatus
from services.ports import AddManyResult, AddResult, ErasedRecords, QueueStats
from services.stores.mongo_batches import message_of_ended_batch
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
from services.stores.mongo_documents import READABLE, UNFINISHED, RenderReader
from services.stores.mongo_erasure import erase_records
from services.stores.mongo_grouping import MAX_IDS, GroupedCalls, find_by_ids
from services.stores.mongo_indexes import Retention, build_at_start
from services.stores.mongo_lists import MongoLists
from services.stores.mongo_outbox import MongoOutbox
from services.stores.mongo_probe import check_replica_set, check_transactions, check_writes
from services.stores.mongo_queue import MongoQueue
from services.stores.mongo_quota import MongoQuota, window_id
from services.stores.mongo_starts import MongoStarts
from services.stores.mongo_transactions import Calls, Transaction, run_transaction
from services.webhooks.messages import WebhookMessage


class MongoStore:
    """A `RenderStore` in MongoDB. Open it with `open_mongo_store`; `services.ports` specifies the methods."""

    def __init__(self, client: Client, *, webhooks_enabled: bool) -> None:
        database = client.get_default_database(DEFAULT_DATABASE)
        self._client = client
        self._renders = database["renders"]
        self._quota = MongoQuota(database)
        self._clock = ServerClock(client)
        self._timeout_s = operation_timeout_s(client)
        self._render_reads = GroupedCalls(partial(find_by_ids, self._renders), size=MAX_IDS, timeout_s=self._timeout_s)
        self._quota_reads = GroupedCalls(self._quota.used, size=MAX_IDS, timeout_s=self._timeout_s)
        self._webhooks_enabled = webhooks_enabled
        self._skipped = stored_documents.SkippedDocuments()
        self._read = RenderReader(self._skipped)
        self._lists = MongoLists(self._renders, self._read, timeout_s=self._timeout_s)
        self._queue = MongoQueue(database, self._clock, self._read, timeout_s=self._timeout_s)
        self._starts = MongoStarts(client, database, self._quota, self._queue, self._read, timeout_s=self._timeout_s)
        self.outbox = MongoOutbox(client, self._clock, self._skipped)
        self.catalog = MongoCatalogStore(client, self._clock, self._skipped)

    @property
    def skipped_documents(self) -> int:  # noqa: D102
        return self._skipped.count

    async def prepare(self, *, retention: Retention) -> None:
        """Check the server, build missing indexes of small collections, and set the retention.

        Raises `StoreUnavailable`, also if the server is not a replica set.
        """
        with self._operation():
            check_replica_set(await self._clock.sync())
            await self._quota.check_older()
        await check_writes(self._renders, timeout_s=self._timeout_s)
        await build_at_start(self._renders.database, retention=retention, timeout_s=self._timeout_s)
        await check_transactions(self._client, self._renders, timeout_s=self._timeout_s)

    async def add(self, render: Render, window: QuotaWindow, *, weight: float = 1.0) -> AddResult:  # noqa: D102
        return await self._starts.add(render, window, weight=weight)

    async def add_many(  # noqa: D102
        self, renders: Sequence[Render], window: QuotaWindow, *, weight: float = 1.0
    ) -> AddManyResult:
        return await self._starts.add_many(renders, window, weight=weight)

    async def find_by_keys(self, owner: str, keys: Collection[str]) -> Mapping[str, Render]:  # noqa: D102
        with self._operation():
            return await self._starts.find_by_keys(owner, keys)

    async def quota_used(self, window: QuotaWindow) -> int:  # noqa: D102
        return await self._quota_reads.call(window_id(window))

    async def get(self, render_id: str, *, owner: str) -> Render | None:  # noqa: D102
        found = await self._render_reads.call(render_id)  # by id only, so that others can be read with it
        return None if found is None or found.get("owner") != owner else self._read.one(found)

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

    async def count_by_status(self, owner: str, batch_id: str) -> Mapping[RenderStatus, int]:  # noqa: D102
        return await self._lists.count_by_status(owner, batch_id)

    async def unfinished(self, owners: Collection[str], *, first: int) -> Sequence[Render]:  # noqa: D102
        return await self._lists.unfinished(owners, first=first)

    async def exists_newer(self, render_id: str, *, owner: str | None, matching: RenderFilter) -> bool:  # noqa: D102
        return await self._lists.exists({"$gte": render_id}, owner=owner, matching=matching)

    async def exists_older(self, render_id: str, *, owner: str | None, matching: RenderFilter) -> bool:  # noqa: D102
        return await self._lists.exists({"$lte": render_id}, owner=owner, matching=matching)

    async def queue_position(self, render: Render) -> int:  # noqa: D102
        return await self._queue.position(render)

    async def queue(self) -> QueueStats:  # noqa: D102
        return await self._queue.stats()

    async def acquire(self, *, worker: str, lease: timedelta) -> Render | None:  # noqa: D102
        return await self._queue.acquire(worker=worker, lease=lease)

    async def reacquire(self, *, worker: str, lease: timedelta, queued: bool = True) -> Render | None:  # noqa: D102
        return await self._queue.reacquire(worker=worker, lease=lease, queued=queued)

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
            await self._queue.release(held)

    async def record(  # noqa: D102
        self, render: Render, *, worker: str | None = None, lease: timedelta | None = None
    ) -> bool:
        record = partial(self._record, render, worker, lease)
        if render.returns_quota or self._has_webhook(render):
            return await run_transaction(self._client, record, timeout_s=self._timeout_s)
        with self._operation():
            return await record()

    async def record_many(self, renders: Sequence[Render]) -> frozenset[str]:  # noqa: D102
        record = partial(self._record_many, renders)
        return await run_transaction(self._client, record, timeout_s=self._timeout_s)

    async def delete(self, render_id: str, *, owner: str) -> bool:  # noqa: D102
        ended = {**READABLE, "_id": render_id, "owner": owner, "status": {"$nin": UNFINISHED}}
        with self._operation():
            return await self._quota.delete_render(ended, now=self._clock.now())

    async def check(self) -> None:  # noqa: D102
        with self._operation():
            await self._renders.find_one({}, {"_id": True})

    async def render_ids(self, owner: str) -> Sequence[str]:  # noqa: D102
        with self._operation():
            return [found["_id"] async for found in self._renders.find({"owner": owner}, {"_id": True})]

    async def erase_records(self, owner: str, *, dry_run: bool) -> ErasedRecords:  # noqa: D102
        return await erase_records(self._renders.database, owner, dry_run=dry_run)

    async def _record_many(self, renders: Sequence[Render], transaction: Transaction) -> frozenset[str]:
        return frozenset([render.id for render in renders if await self._record(render, None, None, transaction)])

    async def _record(
        self, render: Render, worker: str | None, lease: timedelta | None, transaction: Transaction | None = None
    ) -> bool:
        renders = Calls(self._renders) if transaction is None else transaction.on(self._renders)
        before: Document = {**READABLE, "_id": render.id, "revision": render.revision - 1}
        if worker is not None:
            before["lease.worker"] = worker
        change = self._queue.change_of(render, lease)
        changed = await renders.update_one(before, change)
        if changed.matched_count == 0:
            held = {**READABLE, "_id": render.id, "lease.worker": worker}
            if worker is not None and await renders.find_one(held) is None:
                raise LeaseLost(render.id)
            return False
        if transaction is not None and render.returns_quota:
            await self._quota.give_back(render.id, transaction, now=self._clock.now())
        if transaction is not None and self._has_webhook(render):
            await self.outbox.add(WebhookMessage(render=render), transaction)
            if message := await message_of_ended_batch(renders, render):
                await self.outbox.add(message, transaction)
        return True

    def _has_webhook(self, render: Render) -> bool:
        return self._webhooks_enabled and render.status.is_terminal

    def _operation(self) -> AbstractContextManager[None]:
        return mongo_operation(self._timeout_s)


def open_mongo_store(
    connect: Callable[..., object], url: str, *, retention: Retention = "unchanged", webhooks_enabled: bool = False
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
