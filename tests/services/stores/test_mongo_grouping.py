"""Concurrent reads by id, and inserts: one command, and each caller gets its own result or error."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from functools import partial
from typing import Any

import pytest
from motor.motor_asyncio import AsyncIOMotorClient
from pymongo import AsyncMongoClient

from services.errors import StoreUnavailable
from services.models import Render
from services.ports import AddOutcome
from services.stores.mongo import MongoStore, open_mongo_store
from services.stores.mongo_grouping import MAX_IDS, MAX_INSERTS, GroupedCalls
from tests.conftest import MakeRender
from tests.support.mongo_commands import SentCommands
from tests.support.mongo_proxy import Command, Reject, open_mongo_proxy, rejection
from tests.support.mongo_server import connect_to_mongo
from tests.support.stored_renders import ALL, added, window

pytestmark = pytest.mark.slow


def filters_of(commands: SentCommands) -> list[dict[str, object]]:
    """Return the filters of the `find` commands."""
    return [command["filter"] for command in commands.sent if "find" in command]


@pytest.fixture
def commands() -> SentCommands:
    return SentCommands()


@pytest.fixture(params=[AsyncIOMotorClient, AsyncMongoClient])
async def store(request: pytest.FixtureRequest, mongo_url: str, commands: SentCommands) -> AsyncIterator[MongoStore]:
    connect: Callable[..., object] = partial(request.param, event_listeners=[commands])
    async with open_mongo_store(connect, mongo_url) as opened:
        yield opened


@pytest.fixture
async def renders(store: MongoStore, make_render: MakeRender, commands: SentCommands) -> list[Render]:
    renders = [make_render(owner=f"user-{number}") for number in range(3)]
    for render in renders:
        await store.add(render, window(render.owner))
    commands.sent.clear()
    return renders


async def test_concurrent_reads_are_one_command(
    store: MongoStore, renders: list[Render], commands: SentCommands
) -> None:
    reads = [store.get(render.id, owner=render.owner) for render in renders]
    assert await asyncio.gather(*reads) == renders
    windows = [store.quota_used(window(render.owner)) for render in renders]
    assert await asyncio.gather(*windows, store.quota_used(window("user-9"))) == [1, 1, 1, 0]
    assert len(filters_of(commands)) == 2
    assert await store.get(renders[0].id, owner=renders[0].owner) == renders[0]
    assert filters_of(commands)[2:] == [{"_id": renders[0].id}]


async def test_a_caller_finds_only_their_own_renders(store: MongoStore, renders: list[Render]) -> None:
    ann, ben, _ = renders
    reads = [store.get(ann.id, owner=owner) for owner in (ann.owner, ben.owner, ann.owner)]
    assert await asyncio.gather(*reads, store.get("none", owner=ann.owner)) == [ann, None, ann, None]


async def test_a_cancelled_read_does_not_end_others(store: MongoStore, renders: list[Render]) -> None:
    cancelled, *others = [asyncio.create_task(store.get(each.id, owner=each.owner)) for each in renders]
    await asyncio.sleep(0)  # until all wait for the same command
    cancelled.cancel()
    assert await asyncio.gather(*others) == renders[1:]
    with pytest.raises(asyncio.CancelledError):
        await cancelled


async def test_a_document_that_cannot_be_read_is_an_error_of_its_own_reader(
    store: MongoStore, renders: list[Render], mongo_url: str
) -> None:
    broken, *others = renders
    with connect_to_mongo(mongo_url) as client:
        client.get_default_database()["renders"].update_one({"_id": broken.id}, {"$set": {"schema": 99}})
    reads = [store.get(each.id, owner=each.owner) for each in renders]
    error, *found = await asyncio.gather(*reads, return_exceptions=True)
    assert isinstance(error, StoreUnavailable)
    assert found == others


async def test_an_id_that_cannot_be_sent_is_an_error_of_its_own_reader(
    store: MongoStore, renders: list[Render]
) -> None:
    reads = [store.get(each.id, owner=each.owner) for each in renders]
    error, *found = await asyncio.gather(store.get("\ud800", owner="ann"), *reads, return_exceptions=True)
    assert isinstance(error, UnicodeEncodeError)
    assert found == renders


async def test_no_command_is_sent_for_readers_that_were_cancelled(
    store: MongoStore, renders: list[Render], commands: SentCommands
) -> None:
    reads = [asyncio.create_task(store.get(each.id, owner=each.owner)) for each in renders]
    await asyncio.sleep(0)
    for read in reads:
        read.cancel()
    await asyncio.wait(reads)
    assert await store.get("none", owner="ann") is None
    assert filters_of(commands) == [{"_id": "none"}]


class SilentServer:
    """A server that never responds."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.cancelled = asyncio.Event()

    async def find(self, _: object) -> Sequence[None]:
        self.asked.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        return ()


async def test_a_command_is_cancelled_with_its_last_reader() -> None:
    server = SilentServer()
    reads: GroupedCalls[str, None] = GroupedCalls(server.find, size=MAX_IDS, timeout_s=30)
    first, last = [asyncio.create_task(reads.call("id")) for _ in range(2)]
    await server.asked.wait()
    first.cancel()
    await asyncio.wait([first])
    assert not server.cancelled.is_set()
    last.cancel()
    await asyncio.wait_for(server.cancelled.wait(), 30)


