"""The documents of the collections `renders` and `quota`, their indexes, and query conditions."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from pymongo import ASCENDING, DESCENDING, IndexModel
from pymongo.asynchronous.collection import AsyncCollection

from services import documents
from services.models import QuotaWindow, Render, RenderFilter
from services.renders.lifecycle import ACTIVE
from services.stores.mongo_connection import Document, suppress_codes

SCHEMA_VERSION = 1
UNIT_RETENTION = timedelta(days=7)  # after the end of a quota window; then its document is deleted
UNFINISHED = sorted(status.value for status in ACTIVE)
RETENTION_INDEX = "ended_long_ago"
# Error codes of https://github.com/mongodb/mongo/blob/master/src/mongo/base/error_codes.yml
INDEX_NOT_FOUND = {26, 27}
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


async def set_retention(renders: AsyncCollection[Document], retention: timedelta | None) -> None:
    """Have the server delete renders this long after their end; None: never. Safe to call in several processes."""
    if retention is None:
        with suppress_codes(INDEX_NOT_FOUND):
            await renders.drop_index(RETENTION_INDEX)
        return
    seconds = int(retention.total_seconds())
    index = IndexModel([("ended_at", ASCENDING)], name=RETENTION_INDEX, expireAfterSeconds=seconds)
    with suppress_codes(INDEX_DIFFERS) as differences:
        await renders.create_indexes([index])
    if differences:
        change = {"name": RETENTION_INDEX, "expireAfterSeconds": seconds}
        await renders.database.command("collMod", renders.name, index=change)


def render_document(render: Render) -> Document:
    """Return the document of a render without `_id`: the fields for queries and indexes, and the whole render."""
    document: Document = {
        "schema": SCHEMA_VERSION,
        "owner": render.owner,
        "revision": render.revision,
        "status": render.status.value,
        "due_at": render.due_at,
        "render": documents.to_mapping(render),
    }
    optional = {
        "generation_id": render.generation_id,
        "key": owner_key(render),
        "ended_at": render.completed_at,
    }
    return document | {name: value for name, value in optional.items() if value is not None}


def owner_key(render: Render) -> str | None:
    """Return the owner and the idempotency key as one value for a sparse unique index; None without a key."""
    return None if render.idempotency_key is None else f"{render.owner}\n{render.idempotency_key}"


def filter_conditions(owner: str | None, matching: RenderFilter) -> Document:
    """Return the query conditions of a filter; all owners if `owner` is None."""
    conditions: Document = {} if owner is None else {"owner": owner}
    if matching.statuses is not None:
        conditions["status"] = {"$in": [status.value for status in matching.statuses]}
    if matching.generation_id is not None:
        conditions["generation_id"] = matching.generation_id
    return conditions


def window_id(window: QuotaWindow) -> str:
    """Return the id of the document of a quota window."""
    return f"{window.starts_at:%Y-%m-%dT%H:%M:%SZ} {window.owner}"


def used_units(quota: Mapping[str, Any] | None) -> int:
    """Return the number of used units in the document of a quota window; 0 if it doesn't exist."""
    return 0 if quota is None else len(quota["renders"])
