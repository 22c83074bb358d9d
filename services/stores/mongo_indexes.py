"""The indexes of all collections. A start builds those of small collections; `rendercast migrate` builds all.

A build is not limited in time by the client, since the server aborts a build when its client's limit has passed, and
it waits for a majority of the members only: by default it waits for all voting members, and never ends while one is
down (https://jira.mongodb.org/browse/SERVER-65670).
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal, TypeAlias

from pymongo import ASCENDING, DESCENDING, IndexModel
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import AutoReconnect, ConfigurationError, DuplicateKeyError, OperationFailure

from services.errors import StoreUnavailable
from services.stores.mongo_connection import Database, Document, describe, mongo_operation, suppress_codes

Report = Callable[[str], None]
Retention: TypeAlias = timedelta | Literal["unchanged"] | None
"""How long after their end the server deletes renders. None: never. "unchanged": as it does."""

MAX_DOCUMENTS_AT_START = 10_000  # of a collection whose indexes a start builds; that takes less than a second
REPORT_INTERVAL_S = 10.0
RECONNECT_DELAY_S = 1.0
MAX_CONNECTIONS_LOST = 5  # during one build
RETENTION_INDEX = "ended_long_ago"
# Error codes of https://github.com/mongodb/mongo/blob/master/src/mongo/base/error_codes.yml
INDEX_NOT_FOUND = {26, 27}
INDEX_DIFFERS = {85, 86}
NO_COMMIT_QUORUM = {9, 72, 115, 238, 303, 40415}  # servers that don't know the option; 303 is Amazon DocumentDB's

EXISTS = {"$exists": True}


def _list_index(field: str, **options: object) -> IndexModel:
    """Return the index of an owner's lists by a field. It contains the status, which can be a further condition."""
    keys = [("owner", ASCENDING), (field, ASCENDING), ("_id", DESCENDING), ("status", ASCENDING)]
    return IndexModel(keys, **options)


INDEXES: Mapping[str, Sequence[IndexModel]] = {
    "renders": (
        IndexModel([("key", ASCENDING)], name="by_key", unique=True, sparse=True),
        IndexModel([("owner", ASCENDING), ("_id", DESCENDING)], name="of_owner"),
        IndexModel([("status", ASCENDING), ("_id", ASCENDING)], name="by_status"),
        IndexModel([("lease.worker", ASCENDING)], name="leased", sparse=True),
        IndexModel(
            [("ready", ASCENDING), ("order_key", ASCENDING), ("_id", ASCENDING)],
            name="ready",
            partialFilterExpression={"ready": True},
        ),
        IndexModel(
            [("status", ASCENDING), ("lease.until", ASCENDING)],
            name="leased_until",
            partialFilterExpression={"lease.until": EXISTS},
        ),
        IndexModel(
            [("owner", ASCENDING), ("finish_key", DESCENDING)],
            name="by_finish",
            partialFilterExpression={"finish_key": EXISTS},
        ),
        IndexModel(
            [("quota.window", ASCENDING), ("quota.number", ASCENDING)], name="quota_entries", unique=True, sparse=True
        ),
        IndexModel([("expires_at", ASCENDING)], name="expired", expireAfterSeconds=0, sparse=True),
        IndexModel([("status", ASCENDING), ("schema", ASCENDING)], name="by_version"),
        IndexModel([("owner", ASCENDING), ("status", ASCENDING), ("_id", DESCENDING)], name="of_owner_by_status"),
        _list_index("generation_id", name="of_generation", partialFilterExpression={"generation_id": EXISTS}),
        _list_index("batch_id", name="of_batch", partialFilterExpression={"batch_id": EXISTS}),
        _list_index("render.composition_id", name="of_composition"),
    ),
    "webhooks": (
        IndexModel([("status", ASCENDING), ("occurred_at", DESCENDING)], name="by_status"),
        IndexModel([("due_at", ASCENDING)], name="pending", sparse=True),
        IndexModel([("lease.worker", ASCENDING)], name="leased", sparse=True),
        IndexModel([("expires_at", ASCENDING)], name="expired", expireAfterSeconds=0),
    ),
}

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class MissingIndex:
    """An index that does not exist, and about how many documents its collection has."""

    collection: str
    model: IndexModel
    documents: int

    @property
    def name(self) -> str:
        """The name of the index, with its collection."""
        return f"{self.collection}.{self.model.document['name']}"

    @property
    def is_required(self) -> bool:
        """Whether the store is incorrect without it. All others make queries fast or have the server delete documents.

        Without a unique one, two starts with one idempotency key, or for one unit of quota, could both be stored.
        """
        return bool(self.model.document.get("unique"))

    @property
    def is_built_at_start(self) -> bool:
        """Whether the collection is small enough for a build at a start."""
        return self.documents <= MAX_DOCUMENTS_AT_START


async def missing_indexes(database: Database, *, timeout_s: float) -> Sequence[MissingIndex]:
    """Return the indexes that do not exist, required ones first in each collection. Builds none."""
    missing = []
    with mongo_operation(timeout_s):
        for name, models in INDEXES.items():
            existing = await database[name].index_information()
            absent = [model for model in models if not _exists(model, existing)]
            documents = await database[name].estimated_document_count() if absent else 0
            missing += [MissingIndex(collection=name, model=model, documents=documents) for model in absent]
    return missing


def _exists(model: IndexModel, existing: Mapping[str, Any]) -> bool:
    """Return whether the index is among the existing ones: with its name and keys, and unique if it must be."""
    found = existing.get(model.document["name"])
    if found is None or list(found["key"]) != list(model.document["key"].items()):
        return False
    return bool(found.get("unique")) or not model.document.get("unique")


