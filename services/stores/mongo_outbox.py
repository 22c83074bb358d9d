"""The production outbox: webhook messages in the MongoDB collection `webhooks`."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from typing import Any

from pymongo import ASCENDING, DESCENDING, ReturnDocument

from services.errors import StoreUnavailable
from services.models import WebhookStatus
from services.ports import BacklogStats
from services.stored_documents import SCHEMA_VERSION, SkippedDocuments
from services.stores.mongo_connection import (
    DEFAULT_DATABASE,
    Client,
    Document,
    ServerClock,
    mongo_operation,
    open_with_client,
    operation_timeout_s,
)
from services.stores.mongo_documents import READABLE, readable
from services.stores.mongo_transactions import Transaction
from services.webhooks import stored_documents as webhook_documents
from services.webhooks.messages import WebhookMessage

DUE_IMMEDIATELY = datetime.fromtimestamp(0, UTC)  # stored for PENDING messages without `due_at`; sorts first
ALL_STATUSES = [status.value for status in WebhookStatus]


class MongoOutbox:
    """An `Outbox` in MongoDB; `services.webhooks.ports` specifies the methods."""

    def __init__(self, client: Client, clock: ServerClock, skipped: SkippedDocuments) -> None:
        self._webhooks = client.get_default_database(DEFAULT_DATABASE)["webhooks"]
        self._clock = clock
        self._skipped = skipped
        self._timeout_s = operation_timeout_s(client)

    async def add(self, message: WebhookMessage, transaction: Transaction) -> None:
        """Store a new message, in the transaction that ends its render."""
        new = {"$setOnInsert": _document(message)}
        await transaction.on(self._webhooks).update_one({"_id": message.id}, new, upsert=True)

    async def acquire(self, *, worker: str, lease: timedelta) -> WebhookMessage | None:  # noqa: D102
        now = self._clock.now()
        due = {
            **READABLE,
            "due_at": {"$lte": now},
            "$or": [{"lease": None}, {"lease.until": {"$lte": now}}],
        }
        while True:
            with mongo_operation(self._timeout_s):
                acquired = await self._webhooks.find_one_and_update(
                    due,
                    {"$set": {"lease": {"worker": worker, "until": now + lease}}},
                    sort=[("due_at", ASCENDING)],
                    return_document=ReturnDocument.AFTER,
                )
            if acquired is None:
                return None
            if read := self._read([acquired]):
                return read[0]

    async def record(self, message: WebhookMessage, *, worker: str | None = None) -> bool:  # noqa: D102
        before: Document = {**READABLE, "_id": message.id, "revision": message.revision - 1}
        if worker is not None:
            before["lease.worker"] = worker
        document = _document(message)
        removed = {name: "" for name in ("due_at", "expires_at") if name not in document}
        if not message.is_in_progress:
            removed["lease"] = ""
        change = {"$set": document, "$unset": removed} if removed else {"$set": document}
        with mongo_operation(self._timeout_s):
            changed = await self._webhooks.update_one(before, change)
        return changed.matched_count == 1

    async def release(self, *, worker: str) -> None:  # noqa: D102
        with mongo_operation(self._timeout_s):
            await self._webhooks.update_many({**READABLE, "lease.worker": worker}, {"$unset": {"lease": ""}})

    async def get(self, message_id: str) -> WebhookMessage | None:  # noqa: D102
        with mongo_operation(self._timeout_s):
            found = await self._webhooks.find_one({"_id": message_id})
        if found is None:
            return None
        if read := self._read([found]):
            return read[0]
        raise StoreUnavailable(f"this version can't read the stored document {message_id}")

    async def list(  # noqa: D102
        self, *, first: int, status: WebhookStatus | None = None
    ) -> Sequence[WebhookMessage]:
        conditions = {"status": {"$in": ALL_STATUSES} if status is None else status.value}
        with mongo_operation(self._timeout_s):
            cursor = self._webhooks.find(conditions).sort("occurred_at", DESCENDING).limit(first)
            found = [document async for document in cursor]
        return self._read(found)

    async def backlog(self) -> BacklogStats:  # noqa: D102
        pending = {"status": WebhookStatus.PENDING.value}
        with mongo_operation(self._timeout_s):
            count = await self._webhooks.count_documents(pending)
            oldest = await self._webhooks.find_one(pending, {"occurred_at": True}, sort=[("occurred_at", ASCENDING)])
        return BacklogStats(pending=count, oldest_occurred_at=oldest["occurred_at"] if oldest else None)

    def _read(self, found: Sequence[Mapping[str, Any]]) -> Sequence[WebhookMessage]:
        return readable(found, "message", webhook_documents.message_from_mapping, self._skipped)


def open_mongo_outbox(connect: Callable[..., object], url: str) -> AbstractAsyncContextManager[MongoOutbox]:
    """Open the outbox without the store. Raises `StartupError` if the server can't be reached."""

    async def prepare(client: Client) -> MongoOutbox:
        clock = ServerClock(client)
        with mongo_operation(operation_timeout_s(client)):
            await clock.sync()
        return MongoOutbox(client, clock, SkippedDocuments())

    return open_with_client(connect, url, prepare)


def _document(message: WebhookMessage) -> Document:
    """Return the document of a message without `_id`: the fields for queries and indexes, and the whole message."""
    document: Document = {
        "schema": SCHEMA_VERSION,
        "revision": message.revision,
        "status": message.status.value,
        "occurred_at": message.occurred_at,
        "message": webhook_documents.message_to_mapping(message),
    }
    if message.status is WebhookStatus.PENDING:
        document["due_at"] = message.due_at or DUE_IMMEDIATELY
    if message.expires_at is not None:
        document["expires_at"] = message.expires_at
    return document
