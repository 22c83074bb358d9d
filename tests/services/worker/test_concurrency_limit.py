import asyncio

from hypothesis import given
from hypothesis import strategies as st

from services.backoff import backoff_s
from services.worker.concurrency_limit import MAX_STARTS, ConcurrencyLimit, GrowingPause, poll_interval_s
from tests.support.fakes import START_OF_TIME, FakeBackend, FakeClock


@given(st.integers(0, 10_000))
def test_the_wait_grows_to_its_limit_and_is_never_nothing(failures: int) -> None:
    assert 0.25 <= backoff_s(failures) <= 30.0
    assert backoff_s(failures, first_s=1.0, longest_s=4.0) <= 4.0


@given(st.integers(0, 10_000))
def test_polls_without_news_come_at_most_twice_as_late(unchanged: int) -> None:
    assert 0.8 <= poll_interval_s(1.0, unchanged=unchanged) <= 2.0
    assert poll_interval_s(1.0, unchanged=min(unchanged, 3)) <= 1.0


async def test_a_pause_grows_with_each_failure_that_follows_it_and_ends_with_a_success() -> None:
    clock = FakeClock()
    pause = GrowingPause(clock)
    assert pause.left_s == 0.0
    lengths = []
    for _ in range(10):
        pause.fail()
        lengths.append(pause.left_s)
        pause.fail()
        assert pause.left_s == lengths[-1]
        await clock.advance(pause.left_s)
        assert pause.left_s == 0.0
    assert lengths[0] <= 0.5
    assert lengths[-1] >= 15.0
    pause.fail()
    pause.succeed()
    assert pause.left_s == 0.0
    pause.fail()
    assert pause.left_s <= 0.5


def room(clock: FakeClock, *, capacity: int = 25) -> ConcurrencyLimit:
    return ConcurrencyLimit(FakeBackend(capacity=capacity), clock, wake=asyncio.Event())


async def test_room_is_halved_by_what_found_none_and_grows_by_what_finishes() -> None:
    clock = FakeClock()
    narrowing = room(clock)
    capacities = []
    for _ in range(6):
        narrowing.narrow(taken_at=clock.now())
        capacities.append(narrowing.capacity)
        await clock.advance(60)
    assert capacities == [12, 6, 3, 1, 1, 1]
    for capacity in [*range(2, 26), 25, 25]:
        narrowing.widen()
        assert narrowing.capacity == capacity


async def test_what_was_taken_before_room_was_halved_does_not_halve_it_again() -> None:
    clock = FakeClock()
    narrowing = room(clock)
    await clock.advance(1)
    for _ in range(20):
        narrowing.narrow(taken_at=START_OF_TIME)
        await clock.advance(1)
    assert (narrowing.capacity, narrowing.pause_s) == (12, 0.0)


async def test_another_render_fits_only_beside_few_enough_and_not_in_a_pause() -> None:
    clock = FakeClock()
    some = room(clock, capacity=30)
    assert some.fits(carried=29, starting=MAX_STARTS - 1)
    assert not some.fits(carried=30, starting=0)
    assert not some.fits(carried=20, starting=MAX_STARTS)
    some.narrow(taken_at=clock.now())
    assert not some.fits(carried=0, starting=0)
    some.widen()
    assert some.fits(carried=15, starting=0)
    assert not some.fits(carried=16, starting=0)
