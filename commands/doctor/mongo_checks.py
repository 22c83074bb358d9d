"""The checks of `rendercast doctor` for MongoDB."""

from datetime import UTC, datetime

from commands.doctor.report import CheckGroup, CheckSkipped
from services.errors import RendercastError, StartupError
from services.runtime.adapters import new_mongo_client
from services.stores.mongo_connection import (
    DEFAULT_DATABASE,
    Client,
    Database,
    ServerClock,
    hosts_of,
    maybe_await,
    mongo_operation,
    operation_timeout_s,
)
from services.stores.mongo_indexes import missing_indexes
from services.stores.mongo_probe import check_replica_set, check_transactions, check_writes, write_test_document

MAX_CLOCK_DIFFERENCE_S = 10.0


async def check_mongodb(group: CheckGroup) -> None:
    """Check that MongoDB responds, accepts writes and transactions and has the indexes, and check its clock."""
    writes, indexes, clock = "MongoDB writes", "MongoDB indexes", "MongoDB clock"
    url = group.settings.storage.mongodb_url

    async def connect() -> str:
        if group.is_embedded:
            raise CheckSkipped("Not needed by `rendercast dev`. For `serve` and `worker`, set MONGODB_URL.")
        if url is None:
            raise StartupError("MONGODB_URL is not set: set it to the address of a replica set.")
        client = new_mongo_client(url.get_secret_value())
        opened.append(client)
        return await _check_mongodb(client, hosts_of(url.get_secret_value()))

    async def check_writing() -> str:
        renders = opened[0].get_default_database(DEFAULT_DATABASE)["renders"]
        timeout_s = operation_timeout_s(opened[0])
        await check_writes(renders, timeout_s=timeout_s)
        await write_test_document(renders, timeout_s=timeout_s)
        await check_transactions(opened[0], renders, timeout_s=timeout_s)
        return "A document can be stored and deleted, and a transaction committed."

    async def list_indexes() -> str:
        database = opened[0].get_default_database(DEFAULT_DATABASE)
        return await _check_indexes(database, timeout_s=operation_timeout_s(opened[0]))

    async def check_clock() -> str:
        server_clock = ServerClock(opened[0])
        with mongo_operation(operation_timeout_s(opened[0])):
            await server_clock.sync()
        return compare_clocks(server_clock.now().replace(tzinfo=UTC), datetime.now(UTC))

    opened: list[Client] = []
    try:
        if await group.check("MongoDB", connect, writes, indexes, clock):
            await group.check(writes, check_writing)
            await group.check(indexes, list_indexes)
            await group.check(clock, check_clock)
    finally:
        for client in opened:
            await maybe_await(client.close())


def compare_clocks(theirs: datetime, ours: datetime) -> str:
    """Return the difference between two clocks, as a sentence. Raises `StartupError` if it is too large."""
    difference_s = abs((theirs - ours).total_seconds())
    if difference_s > MAX_CLOCK_DIFFERENCE_S:
        raise StartupError(f"Its clock and this machine's differ by {difference_s:.0f} s: synchronise both with NTP.")
    return f"Its clock and this machine's differ by {difference_s:.1f} s."


async def _check_mongodb(client: Client, hosts: str) -> str:
    """Check that the server responds and is a replica set. Raises `StartupError`."""
    try:
        with mongo_operation(operation_timeout_s(client)):
            check_replica_set(await ServerClock(client).sync())
    except RendercastError as error:
        raise StartupError(
            f"MongoDB at {hosts} can't be used: {error}. Start it, or correct MONGODB_URL, its user and its password."
        ) from error
    return f"{hosts} responds and is a replica set."


async def _check_indexes(database: Database, *, timeout_s: float) -> str:
    """List missing indexes, without building any. Raises `StartupError` if a start would not build them."""
    missing = await missing_indexes(database, timeout_s=timeout_s)
    if not missing:
        return f"The indexes of the database {database.name} exist."
    if all(each.is_built_at_start for each in missing):
        return f"The next start builds the {len(missing)} missing indexes, since their collections are small."
    names = ", ".join(each.name for each in missing)
    raise StartupError(f"These indexes of the database {database.name} are missing: {names}. Run `rendercast migrate`.")
