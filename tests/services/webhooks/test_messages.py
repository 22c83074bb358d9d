"""The life of a message, and when it is sent again."""

from datetime import UTC, datetime, timedelta

import pytest

from services.backoff import MAX_RETRY_AFTER_S, MAX_TRIES, RETRY_DELAYS_S, read_retry_after, retry_delay_s
from services.models import WebhookStatus
from services.webhooks.messages import Outcome, WebhookMessage, begin, end, replay
from tests.conftest import MakeRender
from tests.support.fakes import START_OF_TIME

NOW = START_OF_TIME
REFUSED = Outcome(status_code=503)


@pytest.fixture
def message(make_render: MakeRender) -> WebhookMessage:
    return WebhookMessage(render=make_render(completed_at=NOW))


def attempt(message: WebhookMessage, outcome: Outcome, *, now: datetime = NOW) -> WebhookMessage:
    return end(begin(message, now=now), outcome, now=now, duration_s=0.5)


@pytest.mark.parametrize("status_code", [200, 202, 204, 299])
def test_any_2xx_delivers_it(message: WebhookMessage, status_code: int) -> None:
    delivered = attempt(message, Outcome(status_code=status_code))
    assert (delivered.status, delivered.due_at, delivered.settled_at) == (WebhookStatus.DELIVERED, None, NOW)
    assert delivered.attempts[0].status_code == status_code
    assert delivered.attempts[0].next_attempt_at is None


@pytest.mark.parametrize(
    "outcome", [Outcome(fault="reset"), *(Outcome(status_code=code) for code in (101, 301, 307, 400, 404, 429, 500))]
)
def test_all_else_is_tried_again_five_seconds_later(message: WebhookMessage, outcome: Outcome) -> None:
    tried = attempt(message, outcome)
    assert tried.status is WebhookStatus.PENDING
    assert tried.due_at is not None
    assert timedelta(seconds=5) <= tried.due_at - NOW <= timedelta(seconds=6)
    assert tried.attempts[0].next_attempt_at == tried.due_at


def test_gone_is_believed(message: WebhookMessage) -> None:
    gone = attempt(message, Outcome(status_code=410))
    assert (gone.status, gone.due_at, len(gone.attempts)) == (WebhookStatus.FAILED, None, 1)


def test_it_is_given_up_after_the_whole_schedule(message: WebhookMessage) -> None:
    waits = []
    now = NOW
    while message.status is WebhookStatus.PENDING:
        message = attempt(message, REFUSED, now=now)
        if message.due_at is not None:
            waits.append((message.due_at - now).total_seconds())
            now = message.due_at
    assert all(usual <= wait <= 1.2 * usual for wait, usual in zip(waits, RETRY_DELAYS_S, strict=True))
    assert len(message.attempts) == MAX_TRIES == 10
    assert [each.number for each in message.attempts] == list(range(1, 11))


def test_attempts_that_end_with_their_worker_count_and_wait_as_those_that_fail(message: WebhookMessage) -> None:
    for usual_s in RETRY_DELAYS_S:
        message = begin(message, now=NOW)
        assert message.is_under_way
        assert message.due_at is not None
        assert usual_s <= (message.due_at - NOW).total_seconds() <= 1.2 * usual_s
    message = begin(message, now=NOW)
    assert message.is_under_way
    message = begin(message, now=NOW)
    assert (message.status, message.is_under_way, len(message.attempts)) == (WebhookStatus.FAILED, False, MAX_TRIES)


def test_a_replay_begins_the_schedule_anew_under_the_same_id_and_keeps_the_records(message: WebhookMessage) -> None:
    gone = attempt(message, Outcome(status_code=410))
    again = replay(gone)
    assert (again.id, again.status, again.expires_at) == (gone.id, WebhookStatus.PENDING, None)
    delivered = attempt(again, Outcome(status_code=200))
    assert [(each.number, each.status_code) for each in delivered.attempts] == [(1, 410), (2, 200)]


def test_it_is_kept_for_thirty_days_once_it_is_settled(message: WebhookMessage) -> None:
    assert message.expires_at is None
    assert attempt(message, Outcome(status_code=200)).expires_at == NOW + timedelta(days=30)


def test_a_receiver_is_left_alone_as_long_as_it_asks_for_within_a_day() -> None:
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
def test_what_it_asks_for_is_read_in_both_forms(header: str | None, seconds: float | None) -> None:
    assert read_retry_after(header, now=datetime(2026, 1, 1, 12, tzinfo=UTC)) == seconds
