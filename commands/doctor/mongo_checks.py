"""The checks of `rendercast doctor` for MongoDB."""

from datetime import UTC, datetime

from commands.doctor.report import CHECK_TIMEOUT_S, CheckGroup, CheckSkipped
from services.errors import RendercastError, StartupError
from services.runtime.adapters import new_mongo_client
from services.stores.mongo_connection import (
    DEFAULT_DATABASE,
    Client,
    ServerClock,
    hosts_of,
    maybe_await,
    mongo_operation,
    operation_timeout_s,
)
from services.stores.mongo_documents import QUOTA_INDEXES, RENDER_INDEXES
from services.stores.mongo_outbox import WEBHOOK_INDEXES

MAX_CLOCK_DIFFERENCE_S = 10.0


async def check_mongodb(part: CheckGroup) -> None:
    """Check that MongoDB responds, is a replica set and has the indexes, and check its clock."""
    indexes, clock = "MongoDB indexes", "MongoDB clock"
    url = part.settings.storage.mongodb_url

    async def connect() -> str:
        if part.is_embedded:
            raise CheckSkipped("Not needed by `rendercast dev`. For `serve` and `worker`, set MONGODB_URL.")
        if url is None:
            raise StartupError("MONGODB_URL is not set: set it to the address of a replica set.")
        client = new_mongo_client(url.get_secret_value())
        opened.append(client)
        return await _check_mongodb(client, hosts_of(url.get_secret_value()))

    async def create_indexes() -> str:
        database = opened[0].get_default_database(DEFAULT_DATABASE)
        with mongo_operation(CHECK_TIMEOUT_S):
            await database["renders"].create_indexes(list(RENDER_INDEXES))
            await database["quota"].create_indexes(list(QUOTA_INDEXES))
            await database["webhooks"].create_indexes(list(WEBHOOK_INDEXES))
        return f"The indexes of the database {database.name} exist."

    async def check_clock() -> str:
        server_clock = ServerClock(opened[0])
        with mongo_operation(operation_timeout_s(opened[0])):
            await server_clock.sync()
        return compare_clocks(server_clock.now().replace(tzinfo=UTC), datetime.now(UTC))

    opened: list[Client] = []
    try:
        if await part.check("MongoDB", connect, indexes, clock):
            await part.check(indexes, create_indexes)
            await part.check(clock, check_clock)
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
            hello = await ServerClock(client).sync()
    except RendercastError as error:
        raise StartupError(
            f"MongoDB at {hosts} can't be used: {error}. Start it, or correct MONGODB_URL, its user and its password."
        ) from error
    if "setName" not in hello and hello.get("msg") != "isdbgrid":
        raise StartupError(f"MongoDB at {hosts} is not a replica set: start it with --replSet; one member is enough.")
    return f"{hosts} responds and is a replica set."
