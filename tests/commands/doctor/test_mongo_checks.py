"""The checks of `rendercast doctor` for MongoDB: they build nothing and leave nothing."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from pydantic import SecretStr
from pymongo import AsyncMongoClient

from commands.doctor.mongo_checks import check_mongodb
from commands.doctor.report import CheckGroup, Result
from commands.doctor.role import Role
from services.settings import default_settings
from services.stores.mongo import open_mongo_store
from tests.support.mongo_proxy import Command, open_mongo_proxy, rejection
from tests.support.mongo_server import connect_to_mongo

pytestmark = pytest.mark.slow


async def findings(url: str) -> Mapping[str, tuple[Result, str]]:
    part = CheckGroup(default_settings(mongodb_url=SecretStr(url)), Role.SERVE)
    await check_mongodb(part)
    return {finding.check: (finding.result, finding.sentence) for finding in part.findings}


def contents(url: str) -> dict[str, tuple[int, list[str]]]:
    """Return the number of documents and the indexes of each collection."""
    with connect_to_mongo(url) as client:
        database = client.get_default_database()
        return {
            name: (database[name].count_documents({}), sorted(database[name].index_information()))
            for name in database.list_collection_names()
        }


def rejecting_writes(command: Command) -> Mapping[str, Any] | None:
    return rejection(13, "not authorized on test to execute command") if "insert" in command else None


def rejecting_transactions(command: Command) -> Mapping[str, Any] | None:
    return rejection(20, "Transaction numbers are not allowed") if "startTransaction" in command else None


def of_large_collections(command: Command) -> Mapping[str, Any] | None:
    return {"ok": 1.0, "n": 5_000_000} if "count" in command else None


async def test_a_new_database_is_ok_and_gets_neither_indexes_nor_documents(mongo_url: str) -> None:
    found = await findings(mongo_url)
    assert {result for result, _ in found.values()} == {Result.OK}
    assert "The next start builds the 18 missing indexes" in found["MongoDB indexes"][1]
    assert [(count, names) for count, names in contents(mongo_url).values() if count or names != ["_id_"]] == []


async def test_a_database_in_use_is_ok_and_not_changed(mongo_url: str) -> None:
    async with open_mongo_store(AsyncMongoClient, mongo_url, retention=timedelta(days=3)):
        pass
    before = contents(mongo_url)
    found = await findings(mongo_url)
    assert {name: result for name, (result, _) in found.items()} == dict.fromkeys(
        ("MongoDB", "MongoDB writes", "MongoDB indexes", "MongoDB clock"), Result.OK
    )
    assert contents(mongo_url) == before


async def test_missing_indexes_of_large_collections_are_listed_with_the_command_that_builds_them(
    mongo_url: str,
) -> None:
    async with open_mongo_proxy(mongo_url, of_large_collections) as (url, proxy):
        result, sentence = (await findings(url))["MongoDB indexes"]
    assert result is Result.WRONG
    assert "renders.by_key, renders.of_owner" in sentence
    assert "Run `rendercast migrate`." in sentence
    assert not any("createIndexes" in command for command in proxy.commands)


async def test_rejected_writes_and_transactions_are_reported_and_the_other_checks_run(mongo_url: str) -> None:
    for reject, words in ((rejecting_writes, "not authorized"), (rejecting_transactions, "a transaction fails")):
        async with open_mongo_proxy(mongo_url, reject) as (url, _):
            found = await findings(url)
        assert found["MongoDB writes"][0] is Result.WRONG
        assert words in found["MongoDB writes"][1]
        assert found["MongoDB"][0] is found["MongoDB indexes"][0] is found["MongoDB clock"][0] is Result.OK


async def test_a_wrong_option_of_the_url_is_named_and_nothing_is_connected() -> None:
    found = await findings("mongodb://ann:hunter2@x/?retryWrite=false")
    assert found["MongoDB"][0] is Result.WRONG
    assert "retryWrite is not an option; did you mean retryWrites" in found["MongoDB"][1]
    assert found["MongoDB writes"][0] is Result.SKIPPED
    assert "hunter2" not in str(found)
