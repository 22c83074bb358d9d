"""Queries of the collection `renders` that return or count several renders."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

from pymongo import ASCENDING, DESCENDING
from pymongo.asynchronous.collection import AsyncCollection

from services.models import Render, RenderFilter, RenderStatus
from services.stores.mongo_connection import Document, maybe_await, mongo_operation
from services.stores.mongo_documents import IS_RENDER, READABLE, UNFINISHED, RenderReader, filter_conditions

DECODED_PER_STEP = 100  # of the event loop; decoding them takes about a millisecond


class MongoLists:
    """Reads lists of renders. `services.ports` specifies the methods that `MongoStore` has too."""

    def __init__(self, renders: AsyncCollection[Document], read: RenderReader, *, timeout_s: float | None) -> None:
        self._renders = renders
        self._read = read
        self._timeout_s = timeout_s

    async def get_many(self, render_ids: Collection[str]) -> Sequence[Render]:  # noqa: D102
        return await self._find({"_id": {"$in": list(render_ids)}, **IS_RENDER}, order=ASCENDING, first=0)

    async def list(  # noqa: D102
        self,
        *,
        owner: str | None,
        first: int,
        matching: RenderFilter,
        older_than: str | None,
        newer_than: str | None,
        oldest_first: bool,
    ) -> Sequence[Render]:
        conditions = filter_conditions(owner, matching)
        bounds = {"$lt": older_than, "$gt": newer_than}
        if bounds := {operator: bound for operator, bound in bounds.items() if bound is not None}:
            conditions["_id"] = bounds
        return await self._find(conditions, order=ASCENDING if oldest_first else DESCENDING, first=first)

    async def unfinished(self, owners: Collection[str], *, first: int) -> Sequence[Render]:  # noqa: D102
        conditions = {"owner": {"$in": list(owners)}, "status": {"$in": UNFINISHED}}
        return await self._find(conditions, order=ASCENDING, first=first)

    async def count(self, *, owner: str | None, matching: RenderFilter) -> int:  # noqa: D102
        with self._operation():
            return await self._renders.count_documents(filter_conditions(owner, matching))

    async def count_by_status(self, owner: str, batch_id: str) -> Mapping[RenderStatus, int]:  # noqa: D102
        of_batch = {"$match": {"owner": owner, "batch_id": batch_id}}
        by_status = {"$group": {"_id": "$status", "renders": {"$sum": 1}}}
        with self._operation():
            cursor = await maybe_await(self._renders.aggregate([of_batch, by_status]))
            return {RenderStatus(each["_id"]): each["renders"] async for each in cursor}

    async def exists(self, render_ids: Document, *, owner: str | None, matching: RenderFilter) -> bool:
        """Return whether the owner, or any user if None, has a readable matching render whose id meets a condition."""
        conditions = {**filter_conditions(owner, matching), **READABLE, "_id": render_ids}
        with self._operation():
            return await self._renders.find_one(conditions, {"_id": True}) is not None

    async def _find(self, conditions: Mapping[str, Any], *, order: int, first: int) -> Sequence[Render]:
        """Return `first` readable renders, or all if 0, in the order of their ids."""
        found: list[Render] = []
        while True:
            limit = first and first - len(found)
            with self._operation():
                cursor = self._renders.find(conditions, {"render": True, "schema": True}).sort("_id", order)
                page = await cursor.limit(limit).to_list(None)
            for start in range(0, len(page), DECODED_PER_STEP):
                if start:
                    await asyncio.sleep(0)
                found += self._read.many(page[start : start + DECODED_PER_STEP])
            if len(found) == first or len(page) < limit or not first:
                return found
            behind = "$lt" if order == DESCENDING else "$gt"
            conditions = {"$and": [conditions, {"_id": {behind: page[-1]["_id"]}}]}

    def _operation(self) -> AbstractContextManager[None]:
        return mongo_operation(self._timeout_s)
