"""Which index each query of renders uses, and that acquiring does not depend on how much is queued or under way.

The queries are those that the stores send. SQLite explains its own plans. The server of the tests plans otherwise than
mongod, so for MongoDB the index of a query is checked by the documented rules: an index serves a query and its order if
the fields with equality come first in it, then those of the order
(https://www.mongodb.com/docs/manual/tutorial/equality-sort-range-guideline/); `$in` counts as equality, and its ranges
are merged. No plan of a real mongod was tried.
"""

import itertools
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from pymongo import AsyncMongoClient, IndexModel

from services.clock import SystemClock
from services.models import RenderFilter, RenderStatus
from services.ports import RenderStore
from services.renders import lifecycle
from services.stores.mongo import open_mongo_store
from services.stores.mongo_indexes import INDEXES as MONGO_INDEXES
from services.stores.sqlite import SqliteStore, open_sqlite_store
from tests.conftest import MakeRender
from tests.support.mongo_commands import SentCommands
from tests.support.stored_renders import HOUR, launched, window

S = RenderStatus
RENDERS = MONGO_INDEXES["renders"]
FAILED, ENDED = frozenset({S.FAILED}), frozenset({S.FAILED, S.CANCELLED})
Call = Callable[[RenderStore], Awaitable[object]]


def listing(**conditions: Any) -> Call:
    return lambda store: store.list(owner="ann", first=5, matching=RenderFilter(**conditions), older_than="7")


def counting(**conditions: Any) -> Call:
    return lambda store: store.count(owner="ann", matching=RenderFilter(**conditions))


INDEXES: dict[str, tuple[Call, str]] = {
    "acquire": (lambda store: store.acquire(worker="w", lease=HOUR), "ready"),
    "reacquire": (lambda store: store.reacquire(worker="w", lease=HOUR), "leased_until"),
    "list": (listing(), "of_owner"),
    "list by status": (listing(statuses=FAILED), "of_owner_by_status"),
    "list by statuses": (listing(statuses=ENDED), "of_owner_by_status"),
    "list by generation": (listing(generation_id="g"), "of_generation"),
    "list by generation and statuses": (listing(generation_id="g", statuses=ENDED), "of_generation"),
    "list by batch": (listing(batch_id="b"), "of_batch"),
    "list by batch and status": (listing(batch_id="b", statuses=FAILED), "of_batch"),
    "list by composition": (listing(composition_id="Promo"), "of_composition"),
    "list of all users by status": (
        lambda store: store.list(owner=None, first=5, matching=RenderFilter(statuses=FAILED)),
        "by_status",
    ),
    "count by status": (counting(statuses=FAILED), "of_owner_by_status"),
    "count by generation": (counting(generation_id="g"), "of_generation"),
    "count by batch": (counting(batch_id="b"), "of_batch"),
    "count by composition": (counting(composition_id="Promo"), "of_composition"),
    "progress of a batch": (lambda store: store.count_by_status("ann", "b"), "of_batch"),
    "unfinished": (lambda store: store.unfinished(["ann", "bob"], first=5), "of_owner_by_status"),
    "queue": (lambda store: store.queue(), "by_status"),
}
SQLITE_INDEXES = {"unfinished": "unfinished_of_owner"}
SORTED = {"progress of a batch", "unfinished"}  # in memory: five numbers; the unfinished renders of several owners


@pytest.mark.parametrize("name", INDEXES)
async def test_sqlite_reads_one_index_in_its_order(name: str, tmp_path: Path) -> None:
    call, index = INDEXES[name]
    statements: list[str] = []
    async with open_sqlite_store(tmp_path / "renders.sqlite3", SystemClock()) as store:
        store._file.connection.set_trace_callback(statements.append)
        await call(store)
        store._file.connection.set_trace_callback(None)
        plans = [
            " | ".join(row[3] for row in store._file.connection.execute(f"EXPLAIN QUERY PLAN {text}"))
            for text in statements
            if "FROM renders" in text
        ]
    assert plans
    for plan in plans:
        assert f"INDEX renders_{SQLITE_INDEXES.get(name, index)} " in f"{plan} "
        assert "TEMP B-TREE" not in plan or name in SORTED


