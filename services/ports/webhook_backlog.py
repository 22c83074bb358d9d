"""The contract of the webhook outbox, as far as metrics read it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class BacklogStats:
    """Number of PENDING webhook messages, and when the oldest of their events occurred: None if there is none."""

    pending: int
    oldest_occurred_at: datetime | None


class WebhookBacklog(Protocol):
    """The part of the webhook outbox that metrics read."""

    async def backlog(self) -> BacklogStats:
        """Return the size and age of the backlog, without reading the messages. Raises `StoreUnavailable`."""
        ...
