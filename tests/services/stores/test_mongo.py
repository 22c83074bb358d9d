import asyncio
import gc
import signal
import time
import warnings
from collections.abc import AsyncIterator, Iterator
from functools import partial
from typing import Any

import pytest
from motor.motor_asyncio import AsyncIOMotorClient
from pymongo import AsyncMongoClient
from pymongo.errors import DuplicateKeyError

from services.errors import StartupError, StoreUnavailable
from services.models import RenderFilter
from services.ports import AddOutcome
from services.stored_documents import SCHEMA_VERSION
from services.stores.mongo import MongoStore, open_mongo_store
from services.stores.mongo_connection import mongo_operation
from tests.conftest import MakeRender
from tests.services.stores.test_sqlite import use_catalog, use_everything, use_outbox
from tests.support.mongo_commands import SentCommands
from tests.support.mongo_server import MongoServer, connect_to_mongo
from tests.support.server_process import free_port
from tests.support.stored_renders import HOUR, NOW, window

pytestmark = pytest.mark.slow

TIMEOUT_S = 3.0  # longer than a busy machine takes for a call
TIMEOUT_OPTION = f"timeoutMS={TIMEOUT_S * 1000:.0f}"
SHORT_TIMEOUT_OPTION = "timeoutMS=500"  # for servers that are never reached


