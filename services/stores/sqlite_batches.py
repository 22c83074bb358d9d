"""The webhook message about the end of a batch, in the embedded store."""

import sqlite3

from services.models import Render
from services.stores.sqlite_lists import count_by_status
from services.webhooks.messages import EndedBatch, WebhookMessage


def message_of_ended_batch(db: sqlite3.Connection, render: Render) -> WebhookMessage | None:
    """Return the message about the end of a render's batch, in the transaction that ends the render.

    None if the render has no batch, or others of it have not ended.
    """
    if render.batch_id is None:
        return None
    unfinished = "SELECT 1 FROM renders WHERE owner = ? AND batch_id = ? AND status IN ('queued', 'rendering') LIMIT 1"
    if db.execute(unfinished, (render.owner, render.batch_id)).fetchone():
        return None
    batch = EndedBatch.of(render.batch_id, count_by_status(db, render.owner, render.batch_id))
    return WebhookMessage(render=render, batch=batch)
