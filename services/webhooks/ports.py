"""The ports of webhook delivery: the outbox, the receiver's endpoint, and the signer of download URLs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from services.models import Download, Render, WebhookStatus
from services.ports import WebhookBacklog
from services.webhooks.messages import WebhookMessage


class Outbox(WebhookBacklog, Protocol):
    """The stored webhook messages. With webhooks enabled, a store adds one in the atomic step that ends a render.

    Any method may raise `StoreUnavailable`. Leases work like those of renders. Expired messages are deleted; PENDING
    ones never expire.
    """

    async def acquire(self, *, worker: str, lease: timedelta) -> WebhookMessage | None:
        """Lease to `worker`, atomically, the PENDING message that is due first and not leased."""
        ...

    async def record(self, message: WebhookMessage, *, worker: str | None = None) -> bool:
        """Replace the stored message, if it is exactly one revision older; return whether it was replaced.

        With `worker`, also only if that worker holds the lease. The lease ends unless an attempt is in progress.
        """
        ...

    async def release(self, *, worker: str) -> None:
        """End all leases of the worker, so that other workers can acquire the messages."""
        ...

    async def get(self, message_id: str) -> WebhookMessage | None:
        """Return the message; None if there is none with this id."""
        ...

    async def list(self, *, first: int, status: WebhookStatus | None = None) -> Sequence[WebhookMessage]:
        """Return up to `first` messages, with this status if given, newest event first."""
        ...


class EndpointError(Exception):
    """The receiver sent no valid response, or its address is not allowed. The message states the reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookResponse:
    """The receiver's response."""

    status_code: int
    retry_after: str | None


class Endpoint(Protocol):
    """The receiver of webhooks."""

    async def post(self, body: bytes, headers: Mapping[str, str]) -> WebhookResponse:
        """Send a request and return the response. Raises `EndpointError`."""
        ...


class DownloadSigner(Protocol):
    """Signs the URLs that a webhook contains."""

    def sign(self, render: Render) -> Download | None:
        """Return a signed URL of the output; None if there is none."""
        ...

    def sign_poster(self, render: Render) -> Download | None:
        """Return a signed URL of the poster; None if there is none."""
        ...