@pytest.fixture
def unclosed_sockets() -> Iterator[None]:
    """For tests that stop the server: PyMongo's async client leaves failed sockets to the garbage collector."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@pytest.fixture
async def store(mongo_url: str) -> AsyncIterator[MongoStore]:
    async with open_mongo_store(AsyncMongoClient, mongo_url) as opened:
        yield opened


async def test_a_document_has_its_schema_version_and_query_fields(
    store: MongoStore, mongo_url: str, make_render: MakeRender
) -> None:
    render = make_render(generation_id="g", idempotency_key="start:k")
    await store.add(render, window())
    with connect_to_mongo(mongo_url, tz_aware=True) as client:
        document = client.get_default_database()["renders"].find_one({"_id": render.id})
    assert document is not None
    assert document["schema"] == SCHEMA_VERSION
    assert (document["owner"], document["status"], document["revision"]) == ("ann", "queued", 1)
    assert document["render"]["props"]["text"] == "Hello"


async def test_an_unreadable_document_is_skipped(
    store: MongoStore, mongo_url: str, make_render: MakeRender, caplog: pytest.LogCaptureFixture
) -> None:
    broken, good = make_render(at=NOW), make_render(at=NOW + HOUR)
    for render in (broken, good):
        await store.add(render, window())
    with connect_to_mongo(mongo_url) as client:
        client.get_default_database()["renders"].update_one({"_id": broken.id}, {"$set": {"render.phase": "new"}})
    assert await store.acquire(worker="w", lease=HOUR) == good
    assert await store.list(owner="ann", first=5, matching=RenderFilter()) == [good]
    assert broken.id in caplog.text


async def test_concurrent_first_renders_get_exactly_the_quota(store: MongoStore, make_render: MakeRender) -> None:
    """No window has an entry yet."""
    owners = [f"user-{number}" for number in range(5)]
    calls = [store.add(make_render(owner=owner), window(owner, limit=3)) for owner in owners for _ in range(6)]
    results = await asyncio.gather(*calls)
    for owner in owners:
        outcomes = [a.outcome for a in results if a.render.owner == owner]
        assert sorted(outcomes, key=str) == sorted([AddOutcome.ADDED] * 3 + [AddOutcome.OVER_QUOTA] * 3, key=str)


async def test_new_owners_precede_no_queued_render_if_the_virtual_time_was_not_restored(
    store: MongoStore, mongo_url: str, make_render: MakeRender
) -> None:
    queued = [make_render(at=NOW) for _ in range(3)]
    await store.add_many(queued, window())
    assert await store.acquire(worker="w", lease=HOUR) == queued[0]
    with connect_to_mongo(mongo_url) as client:
        client.get_default_database()["queue"].delete_many({})
    later = make_render(owner="bob", at=NOW + HOUR)
    async with open_mongo_store(AsyncMongoClient, mongo_url) as restored:
        await restored.add(later, window("bob"))
    assert [await store.queue_position(render) for render in (*queued[1:], later)] == [1, 3, 2]


@pytest.mark.usefixtures("store")
async def test_a_key_that_is_used_is_the_same_error_for_one_document_and_for_several(mongo_url: str) -> None:
    async with AsyncMongoClient[dict[str, Any]](mongo_url) as client:
        probe = client.get_default_database()["probe"]
        await probe.insert_one({"_id": 1})
        for insert in (probe.insert_one({"_id": 1}), probe.insert_many([{"_id": 2}, {"_id": 1}])):
            with pytest.raises(DuplicateKeyError), mongo_operation(TIMEOUT_S):
                await insert


@pytest.mark.usefixtures("unclosed_sockets")
@pytest.mark.parametrize("client", [AsyncIOMotorClient, AsyncMongoClient])
async def test_an_unreachable_server_prevents_the_start_and_only_its_host_is_shown(client: type) -> None:
    port = free_port()
    with pytest.raises(StartupError) as error:
        async with open_mongo_store(client, f"mongodb://ann:hunter2@127.0.0.1:{port}/x?{SHORT_TIMEOUT_OPTION}"):
            pass
    assert f"MongoDB at 127.0.0.1:{port} can't be used" in str(error.value)
    assert "hunter2" not in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.usefixtures("unclosed_sockets")
@pytest.mark.parametrize("password", ["hunter2#c", "[hunter2", "hunter2@c"])
async def test_a_password_with_a_special_character_is_not_shown(password: str) -> None:
    with pytest.raises(StartupError) as error:
        async with open_mongo_store(
            AsyncIOMotorClient, f"mongodb://ann:{password}@127.0.0.1:{free_port()}/x?{SHORT_TIMEOUT_OPTION}"
        ):
            pass
    assert "hunter2" not in str(error.value)


@pytest.mark.usefixtures("unclosed_sockets")
async def test_the_store_recovers_after_the_server_restarts(
    tmp_path_factory: pytest.TempPathFactory, make_render: MakeRender
) -> None:
    server = MongoServer(tmp_path_factory.mktemp("own") / "data")
    server.start()
    try:
        async with open_mongo_store(AsyncMongoClient, f"{server.url}/test?{TIMEOUT_OPTION}") as store:
            render = make_render()
            await store.add(render, window())
            server.stop()
            with pytest.raises(StoreUnavailable):
                await store.get(render.id, owner="ann")
            server.start()
            assert await store.get(render.id, owner="ann") == render
    finally:
        server.stop()


@pytest.mark.usefixtures("unclosed_sockets")
@pytest.mark.parametrize("client", [AsyncIOMotorClient, AsyncMongoClient])
async def test_an_add_fails_within_the_timeout_while_the_server_is_down(
    client: type, tmp_path_factory: pytest.TempPathFactory, make_render: MakeRender
) -> None:
    server = MongoServer(tmp_path_factory.mktemp("own") / "data")
    server.start()
    try:
        async with open_mongo_store(client, f"{server.url}/test?{TIMEOUT_OPTION}") as store:
            server.stop()
            with pytest.raises(StoreUnavailable):
                await asyncio.wait_for(store.add(make_render(), window()), timeout=5 * TIMEOUT_S)
            server.start()
            assert (await store.add(make_render(), window())).used == 1
    finally:
        server.stop()


@pytest.mark.usefixtures("unclosed_sockets")
@pytest.mark.parametrize("client", [AsyncIOMotorClient, AsyncMongoClient])
async def test_many_concurrent_calls_and_the_close_end_within_the_timeout_while_the_server_is_silent(
    client: type, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """motor runs each call in one of a few threads, so that most of these first wait for a thread."""
    server = MongoServer(tmp_path_factory.mktemp("own") / "data")
    server.start()
    try:
        async with open_mongo_store(client, f"{server.url}/test?{TIMEOUT_OPTION}") as store:
            server.pause()
            started = time.monotonic()
            calls = (store.quota_used(window()) for _ in range(100))
            results = await asyncio.gather(*calls, return_exceptions=True)
            assert time.monotonic() - started < 3 * TIMEOUT_S
            assert {type(result) for result in results} == {StoreUnavailable}
            server.resume()
            assert await store.quota_used(window()) == 0
            server.pause()
            started = time.monotonic()
        assert time.monotonic() - started < 3 * TIMEOUT_S
    finally:
        server.stop(signal.SIGKILL)


def queries_of(commands: SentCommands) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield collection and conditions of each query, also of updates and deletes."""
    for command in commands.sent:
        match command:
            case {"find": collection, "filter": conditions} | {"findAndModify": collection, "query": conditions}:
                yield collection, conditions
            case {"aggregate": collection, "pipeline": [{"$match": conditions}, *_]}:
                yield collection, conditions
            case {"update": collection, "updates": changes} | {"delete": collection, "deletes": changes}:
                yield from ((collection, change["q"]) for change in changes)


async def test_every_query_uses_an_index(mongo_url: str, make_render: MakeRender) -> None:
    """Checked by the server's own plans if it is MongoDB; the server of a package only plans simple queries."""
    commands = SentCommands()
    async with open_mongo_store(
        partial(AsyncMongoClient, event_listeners=[commands]), mongo_url, webhooks_enabled=True
    ) as store:
        await use_everything(store, make_render)
        await use_outbox(store.outbox)
        await use_catalog(store.catalog)
    queries = list(queries_of(commands))
    assert len(queries) > 15
    with connect_to_mongo(mongo_url) as client:
        database = client.get_default_database()
        is_mongodb = client.admin.command("hello").get("setName") != "secantus"
        for collection, conditions in queries:
            indexes = database[collection].index_information().values()
            leading = {"_id", *(index["key"][0][0] for index in indexes)}
            assert leading & conditions.keys(), (collection, conditions)
            if is_mongodb:
                query = {"find": collection, "filter": conditions}
                plan = database.command("explain", query, verbosity="queryPlanner")
                assert "COLLSCAN" not in str(plan["queryPlanner"]["winningPlan"]), query
