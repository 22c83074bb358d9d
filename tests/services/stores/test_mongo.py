import asyncio
import gc
import signal
import time
import warnings
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from motor.motor_asyncio import AsyncIOMotorClient
from pymongo import AsyncMongoClient, MongoClient
from pymongo.monitoring import CommandFailedEvent, CommandListener, CommandStartedEvent, CommandSucceededEvent

from services.errors import StartupError, StoreUnavailable
from services.models import RenderFilter
from services.ports import AddOutcome
from services.stores.mongo import MongoStore, open_mongo_store
from services.stores.mongo_documents import SCHEMA_VERSION
from tests.conftest import MakeRender
from tests.services.stores.test_sqlite import use_everything, use_outbox
from tests.services.stores.test_store_contract import HOUR, NOW, window
from tests.support.mongo_server import MongoServer
from tests.support.server_process import free_port

PATIENCE_S = 1.0
SOON = f"timeoutMS={PATIENCE_S * 1000:.0f}"
Database = MongoClient[dict[str, Any]]


@pytest.fixture
def leaking() -> Iterator[None]:
    """For tests whose server goes away: PyMongo's async client leaves sockets that failed to the garbage collector."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@pytest.fixture
async def store(mongo_url: str) -> AsyncIterator[MongoStore]:
    async with open_mongo_store(AsyncMongoClient, mongo_url) as opened:
        yield opened


def indexes(mongo_url: str) -> dict[str, Any]:
    with Database(mongo_url) as client:
        return dict(client.get_default_database()["renders"].index_information())


async def test_opening_again_makes_no_other_indexes(mongo_url: str) -> None:
    async with open_mongo_store(AsyncMongoClient, mongo_url):
        made = indexes(mongo_url)
    async with open_mongo_store(AsyncMongoClient, mongo_url):
        assert indexes(mongo_url) == made
    assert made.keys() == {
        "_id_",
        "of_owner",
        "by_key",
        "by_status",
        "leased",
    }


async def test_many_processes_may_open_at_once(mongo_url: str) -> None:
    async def open_and_close() -> None:
        async with open_mongo_store(AsyncMongoClient, mongo_url):
            pass

    await asyncio.gather(*(open_and_close() for _ in range(5)))


async def test_retention_is_the_servers_work_and_can_be_changed_and_ended(mongo_url: str) -> None:
    for days in (7, 30, None):
        retention = None if days is None else timedelta(days=days)
        async with open_mongo_store(AsyncMongoClient, mongo_url, retention=retention):
            kept = indexes(mongo_url).get("ended_long_ago", {}).get("expireAfterSeconds")
            assert kept == (None if days is None else days * 86_400)


@pytest.mark.parametrize("days", [30, None])
async def test_retention_can_be_changed_by_many_processes_that_start_at_once(mongo_url: str, days: int | None) -> None:
    async def open_and_close(days: int | None) -> None:
        retention = None if days is None else timedelta(days=days)
        async with open_mongo_store(AsyncMongoClient, mongo_url, retention=retention):
            pass

    for _ in range(5):
        await open_and_close(7)
        await asyncio.gather(*(open_and_close(days) for _ in range(4)))
        kept = indexes(mongo_url).get("ended_long_ago", {}).get("expireAfterSeconds")
        assert kept == (None if days is None else days * 86_400)


async def test_a_document_has_its_version_and_what_is_searched_for(
    store: MongoStore, mongo_url: str, make_render: MakeRender
) -> None:
    render = make_render(generation_id="g", idempotency_key="start:k")
    await store.add(render, window())
    with Database(mongo_url, tz_aware=True) as client:
        document = client.get_default_database()["renders"].find_one({"_id": render.id})
    assert document is not None
    assert document["schema"] == SCHEMA_VERSION
    assert (document["owner"], document["status"], document["revision"]) == ("ann", "queued", 1)
    assert document["render"]["props"]["text"] == "Hello"


async def test_a_document_that_can_not_be_read_stops_nothing_else(
    store: MongoStore, mongo_url: str, make_render: MakeRender, caplog: pytest.LogCaptureFixture
) -> None:
    broken, good = make_render(at=NOW), make_render(at=NOW + HOUR)
    for render in (broken, good):
        await store.add(render, window())
    with Database(mongo_url) as client:
        client.get_default_database()["renders"].update_one({"_id": broken.id}, {"$set": {"render.phase": "new"}})
    assert await store.acquire(worker="w", lease=HOUR) == good
    assert await store.list(owner="ann", first=5, matching=RenderFilter()) == [good]
    assert broken.id in caplog.text


async def test_users_who_start_their_first_render_at_once_get_their_quota_exactly(
    store: MongoStore, make_render: MakeRender
) -> None:
    """The window's document doesn't exist yet, so several calls try to make it."""
    owners = [f"user-{number}" for number in range(5)]
    calls = [store.add(make_render(owner=owner), window(owner, limit=3)) for owner in owners for _ in range(6)]
    admissions = await asyncio.gather(*calls)
    for owner in owners:
        mine = [a.outcome for a in admissions if a.render.owner == owner]
        assert sorted(mine, key=str) == sorted([AddOutcome.ADDED] * 3 + [AddOutcome.OVER_QUOTA] * 3, key=str)


@pytest.mark.usefixtures("leaking")
@pytest.mark.parametrize("client", [AsyncIOMotorClient, AsyncMongoClient])
async def test_a_server_that_can_not_be_reached_stops_the_start_with_its_host_and_no_secret(client: type) -> None:
    port = free_port()
    with pytest.raises(StartupError) as error:
        async with open_mongo_store(client, f"mongodb://ann:hunter2@127.0.0.1:{port}/x?{SOON}"):
            pass
    assert f"MongoDB at 127.0.0.1:{port} can't be used" in str(error.value)
    assert "hunter2" not in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("client", [AsyncIOMotorClient, AsyncMongoClient])
@pytest.mark.parametrize(
    "url",
    [
        "",
        "nonsense",
        "http://127.0.0.1",
        "mongodb://",
        "mongodb://ann:hunter2:c@x",
        "mongodb://ann:hunter2/c@x",
        "mongodb://ann:hunter2?c@x",
        "mongodb://ann:hunter2%zz@x",
        "mongodb://x/?hunter2",
        "mongodb://x/?tls=true&tlsCAFile=/hunter2",
        "mongodb+srv://ann:hunter2@x:1",
    ],
)
async def test_a_url_that_can_not_be_used_stops_the_start_and_is_not_shown(client: type, url: str) -> None:
    with pytest.raises(StartupError, match="MONGODB_URL") as error:
        async with open_mongo_store(client, url):
            pass
    assert "hunter2" not in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.usefixtures("leaking")
@pytest.mark.parametrize("password", ["hunter2#c", "[hunter2", "hunter2@c"])
async def test_a_password_with_a_special_character_is_not_shown(password: str) -> None:
    with pytest.raises(StartupError) as error:
        async with open_mongo_store(AsyncIOMotorClient, f"mongodb://ann:{password}@127.0.0.1:{free_port()}/x?{SOON}"):
            pass
    assert "hunter2" not in str(error.value)


async def test_a_url_that_asks_for_reading_from_secondaries_changes_nothing(
    mongo_url: str, make_render: MakeRender
) -> None:
    options = "readPreference=secondaryPreferred&retryWrites=false&w=0"
    async with open_mongo_store(AsyncIOMotorClient, f"{mongo_url}?{options}") as store:
        assert (await store.add(make_render(), window())).outcome is AddOutcome.ADDED


@pytest.mark.usefixtures("leaking")
async def test_a_server_that_ends_is_unavailable_and_then_there_again(
    tmp_path_factory: pytest.TempPathFactory, make_render: MakeRender
) -> None:
    server = MongoServer(tmp_path_factory.mktemp("own") / "data")
    server.start()
    try:
        async with open_mongo_store(AsyncMongoClient, f"{server.url}/test?{SOON}") as store:
            render = make_render()
            await store.add(render, window())
            server.stop()
            with pytest.raises(StoreUnavailable):
                await store.get(render.id, owner="ann")
            server.start()
            assert await store.get(render.id, owner="ann") == render
    finally:
        server.stop()


@pytest.mark.usefixtures("leaking")
@pytest.mark.parametrize("client", [AsyncIOMotorClient, AsyncMongoClient])
async def test_a_start_while_the_server_is_away_is_given_up_within_the_patience(
    client: type, tmp_path_factory: pytest.TempPathFactory, make_render: MakeRender
) -> None:
    server = MongoServer(tmp_path_factory.mktemp("own") / "data")
    server.start()
    try:
        async with open_mongo_store(client, f"{server.url}/test?{SOON}") as store:
            server.stop()
            with pytest.raises(StoreUnavailable):
                await asyncio.wait_for(store.add(make_render(), window()), timeout=10)
            server.start()
            assert (await store.add(make_render(), window())).used == 1
    finally:
        server.stop()


@pytest.mark.usefixtures("leaking")
@pytest.mark.parametrize("client", [AsyncIOMotorClient, AsyncMongoClient])
async def test_no_call_takes_longer_than_the_patience_however_many_there_are(
    client: type, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """motor runs each call in one of a few threads, so most of these wait for one first."""
    server = MongoServer(tmp_path_factory.mktemp("own") / "data")
    server.start()
    try:
        async with open_mongo_store(client, f"{server.url}/test?{SOON}") as store:
            server.pause()
            began = time.monotonic()
            calls = (store.quota_used(window()) for _ in range(100))
            answers = await asyncio.gather(*calls, return_exceptions=True)
            assert time.monotonic() - began < 3 * PATIENCE_S
            assert {type(answer) for answer in answers} == {StoreUnavailable}
            server.go_on()
            assert await store.quota_used(window()) == 0
    finally:
        server.stop(signal.SIGKILL)


class Commands(CommandListener):
    """What a client asked of the server."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []

    def started(self, event: CommandStartedEvent) -> None:
        self.sent.append(dict(event.command))

    def succeeded(self, event: CommandSucceededEvent) -> None: ...

    def failed(self, event: CommandFailedEvent) -> None: ...

    def searches(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """The collection and the conditions of everything that was looked for, to be read or changed."""
        for command in self.sent:
            match command:
                case {"find": collection, "filter": conditions} | {"findAndModify": collection, "query": conditions}:
                    yield collection, conditions
                case {"aggregate": collection, "pipeline": [{"$match": conditions}, *_]}:
                    yield collection, conditions
                case {"update": collection, "updates": changes} | {"delete": collection, "deletes": changes}:
                    yield from ((collection, change["q"]) for change in changes)


async def test_every_command_finds_its_documents_by_an_index(mongo_url: str, make_render: MakeRender) -> None:
    """Asked of the server where that plans as MongoDB does; the one from a package only plans the simplest searches."""
    commands = Commands()
    async with open_mongo_store(
        partial(AsyncMongoClient, event_listeners=[commands]), mongo_url, webhooks_enabled=True
    ) as store:
        await use_everything(store, make_render)
        await use_outbox(store.outbox)
    searches = list(commands.searches())
    assert len(searches) > 15
    with Database(mongo_url) as client:
        database = client.get_default_database()
        plans_well = client.admin.command("hello").get("setName") != "secantus"
        for collection, conditions in searches:
            leading = {index["key"][0][0] for index in database[collection].index_information().values()}
            assert leading & conditions.keys(), (collection, conditions)
            if plans_well:
                search = {"find": collection, "filter": conditions}
                plan = database.command("explain", search, verbosity="queryPlanner")
                assert "COLLSCAN" not in str(plan["queryPlanner"]["winningPlan"]), search
