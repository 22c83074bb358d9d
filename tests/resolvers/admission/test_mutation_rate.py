"""How many mutations are admitted, and what is remembered of whom."""

import pytest

from resolvers.admission import mutation_rate
from resolvers.admission.mutation_rate import MAX_CALLERS, WINDOW_S, MutationRate
from services.errors import LimitExceeded


def admitted(rate: MutationRate, caller: str, number: int, *, now_s: float) -> bool:
    try:
        rate.admit(caller, number, now_s=now_s)
    except LimitExceeded:
        return False
    return True


def test_in_any_minute_no_more_are_admitted_than_the_limit() -> None:
    rate = MutationRate(3)
    times = [0, 1, 59, 59.9, 60, 60.5, 61, 61.1, 118, 119, 121]
    assert [time for time in times if admitted(rate, "ann", 1, now_s=time)] == [0, 1, 59, 60, 61, 119, 121]


def test_the_refusal_says_when_it_will_be_admitted() -> None:
    rate = MutationRate(3)
    for time in (0.0, 10.0, 20.0):
        rate.admit("ann", 1, now_s=time)
    with pytest.raises(LimitExceeded, match=r"You may run 3 mutations in a minute\. Try again in 40 seconds\."):
        rate.admit("ann", 1, now_s=20.5)
    with pytest.raises(LimitExceeded, match="in 50 seconds"):
        rate.admit("ann", 2, now_s=20.5)
    rate.admit("ann", 2, now_s=20.5 + 50)


def test_more_at_once_than_a_minute_admits_are_refused_and_none_of_them_is_counted() -> None:
    rate = MutationRate(3)
    with pytest.raises(LimitExceeded):
        rate.admit("ann", 4, now_s=0)
    assert len(rate) == 0
    rate.admit("ann", 3, now_s=0)


def test_callers_dont_share() -> None:
    rate = MutationRate(1)
    assert admitted(rate, "ann", 1, now_s=0)
    assert admitted(rate, "bob", 1, now_s=0)
    assert not admitted(rate, "ann", 1, now_s=0)


def test_who_did_nothing_for_a_minute_is_forgotten() -> None:
    rate = MutationRate(10)
    for number in range(100):
        rate.admit(f"user-{number}", 1, now_s=number)
        rate.admit("regular", 1, now_s=number) if number % 10 == 0 else None
    assert len(rate) == WINDOW_S + 1
    rate.admit("regular", 1, now_s=1000)
    assert len(rate) == 1


def test_a_crowd_makes_the_server_forget_those_who_were_quiet_longest() -> None:
    rate = MutationRate(1)
    for number in range(MAX_CALLERS + 5):
        assert admitted(rate, f"user-{number}", 1, now_s=0)
        assert len(rate) <= MAX_CALLERS
    assert not admitted(rate, f"user-{MAX_CALLERS}", 1, now_s=0)


def test_a_clock_that_is_set_back_refuses_for_a_minute_at_most() -> None:
    rate = MutationRate(1)
    rate.admit("ann", 1, now_s=1000)
    assert mutation_rate.WINDOW_S == 60
    assert not admitted(rate, "ann", 1, now_s=990)
    assert admitted(rate, "ann", 1, now_s=1060)
