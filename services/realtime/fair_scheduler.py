"""Fair scheduling of the event loop's CPU time: round robin between callers, with a token bucket of time for each.

Without it, the subscriptions and documents of one caller would delay those of the others. The work of a caller is
divided into steps: the start of an operation, an event of a subscription. The steps wait in a queue of their caller,
and the callers take turns. Between two iterations of the event loop, steps of about `SLICE_S` are started. Each is
measured: a caller who has used more than `SHARE` of the time lately waits, if another caller was active within
`CONTENTION_S`, by any operation. A caller who is alone never waits.
"""

import asyncio
import math
from collections import OrderedDict, deque
from collections.abc import Callable
from time import perf_counter

SLICE_S = 0.001
SHARE = 0.25  # of one CPU
BURST_S = 0.005  # that a caller may use at once after a pause
CONTENTION_S = 1.0
MAX_BUDGETS = 10_000  # then those that have used nothing lately are forgotten
MAX_SKIPPED = 64  # callers that are looked at for one whose turn it is
EXPECTED_STEP_S = 0.0005  # before a caller's first step has been measured
DECAY = 0.2  # of the difference when steps become shorter; longer ones count at once

MAX_READS_AT_ONCE = 2  # long ones, of one caller's subscriptions

Step = Callable[[], None]


class CallerBudget:
    """The CPU time that one caller may use now, a token bucket, and the steps of the caller that wait."""

    # Slots: it is touched at each change that is pushed (see docs/decisions/0012-fast-path.md).
    __slots__ = ("_balance_s", "_reads", "_scheduler", "_updated_s", "caller_id", "now_s", "step_s", "steps")

    def __init__(self, scheduler: "FairScheduler", caller_id: str) -> None:
        self._scheduler = scheduler
        self.caller_id = caller_id
        self.now_s = scheduler.now_s
        self.steps: deque[Step] = deque()
        self.step_s = EXPECTED_STEP_S  # the expected time of a step
        self._balance_s = BURST_S
        self._reads: asyncio.Semaphore | None = None
        self._updated_s = self.now_s()

    @property
    def reads(self) -> asyncio.Semaphore:
        """Limits the long reads of the store that subscriptions of the caller make at once: drivers use threads."""
        if self._reads is None:
            self._reads = asyncio.Semaphore(MAX_READS_AT_ONCE)
        return self._reads

    def wait_s(self, now_s: float) -> float:
        """Return after how many seconds the caller is within its share again; 0 if it is."""
        balance_s = self._balance_s + (now_s - self._updated_s) * SHARE
        self._balance_s = min(BURST_S, balance_s)
        self._updated_s = now_s
        return 0.0 if balance_s > 0 else -balance_s / SHARE

    def charge(self, used_s: float) -> None:
        """Subtract the time that the caller has used."""
        self._balance_s -= used_s

    def has_time(self, at_s: float) -> bool:
        """Return whether the caller is within its share at this time of `now_s()`, or alone."""
        return self._scheduler.wait_s(self, at_s) == 0

    def enqueue(self, step: Step) -> None:
        """Call `step` in the caller's turn. It must not raise or block; it may resume one task."""
        self._scheduler.enqueue(self, step)

    def is_idle(self, now_s: float) -> bool:
        """Return whether nothing waits and nothing was used lately."""
        reads = self._reads is not None and self._reads.locked()
        return not self.steps and not reads and self.wait_s(now_s) == 0 and self._balance_s == BURST_S


