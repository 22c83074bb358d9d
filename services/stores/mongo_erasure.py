"""Erases an owner's records other than renders: webhook messages and quotas.

None of them has an index by owner, so each is one scan of its collection, without a time limit. Only `rendercast
forget` uses it.
"""

from typing import Any

from pymongo.asynchronous.collection import AsyncCollection

from services.ports import ErasedRecords
from services.stores.mongo_connection import Database, Document, maybe_await, mongo_operation
from services.stores.mongo_quota import window_pattern


async def erase_records(database: Database, owner: str, *, dry_run: bool) -> ErasedRecords:
    """Delete the owner's messages and what renders have left in quota windows; return how many messages and windows.

    A render that still exists stays an entry of its window, and the window counts. If the owner goes on starting
    renders, processes that remember entries and others count the units of the current window differently.
    """
    of_owner = {"$regex": window_pattern(owner)}
    messages = await _erase(database["webhooks"], {"message.render.owner": owner}, dry_run=dry_run)
    windows = await _count_windows(database["renders"], {"quota.window": of_owner})
    await _erase(database["renders"], {"quota.window": of_owner, "owner": {"$exists": False}}, dry_run=dry_run)
    windows += await _erase(database["quota"], {"_id": of_owner}, dry_run=dry_run)  # until version 0.3
    return ErasedRecords(messages=messages, quota_windows=windows)


async def _count_windows(renders: AsyncCollection[Document], entries: Document) -> int:
    pipeline: list[Document] = [{"$match": entries}, {"$group": {"_id": "$quota.window"}}, {"$count": "windows"}]
    with mongo_operation(None):
        found = await (await maybe_await(renders.aggregate(pipeline))).to_list(None)
    return int(found[0]["windows"]) if found else 0


async def _erase(collection: AsyncCollection[Document], conditions: dict[str, Any], *, dry_run: bool) -> int:
    with mongo_operation(None):
        if dry_run:
            return await collection.count_documents(conditions)
        return (await collection.delete_many(conditions)).deleted_count
