"""Stores new renders in MongoDB: idempotency keys, units of quota and places in the queue in one transaction."""

from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import Any

from pymongo.errors import DuplicateKeyError

from services.errors import StoreUnavailable
from services.models import QuotaWindow, Render
from services.ports import AddManyResult, AddOutcome, AddResult
from services.renders.fair_queue import cost, places
from services.stores.mongo_connection import Client, Database, mongo_operation
from services.stores.mongo_documents import RenderReader, key_of, render_document
from services.stores.mongo_queue import MongoQueue
from services.stores.mongo_quota import MongoQuota, window_id
from services.stores.mongo_transactions import Transaction, run_transaction

MAX_TRIES = 10  # of a transaction whose insert conflicts with a concurrent one


class _OverQuota(Exception):  # noqa: N818  # aborts a transaction
    """The window has fewer units left than there are renders; `used` are used."""

    def __init__(self, used: int) -> None:
        self.used = used
        super().__init__()


class MongoStarts:
    """Adds renders. `services.ports` specifies the methods that `MongoStore` has too."""

    def __init__(
        self, client: Client, database: Database, queue: MongoQueue, read: RenderReader, *, timeout_s: float
    ) -> None:
        self._client = client
        self._renders = database["renders"]
        self._quota = MongoQuota(database["quota"])
        self._queue = queue
        self._read = read
        self._timeout_s = timeout_s

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

        Whether a key is used shows when the renders are inserted, and is read only then, and before a refusal.
        """
        with mongo_operation(self._timeout_s):  # of all calls together
            add = partial(self._add_in, renders, window, weight, await self._queue.virtual_time())
            for _ in range(MAX_TRIES):
                try:
                    used = await run_transaction(self._client, add, timeout_s=self._timeout_s)
                except _OverQuota as error:
                    found = await self._with_same_keys(renders)
                    outcome = AddOutcome.DUPLICATE if found else AddOutcome.OVER_QUOTA
                    return AddManyResult(outcome=outcome, used=error.used), found
                except DuplicateKeyError:
                    if found := await self._with_same_keys(renders):
                        used = await self._quota.used(window)
                        return AddManyResult(outcome=AddOutcome.DUPLICATE, used=used), found
                    # otherwise a concurrent call inserted the same window
                else:
                    return AddManyResult(outcome=AddOutcome.ADDED, used=used), ()
        raise StoreUnavailable("too many concurrent calls for one user")

    async def _add_in(
        self, renders: Sequence[Render], window: QuotaWindow, weight: float, virtual_time: int, transaction: Transaction
    ) -> int:
        """Take units of quota and insert the renders; return the used units. Raises `_OverQuota`.

        Transactions of one owner conflict in the window's document, so that no two of them give the same place.
        """
        units = len(renders)
        total = sum(cost(render, weight=weight) for render in renders)
        used, last = await self._quota.take(
            window, units, virtual_time=virtual_time, cost=total, transaction=transaction
        )
        if used + units > window.limit:
            raise _OverQuota(used)
        is_known = last is not None
        if not is_known:
            last = await self._queue.last_finish_key(window.owner, transaction)
        placed = places(renders, weight=weight, virtual_time=virtual_time, last_finish_key=last)
        if not is_known:
            await self._quota.set_finish_key(window, placed[-1].finish_key, transaction)
        documents = [
            {
                "_id": render.id,
                **render_document(render),
                **self._queue.waiting(render),
                "order_key": place.order_key,
                "finish_key": place.finish_key,
                "quota_window": window_id(window),
            }
            for render, place in zip(renders, placed, strict=True)
        ]
        await transaction.on(self._renders).insert(documents)
        return used + units

    async def _with_same_keys(self, renders: Sequence[Render]) -> Sequence[Mapping[str, Any]]:
        keys = [render.idempotency_key for render in renders if render.idempotency_key is not None]
        if not keys:
            return ()
        with mongo_operation(self._timeout_s):
            return await self._find_by_keys(renders[0].owner, keys)

    async def _find_by_keys(self, owner: str, keys: Collection[str]) -> Sequence[Mapping[str, Any]]:
        wanted = [key_of(owner, key) for key in keys]
        return [document async for document in self._renders.find({"key": {"$in": wanted}})]
