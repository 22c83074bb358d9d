"""Fixtures for tests of the worker and of subscribers."""

from collections.abc import AsyncIterator

import pytest

from services.models import Render
from services.realtime.pubsub import open_pubsub
from tests.support.fake_backend import FakeBackend
from tests.support.fake_clock import FakeClock
from tests.support.memory_store import MemoryStore
from tests.support.worker_bench import Bench


@pytest.fixture
async def bench(memory_store: MemoryStore, backend: FakeBackend, clock: FakeClock) -> AsyncIterator[Bench]:
    async with open_pubsub("memory://") as pubsub:
        yield Bench(memory_store, backend, clock, pubsub)


class RecordingPusher:
    """A `StatePusher` that records the revisions it was given."""

    def __init__(self) -> None:
        self.revisions: list[int] = []

    def push(self, render: Render) -> bool:
        self.revisions.append(render.revision)
        return True


@pytest.fixture
def pusher() -> RecordingPusher:
    return RecordingPusher()
