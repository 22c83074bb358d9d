"""What services/stores/mongo_connection.py relies on and neither PyMongo nor motor guarantees."""

import contextvars
import gc
import time
import warnings
from collections.abc import Iterator

import pymongo
import pytest
from motor.frameworks.asyncio import run_on_executor
from motor.motor_asyncio import AsyncIOMotorClient
from pymongo import AsyncMongoClient
from pymongo.errors import PyMongoError

from services.stores.mongo_connection import maybe_await
from tests.support.server_process import free_port


@pytest.fixture
def _unclosed_sockets() -> Iterator[None]:
    """PyMongo's async client leaves failed sockets to the garbage collector."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@pytest.mark.usefixtures("_unclosed_sockets")
@pytest.mark.parametrize("connect", [AsyncIOMotorClient, AsyncMongoClient])
async def test_the_timeout_applies_to_both_drivers_and_is_appended_to_the_message(connect: type) -> None:
    client = connect(f"mongodb://127.0.0.1:{free_port()}", serverSelectionTimeoutMS=60_000)
    try:
        started = time.monotonic()
        with pytest.raises(PyMongoError, match=r", Timeout: .*, Topology Description: ") as error, pymongo.timeout(0.3):
            await client.admin.command("ping")
        assert time.monotonic() - started < 10
        assert error.value.timeout
    finally:
        await maybe_await(client.close())


async def test_motor_copies_context_variables_to_its_threads() -> None:
    variable = contextvars.ContextVar("variable", default="default")
    variable.set("copied")
    client: AsyncIOMotorClient[dict[str, object]] = AsyncIOMotorClient()
    try:
        copied = run_on_executor(client.get_io_loop(), variable.get)  # type: ignore[no-untyped-call]  # motor has no types
        assert await copied == "copied"
    finally:
        client.close()
