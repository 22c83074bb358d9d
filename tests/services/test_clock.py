import asyncio
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.clock import MAX_STEP_S, RunningTime, Stopwatch, format_time
from tests.support.fake_clock import FakeClock

HOUR_S = 3600.0


async def pass_time(clock: FakeClock, time: RunningTime, seconds: int) -> None:
    """Let this time pass, with readings as often as a running process makes them."""
    for _ in range(seconds // 5):
        await clock.advance(5)
        time.read_s()


async def test_running_time_is_the_time_of_a_running_process() -> None:
    clock = FakeClock()
    time = RunningTime(clock)
    await pass_time(clock, time, 600)
    assert time.read_s() == pytest.approx(600)


async def test_a_suspension_counts_for_at_most_one_step() -> None:
    clock = FakeClock()
    time = RunningTime(clock)
    await pass_time(clock, time, 60)
    await clock.suspend(HOUR_S)
    assert time.read_s() == pytest.approx(60 + MAX_STEP_S)


@pytest.mark.parametrize("step_s", [HOUR_S, -HOUR_S])
async def test_a_step_of_the_wall_clock_does_not_count(step_s: float) -> None:
    clock = FakeClock()
    time = RunningTime(clock)
    created_at = clock.now()
    await pass_time(clock, time, 60)
    clock.jump(step_s)
    await pass_time(clock, time, 60)
    assert time.read_s() == pytest.approx(120)
    assert time.since_s(created_at) <= 120.001


async def test_the_time_since_a_moment_skips_forward_steps_and_suspensions() -> None:
    clock = FakeClock()
    time = RunningTime(clock)
    await pass_time(clock, time, 100)
    moment = clock.now()
    await pass_time(clock, time, 100)
    clock.jump(HOUR_S)
    await pass_time(clock, time, 100)
    await clock.suspend(HOUR_S)
    await pass_time(clock, time, 100)
    assert time.since_s(moment) == pytest.approx(300, abs=MAX_STEP_S + 5)
    later = clock.now()
    await pass_time(clock, time, 50)
    assert time.since_s(later) == pytest.approx(50)


async def test_a_backward_step_never_makes_a_moment_older() -> None:
    clock = FakeClock()
    time = RunningTime(clock)
    await pass_time(clock, time, 100)
    moment = clock.now()
    clock.jump(-HOUR_S)
    await pass_time(clock, time, 100)
    assert 0 <= time.since_s(moment) <= 100
    moment = clock.now()
    await pass_time(clock, time, 100)
    assert time.since_s(moment) == pytest.approx(100, abs=5)


async def test_a_moment_before_the_start_counts_from_the_start() -> None:
    clock = FakeClock()
    moment = clock.now()
    await clock.advance(HOUR_S * 24)
    time = RunningTime(clock)
    await pass_time(clock, time, 30)
    assert time.since_s(moment) == pytest.approx(30)


async def test_a_moment_in_the_future_is_no_time_ago() -> None:
    clock = FakeClock()
    time = RunningTime(clock)
    future = clock.now().replace(year=2030)
    assert time.since_s(future) == 0.0


async def test_slow_drift_of_the_wall_clock_is_followed() -> None:
    clock = FakeClock()
    time = RunningTime(clock)
    for _ in range(200):
        await clock.advance(5)
        clock.jump(0.5)
        time.read_s()
    moment = clock.now()
    await pass_time(clock, time, 60)
    assert time.since_s(moment) == pytest.approx(60, abs=6)


async def test_a_stopwatch_starts_with_what_had_elapsed_and_can_be_restarted() -> None:
    clock = FakeClock()
    time = RunningTime(clock)
    watch = Stopwatch(time, elapsed_s=15.0)
    await clock.advance(5)
    assert watch.elapsed_s == pytest.approx(20)
    watch.restart()
    await clock.advance(5)
    assert watch.elapsed_s == pytest.approx(5)


async def test_keep_reading_counts_idle_time_in_full() -> None:
    clock = FakeClock()
    time = RunningTime(clock)
    reading = asyncio.create_task(time.keep_reading())
    await clock.advance(1000)
    reading.cancel()
    assert time.read_s() == pytest.approx(1000)


ZONES = st.integers(-23, 23).map(lambda hours: timezone(timedelta(hours=hours)))


@given(st.datetimes(datetime(2, 1, 1), datetime(9998, 1, 1), timezones=st.just(UTC) | ZONES))  # noqa: DTZ001
def test_a_time_is_formatted_in_utc_with_milliseconds(moment: datetime) -> None:
    text = format_time(moment)
    assert text == moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
