"""Erases an owner's records other than renders: webhook messages and quotas.

Both have no index by owner, so each is one scan of its collection, without a time limit. Only `rendercast forget` uses
it.
"""

from typing import Any

from pymongo.asynchronous.collection import AsyncCollection

from services.ports import ErasedRecords
from services.stores.mongo_connection import Database, Document, mongo_operation
from services.stores.mongo_quota import window_pattern


async def erase_records(database: Database, owner: str, *, dry_run: bool) -> ErasedRecords:
    """Delete the messages and quotas of the owner, of any version, and return their numbers."""
    messages = {"message.render.owner": owner}
    windows = {"_id": {"$regex": window_pattern(owner)}}
    return ErasedRecords(
        messages=await _erase(database["webhooks"], messages, dry_run=dry_run),
        quota_windows=await _erase(database["quota"], windows, dry_run=dry_run),
    )


async def _erase(collection: AsyncCollection[Document], conditions: dict[str, Any], *, dry_run: bool) -> int:
    with mongo_operation(None):
        if dry_run:
            return await collection.count_documents(conditions)
        return (await collection.delete_many(conditions)).deleted_count
