from hypothesis import given
from hypothesis import strategies as st

from services.backoff import GrowingPause, backoff_s, poll_interval_s
from tests.fakes import FakeClock


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
