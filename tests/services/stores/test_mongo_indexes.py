"""A start builds the indexes of small collections; `rendercast migrate` builds all; nothing else does."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from pymongo import AsyncMongoClient

from services.errors import StartupError, StoreUnavailable
from services.models import RenderFilter
from services.ports import AddOutcome
from services.stores.mongo import open_mongo_store
from services.stores.mongo_connection import Database, maybe_await, new_client
from services.stores.mongo_indexes import INDEXES, migrate, missing_indexes
from tests.conftest import MakeRender
from tests.support.mongo_proxy import Command, open_mongo_proxy, rejection
from tests.support.mongo_server import connect_to_mongo
from tests.support.stored_renders import window

pytestmark = pytest.mark.slow

TIMEOUT_S = 10.0
DAYS = timedelta(days=30)
MANY = 5_000_000


def indexes(mongo_url: str) -> dict[str, Any]:
    with connect_to_mongo(mongo_url) as client:
        return dict(client.get_default_database()["renders"].index_information())


async def test_opening_again_changes_no_indexes(mongo_url: str) -> None:
    async with open_mongo_store(AsyncMongoClient, mongo_url):
        created = indexes(mongo_url)
    async with open_mongo_store(AsyncMongoClient, mongo_url):
        assert indexes(mongo_url) == created
    assert created.keys() == {"_id_", *(model.document["name"] for model in INDEXES["renders"])}


async def test_many_processes_can_open_the_store_at_once(mongo_url: str) -> None:
    async def open_and_close() -> None:
        async with open_mongo_store(AsyncMongoClient, mongo_url):
            pass

    await asyncio.gather(*(open_and_close() for _ in range(5)))


async def test_retention_is_an_index_that_can_be_changed_and_removed(
    mongo_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    for days in (7, 30, None):
        retention = None if days is None else timedelta(days=days)
        async with open_mongo_store(AsyncMongoClient, mongo_url, retention=retention):
            expiry = indexes(mongo_url).get("ended_long_ago", {}).get("expireAfterSeconds")
            assert expiry == (None if days is None else days * 86_400)
        async with open_mongo_store(AsyncMongoClient, mongo_url):  # as `rendercast forget` does
            assert indexes(mongo_url).get("ended_long_ago", {}).get("expireAfterSeconds") == expiry
    await migrated(mongo_url, timedelta(days=1))
    start = "The MongoDB server now deletes renders "
    changes = [message.removeprefix(start) for message in caplog.messages if message.startswith(start)]
    assert [change.partition(" (")[0] for change in changes] == [
        "604800 s after their end; before, never",
        "2592000 s after their end; before, 604800 s after their end",
        "never; before, 2592000 s after their end",
        "86400 s after their end; before, never",
    ]


@pytest.mark.parametrize("days", [30, None])
async def test_retention_can_be_changed_by_processes_that_start_at_once(mongo_url: str, days: int | None) -> None:
    async def open_and_close(days: int | None) -> None:
        retention = None if days is None else timedelta(days=days)
        async with open_mongo_store(AsyncMongoClient, mongo_url, retention=retention):
            pass

    for _ in range(5):
        await open_and_close(7)
        await asyncio.gather(*(open_and_close(days) for _ in range(4)))
        expiry = indexes(mongo_url).get("ended_long_ago", {}).get("expireAfterSeconds")
        assert expiry == (None if days is None else days * 86_400)


@asynccontextmanager
async def open_database(url: str) -> AsyncIterator[Database]:
    client = new_client(AsyncMongoClient, url, timeoutMS=None)
    try:
        yield client.get_default_database()
    finally:
        await maybe_await(client.close())


async def migrated(url: str, retention: timedelta | None = None) -> list[str]:
    """Build all indexes; return what was reported."""
    reports: list[str] = []
    async with open_database(url) as database:
        await migrate(database, retention=retention, timeout_s=TIMEOUT_S, report=reports.append)
        assert await missing_indexes(database, timeout_s=TIMEOUT_S) == []
    return reports


def of_large_collections(command: Command) -> Mapping[str, Any] | None:
    """Have each collection look large. A real one would take the tests' server minutes."""
    return {"ok": 1.0, "n": MANY} if "count" in command else None


