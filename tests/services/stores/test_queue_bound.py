"""The guarantee of `RenderStore.acquire`, checked on the embedded store in random histories with adversarial arrivals.

A caller without a queued render adds one: it waits for those that were started before and have not ended, and for at
most one render of each other owner with queued ones, unless the caller is ahead of its share. Then the others are
served up to the caller's lead, which is at most the cost of its last render.

`QUEUE_HISTORIES=5000` runs so many histories instead of 30.
"""

import asyncio
import itertools
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.media import Media
from services.models import Render
from services.renders import lifecycle
from services.renders.fair_queue import cost
from services.stores.sqlite import SqliteStore, open_sqlite_store
from tests.conftest import PROPS
from tests.support.fake_clock import FakeClock
from tests.support.stored_renders import OUTPUT, window

HISTORIES = int(os.environ.get("QUEUE_HISTORIES", "30"))
WEIGHTS = {"ann": 1.0, "bob": 1.0, "cat": 0.5, "dan": 4.0, "eve": 1.0}
WORKERS, CAPACITY = ("w1", "w2", "w3"), 2
LEASE = timedelta(seconds=15)
EMPTY = """
    PRAGMA synchronous = OFF;
    DELETE FROM renders;
    DELETE FROM quota_windows;
    UPDATE queue SET virtual_time = 0;
    """

owners = st.sampled_from(sorted(WEIGHTS))
nothing = st.just(0)
adds = [
    st.tuples(st.just("add"), owners, st.sampled_from([1, 30, 3000]), st.integers(1, 8)),
    st.tuples(st.just("add"), owners, st.just(90), st.just(1)),
]
work = st.tuples(st.just("work"), st.integers(0, len(WORKERS) - 1), nothing, nothing)
ends = st.tuples(
    st.sampled_from(["finish", "finish", "retry", "delay", "cancel running"]), nothing, st.integers(0, 9), nothing
)
others = st.tuples(st.sampled_from(["cancel", "pass", "die"]), nothing, st.integers(0, 40), nothing)
steps = st.one_of(*adds, work, work, ends, ends, others)


class StepClock(FakeClock):
    """A clock for a store alone, in which no task waits for time to pass."""

    def step(self, seconds: float) -> None:
        self._now += timedelta(seconds=seconds)


@dataclass
class Wait:
    """A caller's only queued render: what it may wait for, and what was acquired before it."""

    render: Render
    started: frozenset[str]
    owners: frozenset[str]
    lead: int
    before: dict[str, Render] = field(default_factory=dict)


