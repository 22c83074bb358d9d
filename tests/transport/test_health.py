"""What a process says of itself."""

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from services.errors import StoreUnavailable
from services.models import Render
from services.observability.liveness import MAX_SILENCE
from services.realtime.pubsub import open_pubsub
from services.runtime.adapters import open_embedded
from services.runtime.services import Services
from services.settings import load_settings
from tests.support.api_client import PATIENCE_S, RETRY_S, open_client
from tests.support.api_server import rewired, serve
from tests.support.fakes import MemoryStore
from tests.support.redis_server import RedisServer

ALIVE = (200, "alive")


class StuckStore(MemoryStore):
    """A store that doesn't answer a worker who asks for work."""

    async def acquire(
        self, *, worker: str, lease: timedelta, excluding: Collection[str] = (), queued: bool = True
    ) -> Render | None:
        del worker, lease, excluding, queued
        await asyncio.Event().wait()
        raise AssertionError


async def answers(services: Services, **wanted: tuple[int, str]) -> None:
    """Wait until the paths answer as wanted."""
    async with serve(services) as url, open_client(url) as client, asyncio.timeout(PATIENCE_S):
        for path, answer in wanted.items():
            while True:
                response = await client.http.get(f"/{path}")
                assert response.headers["cache-control"] == "no-store"
                if (response.status_code, response.json()["status"]) == answer:
                    break
                await asyncio.sleep(RETRY_S)


async def test_a_process_that_works_is_alive_and_ready(tmp_path: Path) -> None:
    async with open_embedded(load_settings(data_dir=tmp_path)) as services:
        await answers(services, healthz=ALIVE, readyz=(200, "ready"))


async def test_a_process_whose_store_is_away_is_alive_but_not_ready_and_says_why(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class HiddenStore(MemoryStore):
        async def get_many(self, render_ids: Collection[str]) -> Sequence[Render]:
            del render_ids
            raise StoreUnavailable("mongo-7.internal:27017 refused the connection")

    async with open_embedded(load_settings(data_dir=tmp_path)) as services:
        await answers(rewired(services, store=HiddenStore()), healthz=ALIVE, readyz=(503, "the store is away"))
    assert "mongo-7.internal" in caplog.text


async def test_a_process_whose_broker_is_away_is_not_ready(tmp_path: Path) -> None:
    server = RedisServer(tmp_path)
    server.start()
    try:
        async with (
            open_embedded(load_settings(data_dir=tmp_path)) as services,
            open_pubsub(server.url) as pubsub,
        ):
            server.stop()
            unwell = replace(services, pubsub=pubsub)
            await answers(unwell, healthz=ALIVE, readyz=(503, "pub/sub is away"))
    finally:
        server.stop()


async def test_a_process_whose_worker_is_stuck_is_not_ready_and_after_a_while_not_alive(tmp_path: Path) -> None:
    async with open_embedded(load_settings(data_dir=tmp_path)) as opened:
        services = rewired(opened, store=StuckStore())
        await answers(services, healthz=ALIVE, readyz=(503, "the worker is not running"))
        assert services.worker is not None
        services.worker.last_tick_at = services.clock.now() - MAX_SILENCE - timedelta(seconds=1)
        await answers(
            services,
            healthz=(503, "the worker has not ticked for 90 seconds"),
            readyz=(503, "the worker is not running"),
        )
