import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.background.backoff import backoff_s
from services.worker.concurrency_limit import MAX_CONCURRENT_STARTS, BackoffTimer, ConcurrencyLimit, poll_interval_s
from tests.support.fake_backend import FakeBackend
from tests.support.fake_clock import FakeClock


@given(st.integers(0, 10_000))
def test_backoff_grows_to_its_maximum_and_is_never_zero(failures: int) -> None:
    assert 0.25 <= backoff_s(failures) <= 30.0
    assert backoff_s(failures, base_s=1.0, max_s=4.0) <= 4.0


@given(st.integers(0, 10_000))
def test_polls_without_changes_are_at_most_twice_as_far_apart(unchanged: int) -> None:
    assert 0.8 <= poll_interval_s(1.0, unchanged=unchanged) <= 2.0
    assert poll_interval_s(1.0, unchanged=min(unchanged, 3)) <= 1.0


async def test_a_pause_grows_with_each_later_failure_and_is_reset_by_a_success() -> None:
    clock = FakeClock()
    timer = BackoffTimer(clock)
    assert timer.remaining_s == 0.0
    lengths = []
    for _ in range(10):
        timer.record_failure()
        lengths.append(timer.remaining_s)
        timer.record_failure()
        assert timer.remaining_s == lengths[-1]
        await clock.advance(timer.remaining_s)
        assert timer.remaining_s == pytest.approx(0.0, abs=1e-5)
        await clock.advance(1e-5)
    assert lengths[0] <= 0.5
    assert lengths[-1] >= 15.0
    timer.record_failure()
    timer.reset()
    assert timer.remaining_s == 0.0
    timer.record_failure()
    assert timer.remaining_s <= 0.5


def new_limit(clock: FakeClock, *, capacity: int = 25) -> ConcurrencyLimit:
    return ConcurrencyLimit(FakeBackend(capacity=capacity), clock, wake=asyncio.Event())


async def test_a_rejection_halves_the_limit_and_each_finished_render_raises_it_by_one() -> None:
    clock = FakeClock()
    concurrency = new_limit(clock)
    limits = []
    for _ in range(6):
        concurrency.decrease(acquired_at_s=clock.monotonic())
        limits.append(concurrency.limit)
        await clock.advance(60)
    assert limits == [12, 6, 3, 1, 1, 1]
    for limit in [*range(2, 26), 25, 25]:
        concurrency.increase()
        assert concurrency.limit == limit


async def test_renders_acquired_before_the_last_decrease_do_not_decrease_the_limit_again() -> None:
    clock = FakeClock()
    concurrency = new_limit(clock)
    await clock.advance(1)
    for _ in range(20):
        concurrency.decrease(acquired_at_s=0.0)
        await clock.advance(1)
    assert (concurrency.limit, concurrency.pause_s) == (12, 0.0)


async def test_a_start_is_allowed_below_both_limits_and_outside_a_pause() -> None:
    clock = FakeClock()
    concurrency = new_limit(clock, capacity=30)
    assert concurrency.allows_start(running=29, starting=MAX_CONCURRENT_STARTS - 1)
    assert not concurrency.allows_start(running=30, starting=0)
    assert not concurrency.allows_start(running=20, starting=MAX_CONCURRENT_STARTS)
    concurrency.decrease(acquired_at_s=clock.monotonic())
    assert not concurrency.allows_start(running=0, starting=0)
    concurrency.increase()
    assert concurrency.allows_start(running=15, starting=0)
    assert not concurrency.allows_start(running=16, starting=0)
