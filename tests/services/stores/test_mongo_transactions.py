"""The commands of a start in MongoDB, and where its transaction runs."""

import asyncio
import threading
from functools import partial
from typing import Any

import pytest
from motor.motor_asyncio import AsyncIOMotorClient
from pymongo import AsyncMongoClient
from pymongo.errors import OperationFailure

from services.errors import StoreUnavailable
from services.models import QuotaWindow
from services.stores import mongo_transactions
from services.stores.mongo import open_mongo_store
from services.stores.mongo_connection import maybe_await
from services.stores.mongo_transactions import Transaction, run_transaction
from tests.conftest import MakeRender
from tests.support.mongo_commands import SentCommands
from tests.support.stored_renders import HOUR, NOW, WINDOW_STARTS_AT, window

pytestmark = pytest.mark.slow

TIMEOUT_S = 10.0


@pytest.mark.parametrize("client", [AsyncIOMotorClient, AsyncMongoClient])
async def test_a_start_takes_three_commands(client: type, mongo_url: str, make_render: MakeRender) -> None:
    commands = SentCommands()
    async with open_mongo_store(partial(client, event_listeners=[commands]), mongo_url) as store:
        await store.add(make_render(), window())
        commands.sent.clear()
        await store.add(make_render(), window())
    in_transaction = [command for command in commands.sent if command.get("autocommit") is False]
    names = [next(iter(command.items())) for command in in_transaction]
    assert names == [("findAndModify", "quota"), ("insert", "renders"), ("commitTransaction", 1)]


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


async def test_a_transaction_of_motor_runs_in_one_thread_and_must_not_wait_for_the_event_loop(mongo_url: str) -> None:
    client: Any = AsyncIOMotorClient(mongo_url)
    probe = client.get_default_database()["probe"]

    async def thread(transaction: Transaction) -> int:
        before = threading.get_ident()
        await transaction.on(probe).find_one({})
        assert threading.get_ident() == before
        return before

    async def wait(_: Transaction) -> None:
        await asyncio.sleep(0)

    try:
        assert await run_transaction(client, thread, timeout_s=TIMEOUT_S) != threading.get_ident()
        with pytest.raises(AssertionError, match="await nothing but its own calls"):
            await run_transaction(client, wait, timeout_s=TIMEOUT_S)
    finally:
        client.close()


@pytest.mark.parametrize("driver", [AsyncIOMotorClient, AsyncMongoClient])
async def test_a_transaction_whose_time_ends_before_it_could_be_repeated_fails_with_its_conflict(
    driver: type, mongo_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mongo_transactions, "RETRY_BASE_S", 4 * TIMEOUT_S)
    monkeypatch.setattr(mongo_transactions, "MAX_RETRY_S", 4 * TIMEOUT_S)
    client: Any = driver(mongo_url)
    probe = client.get_default_database()["probe"]

    async def conflict(transaction: Transaction) -> None:
        await transaction.on(probe).find_one({})
        raise OperationFailure("a conflict", 112, {"errorLabels": ["TransientTransactionError"]})

    try:
        with pytest.raises(StoreUnavailable, match="a conflict"):
            await run_transaction(client, conflict, timeout_s=TIMEOUT_S)
    finally:
        await maybe_await(client.close())