def reads_of(commands: SentCommands) -> list[dict[str, Any]]:
    """Return the commands that read documents."""
    return [command for command in commands.sent if next(iter(command)) in {"find", "findAndModify", "aggregate"}]


async def test_mongodb_reads_one_index_in_its_order(mongo_url: str) -> None:
    commands = SentCommands()
    async with open_mongo_store(partial(AsyncMongoClient, event_listeners=[commands]), mongo_url) as store:
        await store.reacquire(worker="w", lease=HOUR)  # looks for documents of other versions, once a minute
        for name, (call, index) in INDEXES.items():
            commands.sent.clear()
            await call(store)
            reads = reads_of(commands)
            assert reads
            for command in reads:
                check_served(name, command, next(each for each in RENDERS if each.document["name"] == index))


def check_served(name: str, command: dict[str, Any], index: IndexModel) -> None:
    """Check that the index has the matching documents in one range, or one for each value of `$in`, in the order."""
    stages = command.get("pipeline", [{}])
    conditions = command.get("filter") or command.get("query") or stages[0].get("$match")
    keys = dict(index.document["key"])
    fields = list(keys)
    ranges = {field for field, value in conditions.items() if isinstance(value, dict) and "$in" not in value}
    equal = list(itertools.takewhile(lambda field: field in conditions and field not in ranges, fields))
    assert equal, name
    order = dict(command.get("sort") or {})
    assert list(order) == fields[len(equal) : len(equal) + len(order)], name
    assert len({direction * keys[field] for field, direction in order.items()}) <= 1, name
    assert conditions.keys() <= {*fields, "schema"}, name  # nothing else must be read to filter
    assert index.document.get("partialFilterExpression", {}).keys() <= conditions.keys(), name


async def steps_of(store: SqliteStore, call: Awaitable[object]) -> int:
    """Return the number of instructions that SQLite executes for a call."""
    steps = 0

    def count() -> int:
        nonlocal steps
        steps += 1
        return 0

    store._file.connection.set_progress_handler(count, 1)
    await call
    store._file.connection.set_progress_handler(None, 0)
    return steps


async def test_acquiring_and_starting_cost_the_same_whatever_is_queued_and_under_way(
    tmp_path: Path, make_render: MakeRender
) -> None:
    costs: list[dict[str, int]] = []
    async with open_sqlite_store(tmp_path / "renders.sqlite3", SystemClock()) as store:
        store._file.connection.execute("PRAGMA synchronous = OFF")

        async def add(number: int, **values: Any) -> None:
            await store.add_many([make_render(**values) for _ in range(number)], window(limit=10_000))

        async def measure() -> None:
            render = make_render()
            cost = {"add": await steps_of(store, store.add(render, window(limit=10_000)))}
            cost["reacquire"] = await steps_of(store, store.reacquire(worker="w", lease=HOUR))
            cost["acquire"] = await steps_of(store, store.acquire(worker="w", lease=HOUR))
            costs.append(cost)

        await add(2)
        await measure()
        for _ in range(3):
            await add(100)
            await add(100, due_at=datetime.now(UTC) + timedelta(minutes=4))
        for _ in range(150):
            render = await store.acquire(worker="w", lease=HOUR)
            assert render is not None
            await store.record(launched(render), worker="w", lease=HOUR)
        await measure()
    few, many = costs
    assert all(abs(steps - few[name]) <= 20 for name, steps in many.items()), costs  # a scan would take thousands


async def test_a_progress_step_changes_no_index_by_status(tmp_path: Path, make_render: MakeRender) -> None:
    statements: list[str] = []
    async with open_sqlite_store(tmp_path / "renders.sqlite3", SystemClock()) as store:
        await store.add(make_render(), window())
        render = await store.acquire(worker="w", lease=HOUR)
        assert render is not None
        running = launched(render)
        await store.record(running, worker="w", lease=HOUR)
        store._file.connection.set_trace_callback(statements.append)
        await store.record(lifecycle.accept(running, backend_render_id="x"), worker="w", lease=HOUR)
        store._file.connection.set_trace_callback(None)
    (update,) = [text for text in statements if text.startswith("UPDATE renders")]
    assert " status = " not in update