async def test_more_reads_than_one_command_has(
    store: MongoStore, renders: list[Render], commands: SentCommands
) -> None:
    ids = [*(render.id for render in renders), *(f"missing {number}" for number in range(MAX_IDS))]
    found = await asyncio.gather(*(store.get(id_, owner="user-0") for id_ in ids))
    assert found == [renders[0], *[None] * (len(ids) - 1)]
    assert len(filters_of(commands)) == 2


async def test_all_callers_get_the_error_of_a_server_that_is_unavailable(unused_tcp_port: int) -> None:
    # Motor's client, since PyMongo's leaves sockets that it can't connect to the garbage collector.
    client: Any = AsyncIOMotorClient("127.0.0.1", unused_tcp_port, timeoutMS=300)
    store = MongoStore(client, webhooks_enabled=False)
    errors = await asyncio.gather(*(store.get(str(n), owner="ann") for n in range(3)), return_exceptions=True)
    assert [type(error) for error in errors] == [StoreUnavailable] * 3
    assert len({id(error) for error in errors}) == 3  # each has its own traceback
    client.close()


async def test_an_insert_that_cannot_be_sent_is_an_error_of_its_own_caller(
    store: MongoStore, make_render: MakeRender
) -> None:
    renders = [make_render(owner=owner) for owner in ("ann", "bob")]
    broken = make_render(owner="eve", generation_id="\ud800")
    for render in (broken, *renders):
        await added(store, make_render(owner=render.owner))
    starts = [store.add(render, window(render.owner)) for render in (broken, *renders)]
    error, *results = await asyncio.gather(*starts, return_exceptions=True)
    assert isinstance(error, UnicodeEncodeError)
    assert [await store.get(render.id, owner=render.owner) for render in renders] == renders
    assert [getattr(result, "outcome", result) for result in results] == [AddOutcome.ADDED] * 2


def rejecting_one(command: Command) -> Mapping[str, Any] | None:
    """Reject the second of several inserts, as validation by the server would."""
    if "insert" not in command:
        return None
    error = {"index": 1, "code": 121, "errmsg": "Document failed validation"}
    return {"ok": 1.0, "n": 2, "writeErrors": [error]}


def with_a_late_majority(command: Command) -> Mapping[str, Any] | None:
    """Report that the inserts were not acknowledged by a majority in time."""
    error = {"code": 64, "codeName": "WriteConcernFailed", "errmsg": "waiting for replication timed out"}
    return {"ok": 1.0, "n": 3, "writeConcernError": error} if "insert" in command else None


def rejecting_all(command: Command) -> Mapping[str, Any] | None:
    return rejection(189, "PrimarySteppedDown") if "insert" in command else None


@pytest.mark.parametrize(("respond", "failed"), [(rejecting_one, 1), (with_a_late_majority, 3), (rejecting_all, 3)])
async def test_each_caller_gets_the_error_of_its_own_insert(
    mongo_url: str, make_render: MakeRender, respond: Reject, failed: int
) -> None:
    renders = [make_render(owner=owner) for owner in ("ann", "bob", "eve")]
    is_ready = False

    def respond_when_ready(command: Command) -> Mapping[str, Any] | None:
        return respond(command) if is_ready else None

    async with (
        open_mongo_proxy(mongo_url, respond_when_ready) as (url, _),
        open_mongo_store(AsyncMongoClient, url) as store,
    ):
        for render in renders:
            await added(store, make_render(owner=render.owner))  # the next starts need no read, so they are together
        is_ready = True
        starts = [store.add(render, window(render.owner)) for render in renders]
        results = await asyncio.gather(*starts, return_exceptions=True)
    errors = [result for result in results if isinstance(result, Exception)]
    assert [type(error) for error in errors] == [StoreUnavailable] * failed
    assert len({id(error) for error in errors}) == failed


async def test_more_inserts_than_one_command_has(
    store: MongoStore, make_render: MakeRender, commands: SentCommands
) -> None:
    renders = [make_render(owner=f"user-{number}") for number in range(MAX_INSERTS + 1)]
    for render in renders:
        await added(store, make_render(owner=render.owner))
    commands.sent.clear()
    results = await asyncio.gather(*(store.add(render, window(render.owner)) for render in renders))
    assert [result.outcome for result in results] == [AddOutcome.ADDED] * len(renders)
    assert [next(iter(command)) for command in commands.sent] == ["insert"] * 2


async def test_an_insert_that_waits_for_an_open_transaction_does_not_hold_up_others(
    store: MongoStore, mongo_url: str, make_render: MakeRender
) -> None:
    """As after the death of a process during a batch. Each of the others is stored once."""
    owners = ["ann", "bob", "eve"]
    for owner in owners:
        await added(store, make_render(owner=owner))
    with connect_to_mongo(mongo_url) as client, client.start_session() as session:
        session.start_transaction()
        renders = client.get_default_database()["renders"]
        (first,) = renders.find({"owner": "ann"})
        renders.insert_one({"quota": {**first["quota"], "number": 2, "used": 2}}, session=session)
        blocked, *others = [asyncio.create_task(store.add(make_render(owner=each), window(each))) for each in owners]
        assert [result.used for result in await asyncio.gather(*others)] == [2, 2]
        assert not blocked.done()
        session.abort_transaction()
    assert (await blocked).used == 2
    assert [await store.count(owner=owner, matching=ALL) for owner in owners] == [2, 2, 2]
