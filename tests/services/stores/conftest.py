"""A fixture with every store. A new adapter is one more parameter."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest
from motor.motor_asyncio import AsyncIOMotorClient
from pymongo import AsyncMongoClient

from services.clock import SystemClock
from services.ports import RenderStore
from services.stores.mongo import open_mongo_store
from services.stores.sqlite import open_sqlite_store
from tests.support.memory_store import MemoryStore


@asynccontextmanager
async def memory(_: Path) -> AsyncIterator[RenderStore]:
    yield MemoryStore(SystemClock())


def sqlite(folder: Path) -> AbstractAsyncContextManager[RenderStore]:
    return open_sqlite_store(folder / "renders.sqlite3", SystemClock())


def motor(url: str) -> AbstractAsyncContextManager[RenderStore]:
    return open_mongo_store(AsyncIOMotorClient, url)


def pymongo(url: str) -> AbstractAsyncContextManager[RenderStore]:
    return open_mongo_store(AsyncMongoClient, url)


@pytest.fixture(params=[memory, sqlite, *(pytest.param(each, marks=pytest.mark.slow) for each in (motor, pymongo))])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[RenderStore]:
    is_mongo = request.param in {motor, pymongo}
    location = request.getfixturevalue("mongo_url") if is_mongo else tmp_path
    async with request.param(location) as opened:
        yield opened