def without_index_rights(command: Command) -> Mapping[str, Any] | None:
    if {"createIndexes", "dropIndexes", "collMod", "create"} & command.keys():
        return rejection(13, "not authorized on rendercast to execute command")
    return None


def without_commit_quorum(command: Command) -> Mapping[str, Any] | None:
    if "commitQuorum" in command:
        return rejection(40415, "BSON field 'createIndexes.commitQuorum' is an unknown field.")
    return None


async def test_a_large_collection_without_its_unique_index_prevents_the_start_and_nothing_is_built(
    mongo_url: str,
) -> None:
    async with open_mongo_proxy(mongo_url, of_large_collections) as (url, _):
        with pytest.raises(StartupError, match=r"unique index renders\.by_key is missing .*run `rendercast migrate`"):
            async with open_mongo_store(AsyncMongoClient, url):
                pass
    assert indexes(mongo_url).keys() <= {"_id_"}


async def test_an_index_of_the_same_name_that_is_not_unique_prevents_the_start(mongo_url: str) -> None:
    with connect_to_mongo(mongo_url) as client:
        client.get_default_database()["renders"].create_index("key", name="by_key", sparse=True)
    with pytest.raises(StartupError, match=r"the unique index renders\.by_key is missing"):
        async with open_mongo_store(AsyncMongoClient, mongo_url):
            pass


async def test_a_start_without_the_fast_indexes_of_large_collections_logs_a_warning_and_builds_none(
    mongo_url: str, make_render: MakeRender, caplog: pytest.LogCaptureFixture
) -> None:
    with connect_to_mongo(mongo_url) as client:
        required = [model for model in INDEXES["renders"] if model.document.get("unique")]
        client.get_default_database()["renders"].create_indexes(required)
    async with (
        open_mongo_proxy(mongo_url, of_large_collections) as (url, _),
        open_mongo_store(AsyncMongoClient, url, retention=DAYS) as store,
    ):
        assert (await store.add(make_render(), window())).outcome is AddOutcome.ADDED
        assert len(await store.list(owner="ann", first=5, matching=RenderFilter())) == 1
    assert indexes(mongo_url).keys() == {"_id_", "by_key", "quota_entries"}
    for words in ("renders.of_owner", "renders.by_status", "RENDERCAST_RETENTION_DAYS", "run `rendercast migrate`"):
        assert words in caplog.text


async def test_migrate_builds_all_indexes_of_large_collections_and_reports_them(mongo_url: str) -> None:
    async with open_mongo_proxy(mongo_url, of_large_collections) as (url, _):
        reports = await migrated(url, DAYS)
    assert f"Building renders.by_key for about {MANY} documents." in reports
    assert len(reports) == sum(len(models) for models in INDEXES.values())
    assert indexes(mongo_url)["ended_long_ago"]["expireAfterSeconds"] == DAYS.total_seconds()


async def test_migrate_changes_nothing_the_second_time(mongo_url: str) -> None:
    await migrated(mongo_url, DAYS)
    created = indexes(mongo_url)
    assert await migrated(mongo_url, DAYS) == []
    assert indexes(mongo_url) == created


async def test_several_processes_can_migrate_at_once(mongo_url: str) -> None:
    await asyncio.gather(*(migrated(mongo_url, DAYS) for _ in range(4)))


async def test_migrate_waits_for_a_majority_without_a_time_limit(mongo_url: str) -> None:
    async with open_mongo_proxy(mongo_url, lambda _: None) as (url, proxy):
        await migrated(f"{url}&timeoutMS=5000&socketTimeoutMS=5000", DAYS)
    builds = [command for command in proxy.commands if "createIndexes" in command]
    assert len(builds) == sum(len(models) for models in INDEXES.values()) + 1
    for build in builds:
        assert build["commitQuorum"] == "majority"
        assert "maxTimeMS" not in build


