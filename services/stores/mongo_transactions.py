"""Runs transactions, and repeats those that conflict with another."""

import asyncio
from collections.abc import Awaitable, Callable
from itertools import count
from typing import TypeVar

from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.errors import PyMongoError

from services.background.backoff import backoff_s
from services.stores.mongo_connection import Client, maybe_await, mongo_operation

Session = AsyncClientSession
T = TypeVar("T")

RETRY_BASE_S, MAX_RETRY_S = 0.02, 1.0  # delays before a transaction that conflicted with another is repeated


async def run_transaction(client: Client, operation: Callable[[Session], Awaitable[T]], *, timeout_s: float) -> T:
    """Run the operation in a transaction. Repeat it after transient conflicts, within the timeout.

    Raises `StoreUnavailable`. Not done with the drivers' `with_transaction`: while a server is unavailable, it retries
    for two minutes, whatever the timeout.
    """
    with mongo_operation(timeout_s):
        async with await maybe_await(client.start_session()) as session:
            for failures in count(1):
                try:
                    async with await maybe_await(session.start_transaction()):
                        return await operation(session)
                except PyMongoError as error:
                    if error.timeout or not error.has_error_label("TransientTransactionError"):
                        raise
                await asyncio.sleep(backoff_s(failures, base_s=RETRY_BASE_S, max_s=MAX_RETRY_S))
    raise AssertionError
