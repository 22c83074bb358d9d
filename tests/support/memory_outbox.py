"""An `Outbox` in memory."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from services.errors import StoreUnavailable
from services.models import WebhookStatus
from services.ports import BacklogStats, Clock
from services.webhooks.messages import WebhookMessage
from tests.support.fake_clock import START_OF_TIME


@dataclass
class StoredMessage:
    message: WebhookMessage
    worker: str | None = None
    lease_until: datetime = START_OF_TIME


class MemoryOutbox:
    """An `Outbox` in memory. `unavailable` makes every call raise."""

    def __init__(self, clock: Clock) -> None:
        self.unavailable = False
        self._clock = clock
        self._rows: dict[str, StoredMessage] = {}

    def _check(self) -> None:
        if self.unavailable:
            raise StoreUnavailable("the store is unavailable")

    def add(self, message: WebhookMessage) -> None:
        self._rows.setdefault(message.id, StoredMessage(message))

    def erase(self, owner: str, *, dry_run: bool) -> int:
        found = [id_ for id_, row in self._rows.items() if row.message.render.owner == owner]
        if not dry_run:
            for id_ in found:
                del self._rows[id_]
        return len(found)

    async def acquire(self, *, worker: str, lease: timedelta) -> WebhookMessage | None:
        self._check()
        now = self._clock.now()
        due = [
            row
            for row in self._rows.values()
            if row.message.status is WebhookStatus.PENDING
            and (row.message.due_at is None or row.message.due_at <= now)
            and (row.worker is None or row.lease_until <= now)
        ]
        if not due:
            return None
        row = min(due, key=lambda row: row.message.due_at or datetime.min.replace(tzinfo=UTC))
        row.worker, row.lease_until = worker, now + lease
        return row.message

    async def record(self, message: WebhookMessage, *, worker: str | None = None) -> bool:
        self._check()
        now = self._clock.now()
        for id_, row in list(self._rows.items()):
            if row.message.expires_at is not None and row.message.expires_at <= now:
                del self._rows[id_]
        stored = self._rows.get(message.id)
        if stored is None or stored.message.revision != message.revision - 1 or worker not in {None, stored.worker}:
            return False
        stored.message = message
        if not message.is_in_progress:
            stored.worker = None
        return True

    async def release(self, *, worker: str) -> None:
        self._check()
        for row in self._rows.values():
            if row.worker == worker:
                row.worker = None

    async def get(self, message_id: str) -> WebhookMessage | None:
        self._check()
        row = self._rows.get(message_id)
        return row.message if row else None

    async def list(self, *, first: int, status: WebhookStatus | None = None) -> Sequence[WebhookMessage]:
        self._check()
        found = [row.message for row in self._rows.values() if status in {None, row.message.status}]
        return sorted(found, key=lambda message: message.occurred_at, reverse=True)[:first]

    async def backlog(self) -> BacklogStats:
        self._check()
        pending = [row.message for row in self._rows.values() if row.message.status is WebhookStatus.PENDING]
        oldest = min((message.occurred_at for message in pending), default=None)
        return BacklogStats(pending=len(pending), oldest_occurred_at=oldest)


class FailingOutbox:
    """An outbox in which every second call fails unexpectedly."""

    def __init__(self, message: WebhookMessage) -> None:
        self._message = message
        self.calls = 0

    async def acquire(self, **_: object) -> WebhookMessage:
        self.calls += 1
        if self.calls % 2 == 0:
            raise RuntimeError("unexpected")
        return self._message

    async def release(self, **_: object) -> None:
        pass
