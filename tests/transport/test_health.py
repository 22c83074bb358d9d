"""The health endpoints `/healthz` and `/readyz`."""

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
from tests.support.api_client import RETRY_S, TEST_TIMEOUT_S, open_client
from tests.support.api_server import rewired, serve
from tests.support.memory_store import MemoryStore
from tests.support.redis_server import RedisServer

ALIVE = (200, "alive")


class StuckStore(MemoryStore):
    """A store whose `acquire` never returns."""

    async def acquire(
        self, *, worker: str, lease: timedelta, excluding: Collection[str] = (), queued: bool = True
    ) -> Render | None:
        del worker, lease, excluding, queued
        await asyncio.Event().wait()
        raise AssertionError


async def expect_health(services: Services, **expected: tuple[int, str]) -> None:
    """Serve the services and wait until each path returns its expected status code and status."""
    async with serve(services) as url, open_client(url) as client, asyncio.timeout(TEST_TIMEOUT_S):
        for path, status in expected.items():
            while True:
                response = await client.http.get(f"/{path}")
                assert response.headers["cache-control"] == "no-store"
                if (response.status_code, response.json()["status"]) == status:
                    break
                await asyncio.sleep(RETRY_S)


async def test_a_working_process_is_alive_and_ready(tmp_path: Path) -> None:
    async with open_embedded(load_settings(data_dir=tmp_path)) as services:
        await expect_health(services, healthz=ALIVE, readyz=(200, "ready"))


async def test_without_the_store_a_process_is_alive_but_not_ready_and_logs_the_reason(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class UnavailableStore(MemoryStore):
        async def get_many(self, render_ids: Collection[str]) -> Sequence[Render]:
            del render_ids
            raise StoreUnavailable("mongo-7.internal:27017 refused the connection")

    async with open_embedded(load_settings(data_dir=tmp_path)) as services:
        await expect_health(
            rewired(services, store=UnavailableStore()), healthz=ALIVE, readyz=(503, "the store is unavailable")
        )
    assert "mongo-7.internal" in caplog.text


async def test_without_the_broker_a_process_is_not_ready(tmp_path: Path) -> None:
    server = RedisServer(tmp_path)
    server.start()
    try:
        async with (
            open_embedded(load_settings(data_dir=tmp_path)) as services,
            open_pubsub(server.url) as pubsub,
        ):
            server.stop()
            disconnected = replace(services, pubsub=pubsub)
            await expect_health(disconnected, healthz=ALIVE, readyz=(503, "pub/sub is unavailable"))
    finally:
        server.stop()


async def test_a_process_with_a_stuck_worker_is_not_ready_and_later_not_alive(tmp_path: Path) -> None:
    async with open_embedded(load_settings(data_dir=tmp_path)) as opened:
        services = rewired(opened, store=StuckStore())
        await expect_health(services, healthz=ALIVE, readyz=(503, "the worker is not running"))
        assert services.worker is not None
        services.worker._loop.last_tick_at = services.clock.now() - MAX_SILENCE - timedelta(seconds=1)
        await expect_health(
            services,
            healthz=(503, "the worker has not ticked for 90 seconds"),
            readyz=(503, "the worker is not running"),
        )