class FairScheduler:
    """Runs the steps of callers in turn on the running event loop. `on_delay` is called when all of them must wait."""

    def __init__(self, on_delay: Callable[[], None], *, now_s: Callable[[], float] = perf_counter) -> None:
        self.now_s = now_s
        self._on_delay = on_delay
        self._budgets: OrderedDict[str, CallerBudget] = OrderedDict()  # the one that was looked up last at the end
        self._waiting: OrderedDict[CallerBudget, None] = OrderedDict()  # with steps, in order of their turns
        self._latest: tuple[str, float] = "", -math.inf  # the caller who was active last, and when
        self._previous: tuple[str, float] = "", -math.inf  # the last other caller who was active, and when
        self._is_scheduled = False  # whether `_run` is called in the next iteration of the event loop
        self._timer: asyncio.TimerHandle | None = None  # of `_run`, while all callers with steps wait
        self._measured_s = 0.0

    def budget(self, caller_id: str) -> CallerBudget:
        """Return the budget of a caller, a new one if there is none."""
        budget = self._budgets.get(caller_id)
        if budget is None:
            self._forget_idle()
            budget = self._budgets[caller_id] = CallerBudget(self, caller_id)
        self._budgets.move_to_end(caller_id)
        return budget

    async def turn(self, caller_id: str) -> None:
        """Wait for the caller's turn. What the task then does until it next waits is the step that is measured."""
        turn = asyncio.get_running_loop().create_future()
        self.budget(caller_id).enqueue(lambda: None if turn.done() else turn.set_result(None))
        await turn

    def note_activity(self, caller_id: str) -> None:
        """Record that a caller is active, also without steps: other callers are now limited to their share."""
        if self._latest[0] != caller_id:
            self._previous = self._latest
        self._latest = caller_id, self.now_s()

    def enqueue(self, budget: CallerBudget, step: Step) -> None:
        """Call `step` in the turn of the budget's caller. It must not raise or block; it may resume one task."""
        self.note_activity(budget.caller_id)
        budget.steps.append(step)
        self._waiting.setdefault(budget)
        if not self._is_scheduled:
            self._is_scheduled = True
            asyncio.get_running_loop().call_soon(self._run)

    def _run(self) -> None:
        """Start steps of callers in turn; each is followed by its measurement."""
        loop, now_s = asyncio.get_running_loop(), self.now_s()
        self._cancel_timer()
        loop.call_soon(self._start_measuring)
        expected_s = 0.0
        waits_s: list[float] = []
        while expected_s < SLICE_S and len(waits_s) < min(len(self._waiting), MAX_SKIPPED):
            budget = next(iter(self._waiting))
            if (wait_s := self.wait_s(budget, now_s)) > 0:
                waits_s.append(wait_s)
                self._waiting.move_to_end(budget)
            else:
                expected_s += self._run_step(budget, loop)
        self._is_scheduled = bool(expected_s) or len(waits_s) < len(self._waiting)
        if self._is_scheduled:
            loop.call_soon(self._run)
        elif self._waiting:
            self._on_delay()
            self._timer = loop.call_later(min(waits_s), self._run)

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _run_step(self, budget: CallerBudget, loop: asyncio.AbstractEventLoop) -> float:
        """Start the caller's next step; return how long it is expected to take."""
        step = budget.steps.popleft()
        if budget.steps:
            self._waiting.move_to_end(budget)
        else:
            del self._waiting[budget]
        started_s = self.now_s()
        step()
        budget.charge(used_s := self.now_s() - started_s)
        loop.call_soon(self._measure, budget)
        return max(used_s, budget.step_s)

    def _start_measuring(self) -> None:
        self._measured_s = self.now_s()

    def _measure(self, budget: CallerBudget) -> None:
        """Charge the time since the last measurement to the caller: only its task ran meanwhile."""
        now_s = self.now_s()
        used_s, self._measured_s = now_s - self._measured_s, now_s
        budget.step_s = max(used_s, budget.step_s + (used_s - budget.step_s) * DECAY)
        budget.charge(used_s)

    def wait_s(self, budget: CallerBudget, now_s: float) -> float:
        """Return after how many seconds the caller may go on; 0 if it may now."""
        other_s = self._previous[1] if self._latest[0] == budget.caller_id else self._latest[1]
        return budget.wait_s(now_s) if now_s - other_s < CONTENTION_S else 0.0

    def _forget_idle(self) -> None:
        """Forget the least recently used budgets beyond the limit, if they are idle."""
        now_s = self.now_s()
        while len(self._budgets) >= MAX_BUDGETS:
            caller_id, budget = next(iter(self._budgets.items()))
            if not budget.is_idle(now_s):
                return
            del self._budgets[caller_id]


class Slices:
    """Divides long work that no caller has caused, so that other tasks run in between."""

    def __init__(self, *, now_s: Callable[[], float] = perf_counter) -> None:
        self._now_s = now_s
        self._started_s = now_s()

    async def pause(self) -> None:
        """Let other tasks run, if the work has taken `SLICE_S` since they ran last."""
        if self._now_s() - self._started_s >= SLICE_S:
            await asyncio.sleep(0)
            self._started_s = self._now_s()
