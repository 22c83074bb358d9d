"""The entries of quota windows in MongoDB, which several processes store, and how many commands a start takes.

Each store is that of a process: it knows the latest entry only of windows in which it has stored it.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from functools import partial
from itertools import product
from typing import Any

import pytest
from motor.motor_asyncio import AsyncIOMotorClient
from pymongo import AsyncMongoClient

from services.errors import StoreUnavailable
from services.models import TEXT_ANIMATION, QuotaWindow, Render, RenderFilter
from services.ports import AddOutcome
from services.renders import lifecycle
from services.stores.mongo import MongoStore, open_mongo_store
from services.stores.mongo_starts import MongoStarts
from tests.conftest import MakeRender
from tests.support.mongo_commands import SentCommands
from tests.support.mongo_server import connect_to_mongo
from tests.support.stored_renders import ALL, HOUR, NOW, WINDOW_STARTS_AT, added, launched, window

pytestmark = pytest.mark.slow

A, B = 0, 1  # processes


@pytest.fixture
async def stores(mongo_url: str) -> AsyncIterator[Sequence[MongoStore]]:
    """Two processes with the same database."""
    async with open_mongo_store(AsyncMongoClient, mongo_url) as a, open_mongo_store(AsyncMongoClient, mongo_url) as b:
        yield a, b


def entries(url: str) -> list[tuple[int, int]]:
    """Return the number of each entry, in order, and the units used after it."""
    with connect_to_mongo(url) as client:
        found = client.get_default_database()["renders"].find().sort("quota.number")
        return [(document["quota"]["number"], document["quota"]["used"]) for document in found]


def sent_by_starts(commands: SentCommands) -> list[tuple[str, Any]]:
    """Return the name and the collection of each command until the client was closed."""
    sent = [next(iter(command.items())) for command in commands.sent]
    return [command for command in sent if command[0] != "endSessions"]


async def cancelled_in_the_queue(store: MongoStore, render: Render) -> Render:
    """Cancel a render that was never started, which returns its unit."""
    cancelled = lifecycle.cancel(render, now=NOW)
    assert await store.record(cancelled)
    return cancelled


@pytest.mark.parametrize("client", [AsyncIOMotorClient, AsyncMongoClient])
async def test_a_start_after_another_of_its_owner_is_one_insert(
    client: type, mongo_url: str, make_render: MakeRender
) -> None:
    commands = SentCommands()
    async with open_mongo_store(partial(client, event_listeners=[commands]), mongo_url) as store:
        await store.add(make_render(), window())
        commands.sent.clear()
        results = [await store.add(make_render(idempotency_key=f"k{number}"), window()) for number in range(3)]
    assert [result.used for result in results] == [2, 3, 4]
    assert sent_by_starts(commands) == [("insert", "renders")] * 3


async def test_concurrent_starts_of_different_owners_are_one_insert(mongo_url: str, make_render: MakeRender) -> None:
    commands = SentCommands()
    renders = [make_render(owner=f"user-{number}") for number in range(5)]
    async with open_mongo_store(partial(AsyncMongoClient, event_listeners=[commands]), mongo_url) as store:
        await asyncio.gather(*(added(store, render) for render in renders))
        assert [command.get("find") for command in commands.sent].count("queue") == 1
        commands.sent.clear()
        again = [make_render(owner=render.owner) for render in renders]
        results = await asyncio.gather(*(store.add(render, window(render.owner)) for render in again))
        assert [result.used for result in results] == [2] * 5
    assert sent_by_starts(commands) == [("insert", "renders")]
    assert commands.sent[0]["ordered"] is False


async def test_a_used_key_does_not_affect_starts_that_are_sent_with_it(
    stores: Sequence[MongoStore], make_render: MakeRender
) -> None:
    used = make_render(owner="ann", idempotency_key="k")
    others = [make_render(owner=owner) for owner in ("bob", "eve")]
    for render in (used, *(make_render(owner=other.owner) for other in others)):
        await added(stores[A], render)
    again = make_render(owner="ann", idempotency_key="k")
    results = await asyncio.gather(*(stores[A].add(each, window(each.owner)) for each in (again, *others)))
    assert [result.outcome for result in results] == [AddOutcome.DUPLICATE, AddOutcome.ADDED, AddOutcome.ADDED]
    assert [result.render for result in results] == [used, *others]
    assert [result.used for result in results] == [1, 2, 2]


async def test_a_used_key_returns_the_units_that_all_processes_use(
    stores: Sequence[MongoStore], make_render: MakeRender
) -> None:
    first = await added(stores[A], make_render(idempotency_key="k"))
    await added(stores[B], make_render())
    result = await stores[A].add(make_render(idempotency_key="k"), window())
    assert (result.outcome, result.render, result.used) == (AddOutcome.DUPLICATE, first, 2)


async def test_a_start_that_an_earlier_try_has_stored_takes_one_unit(
    stores: Sequence[MongoStore], mongo_url: str, make_render: MakeRender
) -> None:
    render = await added(stores[A], make_render())
    result = await stores[B].add(render, window())
    assert (result.outcome, result.used) == (AddOutcome.ADDED, 1)
    assert entries(mongo_url) == [(1, 1)]
    assert (await stores[B].add(make_render(), window())).used == 2


async def test_processes_that_alternate_use_each_number_once(
    stores: Sequence[MongoStore], mongo_url: str, make_render: MakeRender
) -> None:
    renders = [make_render(at=NOW) for _ in range(6)]
    for number, render in enumerate(renders, 1):
        result = await stores[number % 2].add(render, window())
        assert (result.outcome, result.used) == (AddOutcome.ADDED, number)
    assert entries(mongo_url) == [(number, number) for number in range(1, 7)]
    positions = [await stores[A].queue_position(render) for render in renders]
    assert positions == [1, 2, 3, 4, 5, 6]  # their ids do not have this order


async def test_concurrent_starts_of_processes_get_exactly_the_quota(
    stores: Sequence[MongoStore], mongo_url: str, make_render: MakeRender
) -> None:
    calls = [stores[number % 2].add(make_render(), window(limit=13)) for number in range(30)]
    many = [store.add_many([make_render() for _ in range(2)], window(limit=13)) for store in stores]
    added_many, added_one = await asyncio.gather(asyncio.gather(*many), asyncio.gather(*calls))
    renders = await stores[A].list(owner="ann", first=50, matching=ALL)
    assert (len(renders), await stores[B].quota_used(window(limit=13))) == (13, 13)
    twos, ones = [[result.outcome for result in each].count(AddOutcome.ADDED) for each in (added_many, added_one)]
    assert 2 * twos + ones == 13
    assert entries(mongo_url) == [(number, number) for number in range(1, 14)]


async def test_a_unit_that_another_process_returned_can_be_used(
    stores: Sequence[MongoStore], make_render: MakeRender
) -> None:
    renders = [make_render() for _ in range(2)]
    for render in renders:
        await stores[A].add(render, window(limit=2))
    await cancelled_in_the_queue(stores[B], renders[0])
    assert await stores[A].quota_used(window(limit=2)) == 1
    results = [await stores[A].add(make_render(), window(limit=2)) for _ in range(2)]
    assert [(result.outcome, result.used) for result in results] == [(AddOutcome.ADDED, 2), (AddOutcome.OVER_QUOTA, 2)]


async def test_a_render_that_another_process_cancelled_moves_no_later_one_back(
    stores: Sequence[MongoStore], make_render: MakeRender
) -> None:
    """As in the contract of the queue, but this process has another latest entry in memory."""
    first = await added(stores[A], make_render(at=NOW))
    await cancelled_in_the_queue(stores[B], first)
    bobs = [make_render(owner="bob", at=NOW) for _ in range(2)]
    for render in bobs:
        await added(stores[B], render)
    await added(stores[A], anns := make_render(at=NOW - HOUR))
    assert await stores[A].queue_position(anns) == 1


async def test_the_number_of_a_render_that_another_process_deleted_is_not_used_again(
    stores: Sequence[MongoStore], mongo_url: str, make_render: MakeRender
) -> None:
    second = make_render()
    for store, render in zip(stores, (make_render(), second), strict=True):
        await store.add(render, window(limit=3))
    running = launched(second)
    await stores[B].record(running)
    await stores[B].record(lifecycle.cancel(running, now=NOW))  # which returns no unit
    assert await stores[B].delete(second.id, owner="ann")
    results = [await stores[A].add(make_render(), window(limit=3)) for _ in range(2)]
    assert [(result.outcome, result.used) for result in results] == [(AddOutcome.ADDED, 3), (AddOutcome.OVER_QUOTA, 3)]
    assert entries(mongo_url) == [(1, 1), (2, 2), (3, 3)]


async def test_a_deleted_render_still_determines_the_place_of_the_next_one(
    stores: Sequence[MongoStore], make_render: MakeRender
) -> None:
    ended = await added(stores[A], make_render(at=NOW))
    assert await stores[A].acquire(worker="w", lease=HOUR) == ended
    running = launched(ended)
    await stores[A].record(running, worker="w", lease=HOUR)
    await stores[A].record(lifecycle.cancel(running, now=NOW), worker="w")
    assert await stores[A].delete(ended.id, owner="ann")
    bobs = await added(stores[A], make_render(owner="bob", at=NOW))
    anns = await added(stores[B], make_render(at=NOW - HOUR))
    assert [await stores[A].queue_position(render) for render in (bobs, anns)] == [1, 2]


async def test_a_start_comes_after_the_last_of_a_batch(stores: Sequence[MongoStore], make_render: MakeRender) -> None:
    batch, after = [make_render(at=NOW) for _ in range(3)], make_render(at=NOW - HOUR)
    await stores[A].add_many(batch, window())
    await stores[A].add(after, window())
    assert await stores[A].queue_position(after) == 4


async def test_starts_of_an_owner_take_turns(mongo_url: str, make_render: MakeRender) -> None:
    commands = SentCommands()
    async with open_mongo_store(partial(AsyncMongoClient, event_listeners=[commands]), mongo_url) as store:
        await added(store, make_render())
        commands.sent.clear()
        await asyncio.gather(*(store.add(make_render(), window()) for _ in range(5)))
    assert sent_by_starts(commands) == [("insert", "renders")] * 5


async def test_a_start_whose_turn_does_not_come_fails(mongo_url: str, make_render: MakeRender) -> None:
    async with open_mongo_store(AsyncMongoClient, f"{mongo_url}?timeoutMS=300") as store:
        turn = asyncio.Lock()
        await turn.acquire()
        starts: Any = store._starts
        starts._turns["ann"] = turn
        with pytest.raises(StoreUnavailable, match="timed out"):
            await asyncio.wait_for(store.add(make_render(), window()), 30)


async def test_what_a_deleted_render_and_a_returned_unit_leave_is_no_render(
    stores: Sequence[MongoStore], mongo_url: str, make_render: MakeRender
) -> None:
    store = stores[A]
    kept, deleted = [await added(store, make_render(idempotency_key=key)) for key in ("k1", "k2")]
    await cancelled_in_the_queue(store, deleted)
    assert await store.delete(deleted.id, owner="ann")
    with connect_to_mongo(mongo_url) as client:
        left = list(client.get_default_database()["renders"].find({"_id": {"$ne": kept.id}}))
    assert [set(document) - {"finish_key"} for document in left] == [{"_id", "quota", "expires_at"}] * 2
    assert min(document["expires_at"] for document in left) > datetime.now() + window().length  # noqa: DTZ005  # as PyMongo
    assert await store.get(deleted.id, owner="ann") is None
    assert await store.get_many([kept.id, deleted.id]) == [kept]
    for owner, matching in product(("ann", None), (ALL, RenderFilter(composition_id=TEXT_ANIMATION))):
        assert await store.list(owner=owner, first=5, matching=matching) == [kept]
        assert await store.count(owner=owner, matching=matching) == 1
        assert not await store.exists_newer(kept.id + "z", owner=owner, matching=matching)
        assert not await store.exists_older(kept.id[:-1], owner=owner, matching=matching)
    assert await store.render_ids("ann") == [kept.id]
    assert (await store.queue()).depth == 1
    assert not await store.delete(deleted.id, owner="ann")
    assert store.skipped_documents == 0
    assert (await store.add(make_render(idempotency_key="k2"), window())).outcome is AddOutcome.ADDED


async def test_erasing_an_owner_leaves_no_entry(
    stores: Sequence[MongoStore], mongo_url: str, make_render: MakeRender
) -> None:
    render, unfinished = [await added(stores[A], make_render()) for _ in range(2)]
    await cancelled_in_the_queue(stores[A], render)
    await added(stores[A], make_render(owner="annabel"))
    preview = await stores[A].erase_records("ann", dry_run=True)
    assert await stores[A].delete(render.id, owner="ann")
    assert await stores[A].erase_records("ann", dry_run=False) == preview
    assert preview.quota_windows == 1
    assert entries(mongo_url) == [(1, 1), (2, 2)]
    assert await stores[A].render_ids("ann") == [unfinished.id]
    await cancelled_in_the_queue(stores[A], unfinished)
    assert await stores[A].delete(unfinished.id, owner="ann")
    assert (await stores[A].erase_records("ann", dry_run=False)).quota_windows == 1
    assert entries(mongo_url) == [(1, 1)]
    assert (await stores[A].erase_records("ann", dry_run=False)).quota_windows == 0
    assert (await stores[B].add(make_render(), window())).used == 1


async def test_a_window_of_another_length_does_not_give_an_old_place_in_the_queue(
    mongo_url: str, make_render: MakeRender
) -> None:
    first, second = make_render(at=NOW), make_render(at=NOW)
    third = make_render(at=NOW - HOUR)  # whose id is the lowest, so that it would come before one with the same key
    later = QuotaWindow(owner="ann", limit=100, starts_at=WINDOW_STARTS_AT + HOUR, length=HOUR)
    longer = QuotaWindow(owner="ann", limit=100, starts_at=WINDOW_STARTS_AT, length=2 * HOUR)
    async with open_mongo_store(AsyncIOMotorClient, mongo_url) as store:
        for render, of_window in ((first, window()), (second, later), (third, longer)):
            await store.add(render, of_window)
        assert [await store.queue_position(render) for render in (first, second, third)] == [1, 2, 3]


async def test_the_number_of_known_entries_is_bounded(
    stores: Sequence[MongoStore], make_render: MakeRender, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.stores.mongo_starts.MAX_KNOWN_ENTRIES", 2)
    for owner in ("a", "b", "a", "c"):
        await added(stores[A], make_render(owner=owner))
    starts: Any = stores[A]._starts
    assert isinstance(starts, MongoStarts)
    assert [known.owner for known in starts._latest] == ["a", "c"]
