"""Stores new renders in MongoDB, with their idempotency keys, units of quota and places in the queue.

A start is one insert if this process has stored the latest entry of the quota window (`mongo_quota.py`), and otherwise
reads that entry before it. Several renders are inserted in a transaction.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from functools import partial
from itertools import count
from typing import Any
from weakref import WeakValueDictionary

from pymongo.errors import DuplicateKeyError
from pymongo.read_concern import ReadConcern

from services.background.backoff import backoff_s
from services.errors import StoreUnavailable
from services.models import QuotaWindow, Render
from services.ports import AddManyResult, AddOutcome, AddResult
from services.renders.fair_queue import places
from services.stores.mongo_connection import Client, Database, Document, mongo_operation
from services.stores.mongo_documents import RenderReader, key_of, render_document
from services.stores.mongo_grouping import INSERTED_TOGETHER_S, MAX_INSERTS, GroupedCalls, insert_each
from services.stores.mongo_queue import MongoQueue
from services.stores.mongo_quota import MongoQuota, QuotaEntry
from services.stores.mongo_transactions import MAX_RETRY_S, RETRY_BASE_S, Transaction, run_transaction

DRIVER_FIRST = 1.1  # times the driver's limit
MAX_KNOWN_ENTRIES = 10_000  # about 5 MiB


class MongoStarts:
    """Adds renders. `services.ports` specifies the methods that `MongoStore` has too."""

    def __init__(
        self,
        client: Client,
        database: Database,
        quota: MongoQuota,
        queue: MongoQueue,
        read: RenderReader,
        *,
        timeout_s: float,
    ) -> None:
        self._client = client
        self._renders = database["renders"]
        self._acknowledged = self._renders.with_options(read_concern=ReadConcern("majority"))
        self._quota = quota
        self._queue = queue
        self._read = read
        self._timeout_s = timeout_s
        self._inserts = GroupedCalls(
            partial(insert_each, self._renders),
            size=MAX_INSERTS,
            timeout_s=timeout_s,
            together_s=INSERTED_TOGETHER_S,
        )
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()  # by owner
        self._latest: OrderedDict[QuotaWindow, QuotaEntry] = OrderedDict()  # those that this process has stored

    async def add(self, render: Render, window: QuotaWindow, *, weight: float) -> AddResult:  # noqa: D102
        result, found = await self._add([render], window, weight=weight)
        stored = render if result.outcome is not AddOutcome.DUPLICATE else self._read.one(next(iter(found)))
        return AddResult(outcome=result.outcome, render=stored, used=result.used)

    async def add_many(  # noqa: D102
        self, renders: Sequence[Render], window: QuotaWindow, *, weight: float
    ) -> AddManyResult:
        result, _ = await self._add(renders, window, weight=weight)
        return result

    async def find_by_keys(self, owner: str, keys: Collection[str]) -> Mapping[str, Render]:
        """Return the owner's renders with these keys. Runs inside a `mongo_operation`."""
        renders = [self._read.one(document) for document in await self._find_by_keys(owner, keys)]
        return {render.idempotency_key: render for render in renders if render.idempotency_key is not None}

    async def _add(
        self, renders: Sequence[Render], window: QuotaWindow, *, weight: float
    ) -> tuple[AddManyResult, Sequence[Mapping[str, Any]]]:
        """Add the renders; also return the documents that have their keys.

        Calls for one owner take turns: of those that follow the same entry, all but one would be rejected.
        """
        try:
            # All calls together, and the wait for the turn. The driver's limit comes first: its error has the reason.
            async with asyncio.timeout(DRIVER_FIRST * self._timeout_s):
                with mongo_operation(self._timeout_s):
                    async with self._turns.setdefault(window.owner, asyncio.Lock()):
                        return await self._add_in_turn(renders, window, weight)
        except TimeoutError:
            raise StoreUnavailable("timed out") from None

    async def _add_in_turn(
        self, renders: Sequence[Render], window: QuotaWindow, weight: float
    ) -> tuple[AddManyResult, Sequence[Mapping[str, Any]]]:
        """Add the renders after the latest entry; read that again as long as other processes store later ones.

        Whether a key is used shows when the renders are inserted, and is read only then, and before a rejection.
        """
        virtual_time = await self._queue.virtual_time()
        for tries in count():
            known = None if tries else self._latest.pop(window, None)
            latest = known or await self._quota.latest(window)
            fits = latest.used + len(renders) <= window.limit
            if fits:
                with suppress(DuplicateKeyError):
                    used = await self._insert_after(latest, renders, window, weight, virtual_time)
                    return AddManyResult(outcome=AddOutcome.ADDED, used=used), ()
                last = await self._acknowledged.find_one({"_id": renders[-1].id}, {"quota": True})
                if last is not None:  # an earlier try, which seemed to have failed, has stored them
                    return AddManyResult(outcome=AddOutcome.ADDED, used=last["quota"]["used"]), ()
            if found := await self._with_same_keys(renders):
                used = (await self._quota.latest(window)).used
                return AddManyResult(outcome=AddOutcome.DUPLICATE, used=used), found
            if known is None and not fits:
                return AddManyResult(outcome=AddOutcome.OVER_QUOTA, used=latest.used), ()
            if known is None:
                await asyncio.sleep(backoff_s(tries, base_s=RETRY_BASE_S, max_s=MAX_RETRY_S))
        raise AssertionError

    async def _insert_after(
        self, latest: QuotaEntry, renders: Sequence[Render], window: QuotaWindow, weight: float, virtual_time: int
    ) -> int:
        """Insert the renders as the entries after the latest one; return the used units.

        Raises `DuplicateKeyError` if there is a later entry, or a key was used.
        """
        last = latest.finish_key
        if last is None:
            last = await self._queue.last_finish_key(window.owner)
        placed = places(renders, weight=weight, virtual_time=virtual_time, last_finish_key=last)
        documents = [
            {
                "_id": render.id,
                **render_document(render),
                **self._queue.waiting(render),
                "order_key": place.order_key,
                "finish_key": place.finish_key,
                "quota": latest.next_field(window, units=units),
            }
            for units, (render, place) in enumerate(zip(renders, placed, strict=True), 1)
        ]
        await self._insert(documents)
        used = latest.used + len(renders)
        self._latest[window] = QuotaEntry(
            number=latest.number + len(renders), used=used, finish_key=placed[-1].finish_key
        )
        if len(self._latest) > MAX_KNOWN_ENTRIES:
            self._latest.popitem(last=False)
        return used

    async def _insert(self, documents: Sequence[Document]) -> None:
        """Insert all of the documents or none."""
        if len(documents) == 1:
            await self._inserts.call(documents[0])
            return

        async def insert(transaction: Transaction) -> None:
            await transaction.on(self._renders).insert(documents)

        await run_transaction(self._client, insert, timeout_s=self._timeout_s)

    async def _with_same_keys(self, renders: Sequence[Render]) -> Sequence[Mapping[str, Any]]:
        keys = [render.idempotency_key for render in renders if render.idempotency_key is not None]
        return await self._find_by_keys(renders[0].owner, keys) if keys else ()

    async def _find_by_keys(self, owner: str, keys: Collection[str]) -> Sequence[Mapping[str, Any]]:
        wanted = [key_of(owner, key) for key in keys]
        return [document async for document in self._renders.find({"key": {"$in": wanted}})]
