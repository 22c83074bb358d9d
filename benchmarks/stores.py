"""CPU time of the stores' operations, whatever is stored, queued and under way.

`python -m benchmarks.stores [sqlite|mongodb] [renders …]`. One owner has all the renders. SQLite is the store of
`rendercast dev`: the time is that of its thread and of the event loop. MongoDB is accessed through motor, as in
production; the server is the compatible one of the tests, so that only the client's CPU time is a figure.
"""

import asyncio
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from services.clock import SystemClock
from services.ids import new_render_id
from services.models import QuotaWindow, Render, RenderFilter, RenderStatus
from services.ports import RenderStore
from services.renders import lifecycle
from services.runtime.motor_client import motor_client
from services.stores.mongo import open_mongo_store
from services.stores.sqlite import open_sqlite_store
from tests.conftest import PROPS
from tests.support.mongo_server import MongoServer

HOUR = timedelta(hours=1)
SIZES = (100, 10_000, 100_000)
UNDER_WAY = (0, 100, 5_000)
QUEUED = 50_000  # at most, and half of the renders
REPETITIONS = 60
NOW = datetime.now(UTC)
Call = Callable[[], Awaitable[object]]


def window(owner: str) -> QuotaWindow:
    return QuotaWindow(owner=owner, limit=10_000_000, starts_at=NOW.replace(microsecond=0), length=HOUR)


def render(owner: str = "ann", **values: object) -> Render:
    return Render(id=new_render_id(NOW), owner=owner, created_at=NOW, props=PROPS, **values)  # type: ignore[arg-type]


@asynccontextmanager
async def open_store(kind: str) -> AsyncIterator[RenderStore]:
    with tempfile.TemporaryDirectory() as folder:
        if kind == "sqlite":
            async with open_sqlite_store(Path(folder) / "renders.sqlite3", SystemClock()) as store:
                yield store
            return
        server = MongoServer(Path(folder) / "data")
        server.start()
        try:
            async with open_mongo_store(motor_client(), f"{server.url}/benchmark") as store:
                yield store
        finally:
            server.stop()


async def fill(store: RenderStore, number: int) -> None:
    """Add renders: half of them, at most `QUEUED`, stay queued, the others are cancelled."""
    ended = max(number // 2, number - QUEUED)
    for start in range(0, number, 100):
        rows = [
            render(batch_id=f"b{start // 1000}", generation_id=f"g{start // 1000}")
            for _ in range(min(100, number - start))
        ]
        await store.add_many(rows, window("ann"))
        if start < ended:
            await store.record_many([lifecycle.cancel(row, now=NOW) for row in rows])


async def launch(store: RenderStore, number: int) -> None:
    """Have this number of renders of another owner be under way."""
    for start in range(0, number, 100):
        await store.add_many([render("bob") for _ in range(min(100, number - start))], window("bob"))
    for _ in range(number):
        acquired = await store.acquire(worker="w", lease=HOUR)
        assert acquired is not None
        await store.record(lifecycle.launch(acquired, now=NOW), worker="w", lease=HOUR)


async def cpu_ms(call: Call) -> float:
    """Return the median CPU time of a call in this process."""
    times = []
    for _ in range(REPETITIONS):
        before = time.process_time()
        await call()
        times.append(time.process_time() - before)
    return sorted(times)[len(times) // 2] * 1000


def calls(store: RenderStore, last: Render, running: list[Render]) -> dict[str, Call]:
    failed = frozenset({RenderStatus.FAILED})
    both = frozenset({RenderStatus.CANCELLED, RenderStatus.FAILED})

    def listing(**conditions: object) -> Call:
        return lambda: store.list(owner="ann", first=20, matching=RenderFilter(**conditions))  # type: ignore[arg-type]

    async def progress() -> None:
        running[0] = lifecycle.accept(running[0], backend_render_id="x")
        assert await store.record(running[0], worker="w", lease=HOUR)

    return {
        "start": lambda: store.add(render("cat"), window("cat")),
        "start of 100": lambda: store.add_many([render("cat") for _ in range(100)], window("cat")),
        "acquire": lambda: store.acquire(worker="w", lease=HOUR),
        "look for abandoned ones": lambda: store.reacquire(worker="w", lease=HOUR),
        "record": progress,
        "position": lambda: store.queue_position(last),
        "queue metrics": store.queue,
        "quota of another user": lambda: store.quota_used(window("dan")),
        "list": listing(),
        "list by status": listing(statuses=failed),
        "list by two statuses": listing(statuses=both),
        "list by generation": listing(generation_id="g0"),
        "list by batch": listing(batch_id="b0"),
        "list by composition": listing(composition_id="TextAnimation"),
        "count of all": lambda: store.count(owner="ann", matching=RenderFilter()),
    }


async def measure(kind: str, number: int, under_way: int) -> dict[str, float]:
    async with open_store(kind) as store:
        await launch(store, under_way)
        await fill(store, number)
        last = render()
        await store.add(last, window("ann"))
        acquired = await store.acquire(worker="w", lease=HOUR)
        assert acquired is not None
        running = lifecycle.launch(acquired, now=NOW)
        await store.record(running, worker="w", lease=HOUR)
        return {name: await cpu_ms(call) for name, call in calls(store, last, [running]).items()}


async def run(kind: str, sizes: list[int]) -> None:
    columns = [(number, 0) for number in sizes] + [(min(10_000, max(sizes)), each) for each in UNDER_WAY[1:]]
    results = [await measure(kind, *column) for column in columns]
    print(f"\n## {kind}: CPU time of an operation, ms\n")
    print("| renders stored, under way |" + "".join(f" {number:,}, {each:,} |" for number, each in columns))
    print("|---|" + "---:|" * len(columns))
    for name in results[0]:
        print(f"| {name} |" + "".join(f" {result[name]:.2f} |" for result in results))


def main() -> None:
    kind, *sizes = sys.argv[1:] or ["sqlite"]
    asyncio.run(run(kind, [int(each) for each in sizes] or list(SIZES)))


if __name__ == "__main__":
    main()
