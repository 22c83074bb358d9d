"""The webhook message about the end of a batch, in MongoDB."""

import random

from pymongo import DESCENDING

from services.models import TERMINAL, Render
from services.stores.mongo_connection import Document
from services.stores.mongo_documents import READABLE, UNFINISHED
from services.stores.mongo_transactions import Calls
from services.webhooks.messages import EndedBatch, WebhookMessage

MAX_CHOICES = 50  # unfinished renders, of which an end changes one


async def message_of_ended_batch(renders: Calls, render: Render) -> WebhookMessage | None:
    """Return the message about the end of a render's batch, in the transaction that ends the render.

    `renders` are calls in this transaction. None if the render has no batch, or others of it have not ended. Of two
    concurrent transactions, neither would see that the other ends a render: so each also changes one that it sees as
    unfinished, which conflicts with the transaction that ends that one. Chosen at random among the newest, it is
    seldom the same for two of them.
    """
    if render.batch_id is None:
        return None
    of_batch: Document = {"owner": render.owner, "batch_id": render.batch_id}
    unfinished = {**of_batch, "status": {"$in": UNFINISHED}}
    newest = await renders.find(unfinished, {"_id": True}, sort=[("_id", DESCENDING)], limit=MAX_CHOICES)
    if newest:
        chosen = {"_id": random.choice(newest)["_id"], **READABLE}  # noqa: S311
        await renders.update_one(chosen, {"$inc": {"batch_ends": 1}})
        return None
    counts = {status: await renders.count_documents({**of_batch, "status": status.value}) for status in TERMINAL}
    return WebhookMessage(render=render, batch=EndedBatch.of(render.batch_id, counts))
