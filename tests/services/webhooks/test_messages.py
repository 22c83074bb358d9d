"""State changes of webhook messages, and the retry schedule."""

from datetime import UTC, datetime, timedelta

import pytest

from services.models import WebhookStatus
from services.webhooks.messages import DeliveryResult, WebhookMessage, finish_attempt, replay, start_attempt
from services.webhooks.retry_schedule import (
    MAX_RETRY_AFTER_S,
    MAX_TRIES,
    RETRY_DELAYS_S,
    parse_retry_after,
    retry_delay_s,
)
from services.webhooks.stored_documents import decode_message, encode_message, message_to_mapping
from tests.conftest import MakeRender
from tests.support.fake_clock import START_OF_TIME

NOW = START_OF_TIME
REJECTED = DeliveryResult(status_code=503)


@pytest.fixture
def message(make_render: MakeRender) -> WebhookMessage:
    return WebhookMessage(render=make_render(completed_at=NOW))


def attempt(message: WebhookMessage, result: DeliveryResult, *, now: datetime = NOW) -> WebhookMessage:
    return finish_attempt(start_attempt(message, now=now), result, now=now, duration_s=0.5)


@pytest.mark.parametrize("status_code", [200, 202, 204, 299])
def test_any_2xx_response_means_delivered(message: WebhookMessage, status_code: int) -> None:
    delivered = attempt(message, DeliveryResult(status_code=status_code))
    assert (delivered.status, delivered.due_at, delivered.settled_at) == (WebhookStatus.DELIVERED, None, NOW)
    assert delivered.attempts[0].status_code == status_code
    assert delivered.attempts[0].next_attempt_at is None


@pytest.mark.parametrize(
    "result",
    [
        DeliveryResult(error="reset"),
        *(DeliveryResult(status_code=code) for code in (101, 301, 307, 400, 404, 429, 500)),
    ],
)
def test_any_other_result_is_retried_five_seconds_later(message: WebhookMessage, result: DeliveryResult) -> None:
    tried = attempt(message, result)
    assert tried.status is WebhookStatus.PENDING
    assert tried.due_at is not None
    assert timedelta(seconds=5) <= tried.due_at - NOW <= timedelta(seconds=6)
    assert tried.attempts[0].next_attempt_at == tried.due_at


def test_410_gone_ends_the_retries(message: WebhookMessage) -> None:
    gone = attempt(message, DeliveryResult(status_code=410))
    assert (gone.status, gone.due_at, len(gone.attempts)) == (WebhookStatus.FAILED, None, 1)


def test_a_message_fails_after_the_whole_schedule(message: WebhookMessage) -> None:
    waits = []
    now = NOW
    while message.status is WebhookStatus.PENDING:
        message = attempt(message, REJECTED, now=now)
        if message.due_at is not None:
            waits.append((message.due_at - now).total_seconds())
            now = message.due_at
    assert all(scheduled <= wait <= 1.2 * scheduled for wait, scheduled in zip(waits, RETRY_DELAYS_S, strict=True))
    assert len(message.attempts) == MAX_TRIES == 10
    assert [each.number for each in message.attempts] == list(range(1, 11))


def test_attempts_that_end_with_their_worker_count_as_failed_ones(message: WebhookMessage) -> None:
    for scheduled_s in RETRY_DELAYS_S:
        message = start_attempt(message, now=NOW)
        assert message.is_in_progress
        assert message.due_at is not None
        assert scheduled_s <= (message.due_at - NOW).total_seconds() <= 1.2 * scheduled_s
    message = start_attempt(message, now=NOW)
    assert message.is_in_progress
    message = start_attempt(message, now=NOW)
    assert (message.status, message.is_in_progress, len(message.attempts)) == (WebhookStatus.FAILED, False, MAX_TRIES)


def test_a_replay_restarts_the_schedule_and_keeps_id_and_attempts(message: WebhookMessage) -> None:
    gone = attempt(message, DeliveryResult(status_code=410))
    again = replay(gone)
    assert (again.id, again.status, again.expires_at) == (gone.id, WebhookStatus.PENDING, None)
    delivered = attempt(again, DeliveryResult(status_code=200))
    assert [(each.number, each.status_code) for each in delivered.attempts] == [(1, 410), (2, 200)]


def test_a_settled_message_expires_after_thirty_days(message: WebhookMessage) -> None:
    assert message.expires_at is None
    assert attempt(message, DeliveryResult(status_code=200)).expires_at == NOW + timedelta(days=30)


def test_retry_after_delays_the_next_attempt_by_at_most_a_day() -> None:
    assert retry_delay_s(1, retry_after_s=100.0) == 100.0
    assert retry_delay_s(1, retry_after_s=1e12) == MAX_RETRY_AFTER_S
    waits = [retry_delay_s(2, retry_after_s=1.0) for _ in range(50)]
    assert all(wait is not None and 300 <= wait <= 360 for wait in waits)
    assert len(set(waits)) > 1


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120.0),
        (" 5 ", 5.0),
        ("9" * 400, 9_999_999_999.0),
        ("Thu, 01 Jan 2026 12:02:00 GMT", 120.0),
        ("Thu, 01 Jan 2026 11:00:00 GMT", 0.0),
        ("Thu, 01 Jan 2026 12:00:30 -0000", 30.0),
        (None, None),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("١", None),
        ("Thu, 99 Jan 2026 12:02:00 GMT", None),
        ("Thu, 01 Jan 99999999999 12:02:00 GMT", None),
    ],
)
def test_retry_after_is_parsed_in_both_forms(header: str | None, seconds: float | None) -> None:
    assert parse_retry_after(header, now=datetime(2026, 1, 1, 12, tzinfo=UTC)) == seconds


def test_the_error_of_an_attempt_is_stored_as_fault(message: WebhookMessage) -> None:
    failed = attempt(message, DeliveryResult(error="reset"))
    (stored,) = message_to_mapping(failed)["attempts"]
    assert stored.keys() == {"number", "began_at", "duration_s", "status_code", "fault", "next_attempt_at"}
    assert stored["fault"] == "reset"
    assert decode_message(encode_message(failed)) == failed
