"""What tests of the worker use."""

from collections.abc import AsyncIterator

import pytest

from services.pubsub import open_pubsub
from tests.fakes import FakeBackend, FakeClock, MemoryStore
from tests.services.bench import Bench


@pytest.fixture
async def bench(memory_store: MemoryStore, backend: FakeBackend, clock: FakeClock) -> AsyncIterator[Bench]:
    async with open_pubsub("memory://") as pubsub:
        yield Bench(memory_store, backend, clock, pubsub)
