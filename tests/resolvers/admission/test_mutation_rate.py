"""The rate limit on mutations, and its memory use."""

import pytest

from resolvers.admission.mutation_rate import MAX_CALLERS, WINDOW_S, MutationRateLimiter
from services.errors import LimitExceeded


def admitted(rate: MutationRateLimiter, caller: str, number: int, *, now_s: float) -> bool:
    try:
        rate.admit(caller, number, now_s=now_s)
    except LimitExceeded:
        return False
    return True


def test_no_minute_has_more_mutations_than_the_limit() -> None:
    rate = MutationRateLimiter(3)
    times = [0, 1, 59, 59.9, 60, 60.5, 61, 61.1, 118, 119, 121]
    assert [time for time in times if admitted(rate, "ann", 1, now_s=time)] == [0, 1, 59, 60, 61, 119, 121]


def test_the_error_has_the_time_until_the_next_admission() -> None:
    rate = MutationRateLimiter(3)
    for time in (0.0, 10.0, 20.0):
        rate.admit("ann", 1, now_s=time)
    with pytest.raises(LimitExceeded, match=r"You may run 3 mutations per minute\. Try again in 40 seconds\."):
        rate.admit("ann", 1, now_s=20.5)
    with pytest.raises(LimitExceeded, match="in 50 seconds"):
        rate.admit("ann", 2, now_s=20.5)
    rate.admit("ann", 2, now_s=20.5 + 50)


def test_a_request_over_the_limit_is_rejected_and_not_counted() -> None:
    rate = MutationRateLimiter(3)
    with pytest.raises(LimitExceeded):
        rate.admit("ann", 4, now_s=0)
    assert len(rate) == 0
    rate.admit("ann", 3, now_s=0)


def test_callers_have_separate_limits() -> None:
    rate = MutationRateLimiter(1)
    assert admitted(rate, "ann", 1, now_s=0)
    assert admitted(rate, "bob", 1, now_s=0)
    assert not admitted(rate, "ann", 1, now_s=0)


def test_callers_without_a_mutation_for_a_minute_are_removed() -> None:
    rate = MutationRateLimiter(10)
    for number in range(100):
        rate.admit(f"user-{number}", 1, now_s=number)
        rate.admit("regular", 1, now_s=number) if number % 10 == 0 else None
    assert len(rate) == WINDOW_S + 1
    rate.admit("regular", 1, now_s=1000)
    assert len(rate) == 1


def test_the_least_recent_callers_are_removed_beyond_the_maximum() -> None:
    rate = MutationRateLimiter(1)
    for number in range(MAX_CALLERS + 5):
        assert admitted(rate, f"user-{number}", 1, now_s=0)
        assert len(rate) <= MAX_CALLERS
    assert not admitted(rate, f"user-{MAX_CALLERS}", 1, now_s=0)


def test_duplicates_that_are_known_after_the_window_has_ended_are_not_counted() -> None:
    rate = MutationRateLimiter(10)
    rate.admit("ann", 1, now_s=0)
    rate.admit_renders("ann", 20, now_s=0)
    rate.admit("ann", 1, now_s=61)
    rate.forget_renders("ann", 20, duplicates=20)
    assert admitted(rate, "bob", 1, now_s=62)
    assert admitted(rate, "ann", 10, now_s=62)


def test_each_ten_renders_of_a_start_count_as_one_mutation() -> None:
    rate = MutationRateLimiter(12)
    for renders, further in ((1, 0), (10, 0), (11, 1), (100, 9)):
        rate.admit("ann", 1, now_s=0)
        rate.admit_renders("ann", renders, now_s=0)
        assert admitted(rate, "ann", 11 - further, now_s=0)
        assert not admitted(rate, "ann", 1, now_s=0)
        rate = MutationRateLimiter(12)


@pytest.mark.parametrize(("duplicates", "counted"), [(0, 10), (9, 10), (10, 9), (50, 5), (99, 1), (100, 1)])
def test_renders_that_an_earlier_call_had_started_do_not_count(duplicates: int, counted: int) -> None:
    rate = MutationRateLimiter(12)
    rate.admit("ann", 1, now_s=0)
    rate.admit_renders("ann", 100, now_s=0)
    rate.forget_renders("ann", 100, duplicates=duplicates)
    assert admitted(rate, "ann", 12 - counted, now_s=0)
    assert not admitted(rate, "ann", 1, now_s=0)


def test_a_start_of_more_renders_than_the_limit_is_admitted_if_it_is_alone() -> None:
    rate = MutationRateLimiter(3)
    rate.admit("ann", 1, now_s=0)
    rate.admit_renders("ann", 100, now_s=0)
    rate.admit("bob", 2, now_s=0)
    with pytest.raises(LimitExceeded):
        rate.admit_renders("bob", 100, now_s=0)
