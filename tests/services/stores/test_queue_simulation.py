"""Fifty users of the embedded store in virtual time, one of whom adds many rows at once.

`QUEUE_ROWS=10000` adds 10,000 rows instead of 300, and simulates longer in proportion.
"""

import heapq
import itertools
import logging
import os
import random
import statistics
from datetime import timedelta
from pathlib import Path

from services.ids import new_render_id
from services.models import Render
from services.renders import lifecycle
from services.stores.sqlite import open_sqlite_store
from tests.conftest import PROPS
from tests.services.stores.test_queue_bound import StepClock
from tests.support.stored_renders import OUTPUT, window

ROWS = int(os.environ.get("QUEUE_ROWS", "300"))
CAPACITY = 10
RENDER_S = 10.0  # of one render on average, from 5 to 15. If all took as long, all places would become free at once
USERS = [f"user-{number}" for number in range(49)]
LOAD = 0.4  # of the capacity, by the 49 users together; the rows get the rest
HOUR = timedelta(hours=1)

log = logging.getLogger(__name__)


async def waits_s(folder: Path, *, rows: int) -> list[float]:  # one event after the other
    """Return for each of the other users' renders the seconds from its start to its end."""
    clock, chances, lengths = StepClock(), random.Random(7), random.Random(8)  # noqa: S311
    until_s = ROWS * RENDER_S / CAPACITY / (1 - LOAD)
    starts: list[float] = []
    while (last := starts[-1] if starts else 0.0) < until_s:
        starts.append(last + chances.expovariate(LOAD * CAPACITY / RENDER_S))
    events = [(start_s, index, "start") for index, start_s in enumerate(starts)]
    heapq.heapify(events)
    numbers = itertools.count(len(events))
    started_s: dict[str, float] = {}
    ended: list[float] = []
    running: dict[int, Render] = {}

    def new(owner: str) -> Render:
        return Render(id=new_render_id(clock.now()), owner=owner, created_at=clock.now(), props=PROPS)

    async with open_sqlite_store(folder / "renders.sqlite3", clock) as store:
        store._file.connection.execute("PRAGMA synchronous = OFF")
        for first in range(0, rows, 100):
            batch = [new("rows") for _ in range(min(100, rows - first))]
            await store.add_many(batch, window("rows", limit=rows))
        events.append((0.0, next(numbers), "wake"))
        while events:
            now_s, number, kind = heapq.heappop(events)
            clock.step(now_s - clock.monotonic())
            if kind == "start":
                render = new(chances.choice(USERS))
                started_s[render.id] = now_s
                await store.add(render, window(render.owner, limit=10_000))
            elif kind == "end":
                render = running.pop(number)
                completed = lifecycle.complete(render, output=OUTPUT, cost_usd=None, warnings=(), now=clock.now())
                assert await store.record(completed, worker="w")
                if render.id in started_s:
                    ended.append(now_s - started_s[render.id])
            while len(running) < CAPACITY and (next_one := await store.acquire(worker="w", lease=HOUR)):
                launched = lifecycle.launch(next_one, now=clock.now())
                await store.record(launched, worker="w", lease=HOUR)
                number = next(numbers)
                running[number] = launched
                heapq.heappush(events, (now_s + RENDER_S * lengths.uniform(0.5, 1.5), number, "end"))
    assert len(ended) == len(started_s)
    return ended


async def test_many_rows_of_one_user_delay_the_others_little(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("alone", "beside")]
    for folder in folders:
        folder.mkdir()
    alone, beside = [await waits_s(folder, rows=rows) for folder, rows in zip(folders, (0, ROWS), strict=True)]
    figures = [round(of(times), 1) for times in (alone, beside) for of in (statistics.median, max)]
    log.info("%d rows, %d others: median and longest alone and beside: %s s", ROWS, len(alone), figures)
    assert statistics.median(beside) <= 1.5 * statistics.median(alone)
    assert max(beside) <= 3 * max(alone)
