"""Checks that a server can do what the store needs: be a replica set, write as MONGODB_URL says, run transactions."""

import secrets
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from pymongo.asynchronous.collection import AsyncCollection

from services.errors import StoreUnavailable
from services.stores.mongo_connection import Client, Document, mongo_operation
from services.stores.mongo_transactions import Transaction, run_transaction

NO_DOCUMENT = {"_id": "rendercast-probe"}
TEST_DOCUMENT_LIFETIME = timedelta(minutes=10)  # if the process ends before it deletes the document


def check_replica_set(hello: Mapping[str, Any]) -> None:
    """Raise `StoreUnavailable` if the response to `hello` is not that of a replica set or a sharded cluster."""
    if "setName" not in hello and hello.get("msg") != "isdbgrid":
        raise StoreUnavailable("it is not a replica set, which transactions need; a set of one member is enough")


async def check_writes(collection: AsyncCollection[Document], *, timeout_s: float) -> None:
    """Send a write that changes nothing, so that one that is rejected is found at the start."""
    with mongo_operation(timeout_s):
        await collection.find_one_and_update(NO_DOCUMENT, {"$set": {"probe": True}})


async def check_transactions(client: Client, collection: AsyncCollection[Document], *, timeout_s: float) -> None:
    """Commit a transaction that only reads. Raises `StoreUnavailable`."""

    async def read(transaction: Transaction) -> None:
        await transaction.on(collection).find_one(NO_DOCUMENT)

    try:
        await run_transaction(client, read, timeout_s=timeout_s)
    except StoreUnavailable as error:
        raise StoreUnavailable(f"a transaction fails ({error}), but the store needs transactions") from error


async def write_test_document(collection: AsyncCollection[Document], *, timeout_s: float) -> None:
    """Store a document and delete it. `collection` must delete expired documents. Raises `StoreUnavailable`."""
    document = {
        "_id": f"rendercast-doctor-{secrets.token_hex(8)}",
        "expires_at": datetime.now(UTC) + TEST_DOCUMENT_LIFETIME,
    }
    with mongo_operation(timeout_s):
        await collection.insert_one(document)
        await collection.delete_one({"_id": document["_id"]})
