from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from services.renders.quota import QuotaRule, quota_exceeded, quota_left

MOMENTS = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
LENGTHS = st.integers(1, 86_400).map(lambda seconds: timedelta(seconds=seconds))


@given(MOMENTS, LENGTHS)
def test_every_time_is_in_exactly_one_window(now: datetime, length: timedelta) -> None:
    rule = QuotaRule(limit=5, window=length)
    window = rule.window_at(now, owner="ann")
    assert window.starts_at <= now < window.ends_at
    assert rule.window_at(window.starts_at, owner="ann") == window
    assert rule.window_at(window.ends_at, owner="ann").starts_at == window.ends_at


@given(MOMENTS, LENGTHS, st.integers(0, 20))
def test_the_remaining_quota_is_not_negative_and_the_wait_not_zero(now: datetime, length: timedelta, used: int) -> None:
    window = QuotaRule(limit=5, window=length).window_at(now, owner="ann")
    quota = quota_left(window, used=used, now=now)
    assert quota.remaining == max(0, 5 - used)
    assert quota.resets_in_s >= 1
    assert now + timedelta(seconds=quota.resets_in_s) >= window.ends_at
    assert quota_exceeded(window, used=used, now=now).quota == quota


def test_hourly_windows_start_on_the_hour() -> None:
    now = datetime(2026, 5, 1, 10, 59, 59, tzinfo=UTC)
    window = QuotaRule(limit=5, window=timedelta(hours=1)).window_at(now, owner="ann")
    assert window.starts_at == datetime(2026, 5, 1, 10, 0, tzinfo=UTC)


def test_the_message_has_the_limit_and_the_window() -> None:
    now = datetime(2026, 5, 1, 10, 30, tzinfo=UTC)

    def message(limit: int, seconds: int) -> str:
        window = QuotaRule(limit=limit, window=timedelta(seconds=seconds)).window_at(now, owner="ann")
        return str(quota_exceeded(window, used=limit, now=now))

    assert message(5, 3600) == (
        "Render quota exceeded. You can render up to 5 videos per hour. Please try again later."
    )
    assert "1 video per 2 hours" in message(1, 7200)
    assert "3 videos per 90 seconds" in message(3, 90)
