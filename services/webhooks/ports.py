"""The outbox: stored webhook messages, and what its adapters under `stores/` guarantee."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Protocol

from services.models import WebhookStatus
from services.ports import WebhookBacklog
from services.webhooks.messages import WebhookMessage


class Outbox(WebhookBacklog, Protocol):
    """The webhook messages. A store that announces ends adds one in the atomic step in which `record` ends a render.

    Any method may raise `StoreUnavailable`. Leases are as those of renders. Messages that are not PENDING are removed
    when they have expired.
    """

    async def acquire(self, *, worker: str, lease: timedelta) -> WebhookMessage | None:
        """Lease to `worker`, atomically, the PENDING message that is due first and not leased."""
        ...

    async def record(self, message: WebhookMessage, *, worker: str | None = None) -> bool:
        """Replace the stored message, if it is exactly one revision older; return whether that was so.

        With `worker`, also only if it holds the lease. A message that is not under way after that is no longer leased.
        """
        ...

    async def release(self, *, worker: str) -> None:
        """End all leases of the worker at once, so that others may acquire the messages."""
        ...

    async def get(self, message_id: str) -> WebhookMessage | None:
        """Return the message; None if there is none with this id."""
        ...

    async def list(self, *, first: int, status: WebhookStatus | None = None) -> Sequence[WebhookMessage]:
        """Return up to `first` messages, those whose event occurred last before others; only of the status if given."""
        ...
