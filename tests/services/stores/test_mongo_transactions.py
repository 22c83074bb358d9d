"""Where transactions run, and which are repeated."""

import asyncio
import threading
from collections.abc import Mapping
from typing import Any

import pytest
from motor.motor_asyncio import AsyncIOMotorClient
from pymongo import AsyncMongoClient
from pymongo.errors import OperationFailure

from services.errors import StoreUnavailable
from services.renders import lifecycle
from services.stores import mongo_transactions
from services.stores.mongo import open_mongo_store
from services.stores.mongo_connection import maybe_await
from services.stores.mongo_transactions import Transaction, run_transaction
from tests.conftest import MakeRender
from tests.support.mongo_proxy import Command, open_mongo_proxy
from tests.support.stored_renders import NOW, added, window

pytestmark = pytest.mark.slow

TIMEOUT_S = 10.0


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


async def test_a_returned_unit_is_repeated_if_the_server_reports_a_duplicate(
    mongo_url: str, make_render: MakeRender
) -> None:
    """Instead of a conflict of transactions, as MongoDB does."""
    left = [{"index": 0, "code": 11000, "errmsg": "E11000 duplicate key"}]

    def reject_once(command: Command) -> Mapping[str, Any] | None:
        if "insert" in command and "autocommit" in command and left:
            return {"ok": 1.0, "n": 0, "writeErrors": [left.pop()]}
        return None

    async with open_mongo_proxy(mongo_url, reject_once) as (url, _), open_mongo_store(AsyncMongoClient, url) as store:
        await store.record(lifecycle.cancel(await added(store, make_render()), now=NOW))
        assert await store.quota_used(window()) == 0
    assert left == []
