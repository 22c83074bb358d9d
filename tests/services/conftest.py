"""What tests of the worker and of watchers use."""

from collections.abc import AsyncIterator

import pytest

from services.models import Render
from services.realtime.pubsub import open_pubsub
from services.realtime.subscribers import Push
from tests.support.fakes import FakeBackend, FakeClock, MemoryStore
from tests.support.worker_bench import Bench


@pytest.fixture
async def bench(memory_store: MemoryStore, backend: FakeBackend, clock: FakeClock) -> AsyncIterator[Bench]:
    async with open_pubsub("memory://") as pubsub:
        yield Bench(memory_store, backend, clock, pubsub)


@pytest.fixture
def pushed() -> list[int]:
    """The revisions that `push` was given."""
    return []


@pytest.fixture
def push(pushed: list[int]) -> Push:
    def push(state: Render) -> bool:
        pushed.append(state.revision)
        return True

    return push
