"""Servers that differ from a MongoDB replica set in what they accept, and what the start says about them."""

from collections.abc import Mapping
from typing import Any

import pytest
from pymongo import AsyncMongoClient

from services.errors import StartupError
from services.models import RenderFilter
from services.ports import AddOutcome
from services.stores.mongo import open_mongo_store
from tests.conftest import MakeRender
from tests.services.stores.test_sqlite import use_everything
from tests.support.mongo_proxy import Command, open_mongo_proxy, rejection
from tests.support.stored_renders import window

pytestmark = pytest.mark.slow


def without_retryable_writes(command: Command) -> Mapping[str, Any] | None:
    """Amazon DocumentDB before 8.0.2 answers so, according to its documentation."""
    if "txnNumber" in command and "autocommit" not in command:
        return rejection(301, "Retryable writes are not supported")
    return None


def without_transactions(command: Command) -> Mapping[str, Any] | None:
    if "startTransaction" in command:
        return rejection(263, "Transactions are not supported")
    return None


def without_pipelines_in_updates(command: Command) -> Mapping[str, Any] | None:
    """Servers that know only update operators."""
    updates = [command.get("update"), *(update["u"] for update in command.get("updates", ()))]
    if any(isinstance(update, list) for update in updates):
        return rejection(14, "An update must be a document")
    return None


async def test_a_server_without_retryable_writes_prevents_the_start_with_the_option_to_add(mongo_url: str) -> None:
    async with open_mongo_proxy(mongo_url, without_retryable_writes) as (url, _):
        with pytest.raises(StartupError, match="add retryWrites=false to MONGODB_URL") as error:
            async with open_mongo_store(AsyncMongoClient, url):
                pass
    assert str(error.value).startswith("MongoDB at 127.0.0.1:")
    assert "\n" not in str(error.value)


async def test_a_server_without_retryable_writes_works_with_the_option(mongo_url: str, make_render: MakeRender) -> None:
    async with (
        open_mongo_proxy(mongo_url, without_retryable_writes) as (url, _),
        open_mongo_store(AsyncMongoClient, f"{url}&retryWrites=false") as store,
    ):
        assert (await store.add(make_render(), window())).outcome is AddOutcome.ADDED


async def test_a_server_without_transactions_prevents_the_start(mongo_url: str) -> None:
    async with open_mongo_proxy(mongo_url, without_transactions) as (url, _):
        with pytest.raises(StartupError, match="the store needs transactions"):
            async with open_mongo_store(AsyncMongoClient, url):
                pass


async def test_a_server_without_pipelines_in_updates_works(mongo_url: str, make_render: MakeRender) -> None:
    async with (
        open_mongo_proxy(mongo_url, without_pipelines_in_updates) as (url, _),
        open_mongo_store(AsyncMongoClient, url) as store,
    ):
        await use_everything(store, make_render)


async def test_a_write_concern_that_the_server_does_not_have_prevents_the_start(mongo_url: str) -> None:
    with pytest.raises(StartupError, match="No write concern mode named 'nowhere'"):
        async with open_mongo_store(AsyncMongoClient, f"{mongo_url}?w=nowhere"):
            pass


@pytest.mark.parametrize("options", ["replicaSet=wrong", "replicaSet=wrong&directConnection=true"])
async def test_a_wrong_name_of_the_replica_set_is_named(mongo_url: str, options: str) -> None:
    with pytest.raises(StartupError, match="correct the option replicaSet of MONGODB_URL") as error:
        async with open_mongo_store(AsyncMongoClient, f"{mongo_url}?{options}&timeoutMS=3000"):
            pass
    assert "wrong" in str(error.value)


async def test_reads_with_the_options_of_documentdbs_console_see_what_was_written(
    mongo_url: str, make_render: MakeRender
) -> None:
    options = "readPreference=secondaryPreferred&retryWrites=false"
    async with open_mongo_store(AsyncMongoClient, f"{mongo_url}?{options}") as store:
        render = make_render()
        await store.add(render, window())
        assert await store.list(owner="ann", first=5, matching=RenderFilter()) == [render]