async def build_at_start(database: Database, *, retention: Retention, timeout_s: float) -> None:
    """Build the missing indexes of small collections, log a warning for each other one, and apply the retention.

    If none is missing, only the permission to list indexes is needed. Raises `StoreUnavailable` if a required one is
    missing.
    """
    for missing in await missing_indexes(database, timeout_s=timeout_s):
        try:
            if not missing.is_built_at_start:
                raise StoreUnavailable(f"the collection has about {missing.documents} documents")  # noqa: TRY301
            with mongo_operation(timeout_s):
                await _build(database[missing.collection], missing.model)
        except (StoreUnavailable, DuplicateKeyError) as error:
            if missing.is_required:
                raise StoreUnavailable(
                    f"the unique index {missing.name} is missing ({error}): run `rendercast migrate`"
                ) from error
            log.warning("The index %s is missing (%s): run `rendercast migrate`.", missing.name, error)
    if retention == "unchanged":
        return
    try:
        await _apply_retention(database, retention, timeout_s=timeout_s)
    except StoreUnavailable as error:
        log.warning("RENDERCAST_RETENTION_DAYS is not applied (%s): run `rendercast migrate`.", error)


async def _apply_retention(database: Database, retention: timedelta | None, *, timeout_s: float) -> None:
    with mongo_operation(timeout_s):
        renders = database["renders"]
        index = (await renders.index_information()).get(RETENTION_INDEX)
        if _expiry_s(index) == _seconds(retention):
            return
        documents = await renders.estimated_document_count()
        if index is None and documents > MAX_DOCUMENTS_AT_START:
            raise StoreUnavailable(f"the collection renders has about {documents} documents")
        await _set_retention(renders, retention)


async def migrate(database: Database, *, retention: timedelta | None, timeout_s: float, report: Report) -> None:
    """Build all missing indexes, one after the other, and have the server delete renders `retention` after their end.

    The client must have no `timeoutMS`; `timeout_s` limits only reads. Several processes may run it at once: the server
    builds each index once. Raises `StoreUnavailable`.
    """
    for missing in await missing_indexes(database, timeout_s=timeout_s):
        report(f"Building {missing.name} for about {missing.documents} documents.")
        try:
            await _build_to_end(database[missing.collection], missing, report)
        except DuplicateKeyError as error:
            raise StoreUnavailable(f"{missing.name} can't be built: {describe(error)}") from error
        except (OperationFailure, AutoReconnect) as error:
            differs = isinstance(error, OperationFailure) and error.code in INDEX_DIFFERS
            remedy = ": drop the existing index and run `rendercast migrate` again" if differs else ""
            raise StoreUnavailable(f"{missing.name} was not built: {describe(error)}{remedy}") from error
    with mongo_operation(None):
        await _set_retention(database["renders"], retention)


async def _build_to_end(collection: AsyncCollection[Document], missing: MissingIndex, report: Report) -> None:
    """Build an index, with a report every ten seconds. After a lost connection, wait for the same build again."""
    waited_s, lost = 0.0, 0
    build = asyncio.ensure_future(_build(collection, missing.model))
    try:
        while True:
            done, _ = await asyncio.wait([build], timeout=REPORT_INTERVAL_S)
            if not done:
                waited_s += REPORT_INTERVAL_S
                report(f"Building {missing.name}: {waited_s:.0f} s.")
                continue
            error = build.exception()
            if not isinstance(error, AutoReconnect) or lost == MAX_CONNECTIONS_LOST:
                return build.result()
            lost += 1
            report(f"The connection was lost: {describe(error)}.")
            await asyncio.sleep(RECONNECT_DELAY_S)
            build = asyncio.ensure_future(_build(collection, missing.model))
    finally:
        build.cancel()


async def _build(collection: AsyncCollection[Document], model: IndexModel) -> None:
    try:
        await collection.create_indexes([model], commitQuorum="majority")
    except ConfigurationError:  # before MongoDB 4.4
        await collection.create_indexes([model])
    except OperationFailure as error:
        if error.code not in NO_COMMIT_QUORUM:
            raise
        await collection.create_indexes([model])


async def _set_retention(renders: AsyncCollection[Document], retention: timedelta | None) -> None:
    """Set the TTL index that deletes renders this long after their end; None: never. Several processes may call it."""
    seconds = _seconds(retention)
    index = (await renders.index_information()).get(RETENTION_INDEX)
    if (before := _expiry_s(index)) == seconds:
        return
    if seconds is None:
        with suppress_codes(INDEX_NOT_FOUND):
            await renders.drop_index(RETENTION_INDEX)
    else:
        model = IndexModel([("ended_at", ASCENDING)], name=RETENTION_INDEX, expireAfterSeconds=seconds)
        with suppress_codes(INDEX_DIFFERS) as differences:
            await _build(renders, model)
        if differences:
            change = {"name": RETENTION_INDEX, "expireAfterSeconds": seconds}
            await renders.database.command("collMod", renders.name, index=change)
    times = ["never" if each is None else f"{each} s after their end" for each in (seconds, before)]
    log.warning("The MongoDB server now deletes renders %s; before, %s (RENDERCAST_RETENTION_DAYS).", *times)


def _seconds(retention: timedelta | None) -> int | None:
    return None if retention is None else int(retention.total_seconds())


def _expiry_s(index: Mapping[str, Any] | None) -> int | None:
    return None if index is None else index.get("expireAfterSeconds")
