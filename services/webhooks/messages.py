"""Webhook messages and their state changes.

    PENDING ──start_attempt──▶ an attempt ──finish_attempt──▶ DELIVERED, FAILED, or PENDING and due later
       ◀──replay── DELIVERED, FAILED

A store adds a message in the same atomic step in which it records the end of a render. Each function returns a new
message with the next revision; none does I/O. The terms are those of Standard Webhooks.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus

from msgspec import Struct

from services.models import TERMINAL, Render, RenderStatus, WebhookStatus, replace
from services.webhooks.retry_schedule import MAX_TRIES, retry_delay_s

RETENTION = timedelta(days=30)  # after delivery or failure
ID_PREFIX = "msg_"
BATCH_SUFFIX = "_batch"
BATCH_ENDED = "batch.ended"
EVENT_TYPES = {
    RenderStatus.COMPLETE: "render.completed",
    RenderStatus.FAILED: "render.failed",
    RenderStatus.CANCELLED: "render.cancelled",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryResult:
    """The result of an attempt: the status of the receiver's response, or in `error` why there was none."""

    status_code: int | None = None
    error: str | None = None
    retry_after_s: float | None = None

    @property
    def is_success(self) -> bool:
        """Whether the receiver accepted the message."""
        return self.status_code is not None and HTTPStatus(200) <= self.status_code < HTTPStatus(300)

    @property
    def is_final(self) -> bool:
        """Whether there is no further attempt: after a success or 410 Gone."""
        return self.is_success or self.status_code == HTTPStatus.GONE


class WebhookAttempt(Struct, frozen=True, kw_only=True, rename={"started_at": "began_at", "error": "fault"}):
    """The record of one attempt. Without a duration it is in progress, or its worker died before a response.

    `rename` maps fields to their names in stored documents.
    """

    number: int
    started_at: datetime
    duration_s: float | None = None
    status_code: int | None = None
    error: str | None = None
    next_attempt_at: datetime | None = None

    @property
    def has_ended(self) -> bool:
        """Whether the result is known."""
        return self.duration_s is not None


class EndedBatch(Struct, frozen=True, kw_only=True, gc=False):
    """A batch when all of its renders had ended: the number of its renders by final status."""

    id: str
    complete: int
    failed: int
    cancelled: int

    @classmethod
    def of(cls, batch_id: str, counts: Mapping[RenderStatus, int]) -> "EndedBatch | None":
        """Return the batch with these renders; None if some of them have not ended."""
        if not counts.keys() <= TERMINAL:
            return None
        final = (RenderStatus.COMPLETE, RenderStatus.FAILED, RenderStatus.CANCELLED)
        complete, failed, cancelled = (counts.get(status, 0) for status in final)
        return cls(id=batch_id, complete=complete, failed=failed, cancelled=cancelled)


class WebhookMessage(Struct, frozen=True, kw_only=True):
    """A message about the end of a render; `render` is its final state.

    With `batch`, it is about the end of the batch, and `render` is the one that ended last. A batch that goes on
    afterwards ends with another render.

    No worker may acquire the message before `due_at`. `tries` counts the attempts since it was stored or last replayed.
    `settled_at` is when it became DELIVERED or FAILED.
    """

    render: Render
    batch: EndedBatch | None = None
    revision: int = 1
    status: WebhookStatus = WebhookStatus.PENDING
    due_at: datetime | None = None
    tries: int = 0
    attempts: tuple[WebhookAttempt, ...] = ()
    settled_at: datetime | None = None

    @property
    def id(self) -> str:
        """The id, the same in all attempts; receivers use it to discard duplicates."""
        return message_id(self.render.id) + (BATCH_SUFFIX if self.batch else "")

    @property
    def event_type(self) -> str:
        """The type of the event, such as `render.completed`."""
        return BATCH_ENDED if self.batch else EVENT_TYPES[self.render.status]

    @property
    def occurred_at(self) -> datetime:
        """When the event occurred."""
        return self.render.completed_at or self.render.created_at

    @property
    def is_in_progress(self) -> bool:
        """Whether an attempt was started and has not ended."""
        return self.status is WebhookStatus.PENDING and bool(self.attempts) and not self.attempts[-1].has_ended

    @property
    def expires_at(self) -> datetime | None:
        """When the message is deleted with its attempts; None while it is PENDING."""
        return None if self.settled_at is None else self.settled_at + RETENTION


def message_id(render_id: str) -> str:
    """Return the id of the message about the end of this render."""
    return render_id if render_id.startswith(ID_PREFIX) else ID_PREFIX + render_id


def start_attempt(message: WebhookMessage, *, now: datetime) -> WebhookMessage:
    """Start an attempt, to be recorded before the request is sent.

    If no tries are left, as after a last attempt that ended with its worker, the message is FAILED instead. The next
    attempt is scheduled already, as after a failed one, in case this one ends with its worker: a process that crashes
    repeatedly must not use up the tries of three days within minutes.
    """
    if message.tries >= MAX_TRIES:
        return _next(message, status=WebhookStatus.FAILED, due_at=None, settled_at=now)
    attempt = WebhookAttempt(number=len(message.attempts) + 1, started_at=now)
    tries = message.tries + 1
    return _next(message, tries=tries, due_at=_next_due(tries, now=now), attempts=(*message.attempts, attempt))


def finish_attempt(
    message: WebhookMessage, result: DeliveryResult, *, now: datetime, duration_s: float
) -> WebhookMessage:
    """Record the result of the latest attempt: the message is DELIVERED, due again later, or FAILED.

    If the message was replayed during the attempt, it is due immediately, whatever the result.
    """
    was_replayed = message.tries == 0
    is_last = result.is_final or was_replayed
    due_at = None if is_last else _next_due(message.tries, now=now, retry_after_s=result.retry_after_s)
    attempt = replace(
        message.attempts[-1],
        duration_s=duration_s,
        status_code=result.status_code,
        error=result.error,
        next_attempt_at=due_at,
    )
    attempts = (*message.attempts[:-1], attempt)
    if due_at is not None or was_replayed:
        return _next(message, due_at=due_at, attempts=attempts)
    status = WebhookStatus.DELIVERED if result.is_success else WebhookStatus.FAILED
    return _next(message, status=status, due_at=None, attempts=attempts, settled_at=now)


def replay(message: WebhookMessage) -> WebhookMessage:
    """Make the message due immediately, whatever its status, and start the retry schedule again."""
    return _next(message, status=WebhookStatus.PENDING, due_at=None, tries=0, settled_at=None)


def _next_due(tries: int, *, now: datetime, retry_after_s: float | None = None) -> datetime | None:
    delay_s = retry_delay_s(tries, retry_after_s=retry_after_s)
    return None if delay_s is None else now + timedelta(seconds=delay_s)


def _next(message: WebhookMessage, **changes: object) -> WebhookMessage:
    return replace(message, revision=message.revision + 1, **changes)  # type: ignore[arg-type]
