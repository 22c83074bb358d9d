"""What `rendercast migrate` does: it prepares a MongoDB for this version, so that processes need no right to do it."""

from datetime import timedelta
from functools import partial

from pymongo import AsyncMongoClient

from services.stores.mongo_connection import (
    DEFAULT_DATABASE,
    DEFAULT_TIMEOUT_S,
    Client,
    ServerClock,
    mongo_operation,
    open_with_client,
)
from services.stores.mongo_indexes import Report, migrate
from services.stores.mongo_probe import check_replica_set, check_transactions, check_writes
from services.stores.mongo_url import read_mongo_url

UNLIMITED = {"timeoutMS": None, "socketTimeoutMS": None}  # of the URL: a build takes as long as it takes


async def migrate_mongo(url: str, *, retention: timedelta | None, report: Report) -> None:
    """Check the server and build all missing indexes. Raises `StartupError`. Can be cancelled and repeated.

    Uses PyMongo's own asyncio client: motor's threads can't be interrupted during a build.
    """
    timeout_ms = float(read_mongo_url(url).options.get("timeoutms", DEFAULT_TIMEOUT_S * 1000))
    prepare = partial(_migrate, retention=retention, timeout_s=timeout_ms / 1000, report=report)
    async with open_with_client(partial(AsyncMongoClient, **UNLIMITED), url, prepare):
        pass


async def _migrate(client: Client, *, retention: timedelta | None, timeout_s: float, report: Report) -> None:
    """Build the indexes. `timeout_s` limits everything else."""
    database = client.get_default_database(DEFAULT_DATABASE)
    with mongo_operation(timeout_s):
        check_replica_set(await ServerClock(client).sync())
    await check_writes(database["renders"], timeout_s=timeout_s)
    await migrate(database, retention=retention, timeout_s=timeout_s, report=report)
    await check_transactions(client, database["renders"], timeout_s=timeout_s)
    report(f"All indexes of the database {database.name} exist.")
