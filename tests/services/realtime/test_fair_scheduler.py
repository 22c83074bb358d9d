"""The turns of callers: their order, who waits, and what is measured. The time is the test's."""

import asyncio
from collections.abc import Callable
from itertools import pairwise

import pytest

from services.realtime.fair_scheduler import BURST_S, CONTENTION_S, MAX_BUDGETS, SHARE, SLICE_S, FairScheduler, Slices
from tests.support.fake_clock import settle


class Bench:
    """Turns in the test's time, and the steps that have run."""

    def __init__(self) -> None:
        self.time_s = 100.0
        self.pauses = 0
        self.steps: list[str] = []
        self.scheduler = FairScheduler(self._count_pause, now_s=lambda: self.time_s)

    def _count_pause(self) -> None:
        self.pauses += 1

    def enqueue(self, caller_id: str, name: str, *, takes_s: float = 0.0) -> None:
        self.scheduler.budget(caller_id).enqueue(self._step(name, takes_s))

    def _step(self, name: str, takes_s: float) -> Callable[[], None]:
        def step() -> None:
            self.steps.append(name)
            self.time_s += takes_s

        return step


@pytest.fixture
def bench() -> Bench:
    return Bench()


async def test_callers_take_turns_and_a_callers_steps_keep_their_order(bench: Bench) -> None:
    for number in range(3):
        bench.enqueue("ann", f"a{number}")
    bench.enqueue("bob", "b0")
    assert bench.steps == []
    await settle()
    assert bench.steps == ["a0", "b0", "a1", "a2"]


async def test_only_a_slice_of_steps_is_started_before_other_tasks_run(bench: Bench) -> None:
    for number in range(100):
        bench.enqueue("ann", str(number), takes_s=0.0006)
    started = []
    while len(bench.steps) < 100:
        await asyncio.sleep(0)
        started.append(len(bench.steps))
    assert max(after - before for before, after in pairwise(started)) <= 2


async def test_a_caller_who_is_alone_never_waits(bench: Bench) -> None:
    for number in range(10):
        bench.enqueue("ann", str(number), takes_s=1.0)
    await settle()
    assert len(bench.steps) == 10
    assert bench.scheduler.budget("ann").has_time(bench.time_s)
    assert bench.pauses == 0


async def test_a_caller_over_its_share_waits_while_another_is_active_and_the_other_does_not(bench: Bench) -> None:
    bench.enqueue("ann", "a0", takes_s=1.0)
    await settle()
    bench.enqueue("bob", "b0")
    bench.enqueue("ann", "a1")
    await settle()
    assert bench.steps == ["a0", "b0"]
    assert bench.pauses == 1
    assert not bench.scheduler.budget("ann").has_time(bench.time_s)
    bench.enqueue("bob", "b1")
    await settle()
    assert bench.steps == ["a0", "b0", "b1"]
    bench.time_s += (1.0 - BURST_S) / SHARE
    bench.enqueue("bob", "b2")
    await settle()
    assert bench.steps[3:] == ["a1", "b2"]


async def test_a_caller_who_is_active_without_steps_makes_another_wait(bench: Bench) -> None:
    bench.scheduler.note_activity("bob")
    bench.enqueue("ann", "a0", takes_s=0.1)
    await settle()
    assert not bench.scheduler.budget("ann").has_time(bench.time_s)
    bench.scheduler.note_activity("ann")
    assert not bench.scheduler.budget("ann").has_time(bench.time_s)
    bench.enqueue("ann", "a1")
    await settle()
    assert (bench.steps, bench.pauses) == (["a0"], 1)


async def test_a_caller_over_its_share_goes_on_when_the_others_have_stopped(bench: Bench) -> None:
    bench.enqueue("bob", "b0")
    bench.enqueue("ann", "a0", takes_s=60.0)
    await settle()
    bench.enqueue("bob", "b1")
    await settle()
    assert not bench.scheduler.budget("ann").has_time(bench.time_s)
    bench.time_s += CONTENTION_S
    bench.enqueue("ann", "a1")
    await settle()
    assert bench.steps[-1] == "a1"


async def test_the_time_of_a_task_until_it_waits_is_charged_to_its_caller(bench: Bench) -> None:
    async def work(caller_id: str) -> None:
        await bench.scheduler.turn(caller_id)
        bench.time_s += 1.0
        await asyncio.sleep(0)
        bench.time_s += 1000.0  # no longer its turn

    bench.enqueue("bob", "b0")
    await work("ann")
    bench.time_s -= 1000.0
    assert bench.scheduler.budget("ann").wait_s(bench.time_s) == pytest.approx((1.0 - BURST_S) / SHARE - 1.0)
    assert bench.scheduler.budget("bob").wait_s(bench.time_s) == 0


async def test_a_cancelled_turn_delays_no_other(bench: Bench) -> None:
    waiting = asyncio.create_task(bench.scheduler.turn("ann"))
    await asyncio.sleep(0)
    waiting.cancel()
    await bench.scheduler.turn("ann")
    assert waiting.cancelled()


async def test_accounts_of_idle_callers_are_forgotten_and_debts_are_not(bench: Bench) -> None:
    bench.scheduler.budget("ann").charge(1.0)
    for number in range(MAX_BUDGETS + 10):
        bench.scheduler.budget(str(number))
    assert bench.scheduler.budget("ann").wait_s(bench.time_s) > 0
    bench.time_s += 60
    for number in range(20):
        bench.scheduler.budget(f"later {number}")
    assert len(bench.scheduler._budgets) <= MAX_BUDGETS


async def test_long_work_lets_other_tasks_run_after_each_slice(bench: Bench) -> None:
    slices = Slices(now_s=lambda: bench.time_s)
    bench.enqueue("ann", "waited")
    await slices.pause()
    assert bench.steps == []
    bench.time_s += SLICE_S
    await slices.pause()
    assert bench.steps == ["waited"]
    bench.enqueue("ann", "waited again")
    await slices.pause()
    assert bench.steps == ["waited"]