class History:
    """A queue with workers. It notes what each render waits for that its caller added while it had none queued."""

    def __init__(self, store: SqliteStore, clock: StepClock) -> None:
        self.store, self.clock = store, clock
        self.renders: dict[str, Render] = {}  # unfinished ones, the newest state
        self.acquired: set[str] = set()  # those that were acquired at least once
        self.running: list[tuple[str, str]] = []  # (worker, id)
        self.waits: list[Wait] = []
        self.costs: dict[str, int] = {}  # of each owner's last acquired render
        self._numbers = itertools.count()

    async def step(self, kind: str, who: str | int, number: int, times: int) -> None:
        """Do what a step says, if it is possible."""
        if kind == "add":
            await self._add(str(who), number, times)
        elif kind == "work":
            await self._work(WORKERS[int(who)])
        elif kind == "pass":
            self.clock.step(number)
        elif kind == "die":
            dead = WORKERS[number % len(WORKERS)]
            self.running = [each for each in self.running if each[0] != dead]
        elif kind == "cancel":
            queued = [each for each in self.renders.values() if each.status.value == "queued"]
            if queued:
                await self._change(None, lifecycle.cancel(queued[number % len(queued)], now=self.clock.now()))
        elif self.running:
            await self._end(kind, *self.running.pop(number % len(self.running)))

    async def _add(self, owner: str, length: int, times: int) -> None:
        self.clock.step(0.001)
        media = Media(frames=length, fps=30.0, width=64, height=64)
        renders = [
            Render(id=f"{next(self._numbers):026}", owner=owner, created_at=self.clock.now(), props=PROPS, media=media)
            for _ in range(times)
        ]
        others = [each for each in self.renders.values() if each.status.value == "queued" and each.owner != owner]
        has_queued = any(each.owner == owner and each.status.value == "queued" for each in self.renders.values())
        lead = await self._lead(owner)
        await self.store.add_many(renders, window(owner, limit=10_000), weight=WEIGHTS[owner])
        self.renders.update((render.id, render) for render in renders)
        if not has_queued:
            started = frozenset(self.acquired & self.renders.keys())
            fresh = frozenset(each.owner for each in others if each.id not in started)
            self.waits.append(Wait(renders[0], started, fresh, lead))

    async def _lead(self, owner: str) -> int:
        query = "SELECT max(finish_key), (SELECT virtual_time FROM queue) FROM renders WHERE owner = ?"
        last, now = await self.store._file.read(lambda db: db.execute(query, (owner,)).fetchone())
        return max(int(last or 0) - int(now), 0)

    async def _work(self, worker: str) -> None:
        """Acquire one render if there is capacity, and record its launch; an owner can cancel it in between."""
        if sum(each[0] == worker for each in self.running) >= CAPACITY:
            return
        render = await self.store.reacquire(worker=worker, lease=LEASE)
        render = render or await self.store.acquire(worker=worker, lease=LEASE)
        if render is None:
            return
        if render.id not in self.acquired:
            self.costs[render.owner] = cost(render, weight=WEIGHTS[render.owner])
        self.acquired.add(render.id)
        for wait in self.waits:
            wait.before[render.id] = render
        for wait in [each for each in self.waits if each.render.id == render.id]:
            self.waits.remove(wait)
            check(wait)
        if render.status.value == "queued":
            render = await self._change(worker, lifecycle.launch(render, now=self.clock.now()))
        self.running = [each for each in self.running if each[1] != render.id] + [(worker, render.id)]

    async def _end(self, kind: str, worker: str, render_id: str) -> None:
        render = self.renders[render_id]
        due_at = self.clock.now() + timedelta(seconds=10)
        if kind == "finish":
            ended = lifecycle.complete(render, output=OUTPUT, cost_usd=None, warnings=(), now=self.clock.now())
        elif kind == "cancel running":
            ended = lifecycle.cancel(render, now=self.clock.now())
        else:
            ended = lifecycle.requeue(render, due_at=due_at) if kind == "delay" else lifecycle.interrupt(render)
        await self._change(worker, ended)

    async def _change(self, worker: str | None, changed: Render) -> Render:
        assert await self.store.record(changed, worker=worker, lease=None if worker is None else LEASE)
        self.renders[changed.id] = changed
        if changed.status.is_terminal:
            del self.renders[changed.id]
            self.running = [each for each in self.running if each[1] != changed.id]
            self.waits = [each for each in self.waits if each.render.id != changed.id]
        return changed


def check(wait: Wait) -> None:
    """Check what a render has waited for, now that it is acquired."""
    new = [each for id_, each in wait.before.items() if id_ not in wait.started and id_ != wait.render.id]
    assert all(each.owner != wait.render.owner for each in new)
    if wait.lead == 0:
        assert len(new) <= len(wait.owners)
        assert {each.owner for each in new} <= wait.owners
    for owner in {each.owner for each in new}:
        served = [cost(each, weight=WEIGHTS[owner]) for each in new if each.owner == owner]
        assert sum(served[:-1]) <= wait.lead


async def run(path: Path, history: Sequence[tuple[str, str | int, int, int]]) -> None:
    clock = StepClock()
    async with open_sqlite_store(path, clock) as store:
        store._file.connection.executescript(EMPTY)
        machine = History(store, clock)
        for step in history:
            await machine.step(*step)
        for _ in range(10 + 2 * len(machine.renders)):  # every render is acquired in the end
            await machine.step("work", 0, 0, 0)
            await machine.step("finish", "", 0, 0)
            clock.step(0 if machine.running else 5)
        assert machine.renders == {}
        assert machine.waits == []


@pytest.mark.slow
@settings(max_examples=HISTORIES, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.lists(steps, min_size=25, max_size=60))
def test_a_caller_without_queued_renders_waits_for_a_bounded_number_of_others(
    tmp_path: Path, history: Sequence[tuple[str, str | int, int, int]]
) -> None:
    asyncio.run(run(tmp_path / "renders.sqlite3", history))
