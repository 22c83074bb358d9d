"""Fixtures: a Redis server, and a hub over memory pub/sub."""

from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from services.models import Render
from services.observability.metrics import Metrics
from services.realtime.hub import ProgressHub
from services.realtime.pubsub import PubSub, open_pubsub
from tests.conftest import MakeRender
from tests.support.fake_clock import FakeClock
from tests.support.hub_states import stored
from tests.support.memory_store import MemoryStore
from tests.support.redis_server import RedisServer


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    started = RedisServer(tmp_path)
    started.start()
    yield started
    started.stop()


@pytest.fixture
async def pubsub() -> AsyncIterator[PubSub]:
    async with open_pubsub("memory://") as opened:
        yield opened


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def hub(memory_store: MemoryStore, pubsub: PubSub, clock: FakeClock, metrics: Metrics) -> ProgressHub:
    return ProgressHub(
        store=memory_store, pubsub=pubsub, clock=clock, metrics=metrics, check_interval=timedelta(seconds=5)
    )


@pytest.fixture
async def render(memory_store: MemoryStore, make_render: MakeRender) -> Render:
    return await stored(memory_store, make_render())
