"""A webhook message and its life.

    PENDING ──begin──▶ an attempt ──end──▶ DELIVERED, FAILED, or PENDING and due later
       ◀──replay── DELIVERED, FAILED

A store makes one with each render's end, in the same step. Each function returns a new message with the next revision;
none does I/O. The words are those of Standard Webhooks.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus

from msgspec import Struct

from services.backoff import MAX_TRIES, retry_delay_s
from services.models import Render, RenderStatus, WebhookStatus, replace

KEPT_FOR = timedelta(days=30)  # after it was delivered or given up
PREFIX = "msg_"
EVENT_TYPES = {
    RenderStatus.COMPLETE: "render.completed",
    RenderStatus.FAILED: "render.failed",
    RenderStatus.CANCELLED: "render.cancelled",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of an attempt: the receiver's answer, or in `fault` why there was none."""

    status_code: int | None = None
    fault: str | None = None
    retry_after_s: float | None = None

    @property
    def is_delivery(self) -> bool:
        """Whether the receiver has the message now."""
        return self.status_code is not None and HTTPStatus(200) <= self.status_code < HTTPStatus(300)

    @property
    def is_final(self) -> bool:
        """Whether no other attempt is wanted."""
        return self.is_delivery or self.status_code == HTTPStatus.GONE


class WebhookAttempt(Struct, frozen=True, kw_only=True):
    """The record of one attempt. Without a duration it is under way, or its worker died before there was an answer."""

    number: int
    began_at: datetime
    duration_s: float | None = None
    status_code: int | None = None
    fault: str | None = None
    next_attempt_at: datetime | None = None

    @property
    def has_ended(self) -> bool:
        """Whether what came of it is known."""
        return self.duration_s is not None


class WebhookMessage(Struct, frozen=True, kw_only=True):
    """The news that `render` has ended, as it was then.

    No worker may take it before `due_at`. `tries` counts the attempts since it was stored or replayed.
    """

    render: Render
    revision: int = 1
    status: WebhookStatus = WebhookStatus.PENDING
    due_at: datetime | None = None
    tries: int = 0
    attempts: tuple[WebhookAttempt, ...] = ()
    settled_at: datetime | None = None

    @property
    def id(self) -> str:
        """Its id, the same for all attempts, by which a receiver knows it again."""
        return message_id(self.render.id)

    @property
    def event_type(self) -> str:
        """What has happened."""
        return EVENT_TYPES[self.render.status]

    @property
    def occurred_at(self) -> datetime:
        """When it happened."""
        return self.render.completed_at or self.render.created_at

    @property
    def is_under_way(self) -> bool:
        """Whether an attempt has begun and not ended."""
        return self.status is WebhookStatus.PENDING and bool(self.attempts) and not self.attempts[-1].has_ended

    @property
    def expires_at(self) -> datetime | None:
        """When it is removed with its records; never while it is PENDING."""
        return None if self.settled_at is None else self.settled_at + KEPT_FOR


def message_id(render_id: str) -> str:
    """Return the id of the message that tells of this render's end."""
    return render_id if render_id.startswith(PREFIX) else PREFIX + render_id


def begin(message: WebhookMessage, *, now: datetime) -> WebhookMessage:
    """Begin an attempt, recorded before anything is sent; FAILED if it has had all, as when they end with workers.

    Should this one end with its worker too, the next is due as after any that failed: a process that dies again and
    again must not use up the tries of three days in minutes.
    """
    if message.tries >= MAX_TRIES:
        return _next(message, status=WebhookStatus.FAILED, due_at=None, settled_at=now)
    attempt = WebhookAttempt(number=len(message.attempts) + 1, began_at=now)
    tries = message.tries + 1
    return _next(message, tries=tries, due_at=_next_due(tries, now=now), attempts=(*message.attempts, attempt))


def end(message: WebhookMessage, outcome: Outcome, *, now: datetime, duration_s: float) -> WebhookMessage:
    """End the attempt that was begun last: the message is delivered, due again later, or given up.

    If it was replayed meanwhile it is due at once, whatever came of that attempt.
    """
    was_replayed = message.tries == 0
    ends_it = outcome.is_final or was_replayed
    due_at = None if ends_it else _next_due(message.tries, now=now, retry_after_s=outcome.retry_after_s)
    attempt = replace(
        message.attempts[-1],
        duration_s=duration_s,
        status_code=outcome.status_code,
        fault=outcome.fault,
        next_attempt_at=due_at,
    )
    attempts = (*message.attempts[:-1], attempt)
    if due_at is not None or was_replayed:
        return _next(message, due_at=due_at, attempts=attempts)
    status = WebhookStatus.DELIVERED if outcome.is_delivery else WebhookStatus.FAILED
    return _next(message, status=status, due_at=None, attempts=attempts, settled_at=now)


def replay(message: WebhookMessage) -> WebhookMessage:
    """Have it sent at once and, if need be, by the whole schedule, whatever became of it before."""
    return _next(message, status=WebhookStatus.PENDING, due_at=None, tries=0, settled_at=None)


def _next_due(tries: int, *, now: datetime, retry_after_s: float | None = None) -> datetime | None:
    delay_s = retry_delay_s(tries, retry_after_s=retry_after_s)
    return None if delay_s is None else now + timedelta(seconds=delay_s)


def _next(message: WebhookMessage, **changes: object) -> WebhookMessage:
    return replace(message, revision=message.revision + 1, **changes)  # type: ignore[arg-type]