async def test_servers_without_commit_quorum_build_the_indexes_too(mongo_url: str) -> None:
    async with open_mongo_proxy(mongo_url, without_commit_quorum) as (url, _):
        await migrated(url, DAYS)


async def test_migrate_waits_again_after_a_lost_connection(mongo_url: str) -> None:
    left = [1]

    def stepping_down(command: Command) -> Mapping[str, Any] | None:
        if "createIndexes" in command and left[0]:
            left[0] -= 1
            return rejection(11602, "InterruptedDueToReplStateChange")
        return None

    async with open_mongo_proxy(mongo_url, stepping_down) as (url, _):
        reports = await migrated(f"{url}&serverMonitoringMode=poll&heartbeatFrequencyMS=500")
    assert sum("connection was lost" in report for report in reports) == 1


async def test_migrate_names_the_index_that_it_has_no_right_to_build(mongo_url: str) -> None:
    async with open_mongo_proxy(mongo_url, without_index_rights) as (url, _):
        with pytest.raises(StoreUnavailable, match=r"renders\.by_key was not built: not authorized"):
            await migrated(url)


async def test_migrate_says_what_to_do_about_another_index_of_the_same_name(mongo_url: str) -> None:
    with connect_to_mongo(mongo_url) as client:
        client.get_default_database()["renders"].create_index("status", name="by_key")
    with pytest.raises(StoreUnavailable, match=r"^renders\.by_key was not built: .*: drop the existing index"):
        await migrated(mongo_url)


async def test_an_index_with_other_keys_does_not_count_as_present(
    mongo_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    with connect_to_mongo(mongo_url) as client:
        client.get_default_database()["renders"].create_index("other", name="by_status")
    async with open_mongo_store(AsyncMongoClient, mongo_url), open_database(mongo_url) as database:
        (missing,) = await missing_indexes(database, timeout_s=TIMEOUT_S)
    assert missing.model.document["name"] == "by_status"
    assert "renders.by_status" in caplog.text


async def test_migrate_names_the_unique_index_that_existing_documents_violate(mongo_url: str) -> None:
    with connect_to_mongo(mongo_url) as client:
        client.get_default_database()["renders"].insert_many([{"_id": str(i), "key": "k"} for i in range(2)])
    with pytest.raises(StoreUnavailable, match=r"renders\.by_key can't be built: .*duplicate key"):
        await migrated(mongo_url)
    with pytest.raises(StartupError, match=r"by_key is missing .*duplicate key"):
        async with open_mongo_store(AsyncMongoClient, mongo_url):
            pass


async def test_after_migrate_no_right_to_build_indexes_is_needed(mongo_url: str, make_render: MakeRender) -> None:
    await migrated(mongo_url, DAYS)
    async with (
        open_mongo_proxy(mongo_url, without_index_rights) as (url, proxy),
        open_mongo_store(AsyncMongoClient, url, retention=DAYS) as store,
    ):
        assert (await store.add(make_render(), window())).outcome is AddOutcome.ADDED
    assert not any({"createIndexes", "dropIndexes", "collMod"} & command.keys() for command in proxy.commands)


async def test_a_retention_that_may_not_be_changed_is_logged_and_the_process_starts(
    mongo_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    await migrated(mongo_url, DAYS)
    caplog.clear()
    async with open_mongo_proxy(mongo_url, without_index_rights) as (url, _):
        for retention in (None, timedelta(days=1)):
            async with open_mongo_store(AsyncMongoClient, url, retention=retention):
                pass
            assert "RENDERCAST_RETENTION_DAYS is not applied" in caplog.text
            assert "now deletes" not in caplog.text
            caplog.clear()
    assert indexes(mongo_url)["ended_long_ago"]["expireAfterSeconds"] == DAYS.total_seconds()
