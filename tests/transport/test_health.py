"""The health endpoints `/healthz` and `/readyz`."""

import asyncio
import json
import os
import resource
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request

from services.errors import StoreUnavailable
from services.models import Render
from services.observability.liveness import MAX_SILENCE_S
from services.realtime.pubsub import open_pubsub
from services.runtime.adapters import open_embedded
from services.runtime.data_folder import STORE_FILE
from services.settings import load_settings
from tests.support.api_client import RETRY_S, TEST_TIMEOUT_S, open_client
from tests.support.api_server import rewired, serve
from tests.support.memory_store import MemoryStore
from tests.support.redis_server import RedisServer
from transport.health import HealthEndpoints

ALIVE = (200, {"status": "alive"})


class StuckStore(MemoryStore):
    """A store whose `reacquire` never returns."""

    async def reacquire(self, *, worker: str, lease: timedelta, queued: bool = True) -> Render | None:
        del worker, lease, queued
        await asyncio.Event().wait()
        raise AssertionError


async def health_of(url: str, path: str) -> tuple[int, dict[str, Any]]:
    """Return status code and body of a health endpoint."""
    async with open_client(url) as client:
        response = await client.http.get(path)
        head = await client.http.head(path)
        assert (head.status_code, head.content) == (response.status_code, b"")
        assert response.headers["cache-control"] == "no-store"
        return response.status_code, response.json()


async def until_parts(url: str, **expected: str | None) -> tuple[int, dict[str, Any]]:
    """Wait until `/readyz` reports these reasons of parts, and no others; return status code and body."""
    async with asyncio.timeout(TEST_TIMEOUT_S), open_client(url) as client:
        while True:
            response = await client.http.get("/readyz")
            parts = response.json()["parts"]
            if {name: part.get("reason") for name, part in parts.items() if not part["ok"]} == expected:
                return response.status_code, response.json()
            await asyncio.sleep(RETRY_S)


async def test_a_working_process_is_alive_and_ready_and_lists_its_parts(tmp_path: Path) -> None:
    async with open_embedded(load_settings(data_dir=tmp_path)) as services, serve(services) as url:
        code, body = await until_parts(url)
        assert (code, body["status"]) == (200, "ready")
        assert body["parts"] == {
            "store": {"ok": True, "required": True},
            "pubsub": {"ok": True, "required": False},
            "data_folder": {"ok": True, "required": True},
            "hub": {"ok": True, "required": True},
            "worker": {"ok": True, "required": True},
            "catalog": {"ok": True, "required": True},
        }
        assert await health_of(url, "/healthz") == ALIVE


async def test_without_the_store_a_process_is_alive_but_not_ready_and_logs_the_reason(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class UnavailableStore(MemoryStore):
        async def check(self) -> None:
            raise StoreUnavailable("mongo-7.internal:27017 refused the connection")

    async with (
        open_embedded(load_settings(data_dir=tmp_path)) as services,
        serve(rewired(services, store=UnavailableStore())) as url,
    ):
        code, body = await until_parts(url, store="unavailable")
        assert (code, body["status"]) == (503, "not ready")
        assert "mongo-7.internal" not in str(body)
        assert await health_of(url, "/healthz") == ALIVE
    assert "store: mongo-7.internal" in caplog.text


async def test_a_store_that_hangs_is_reported_within_the_timeout(tmp_path: Path) -> None:
    class HangingStore(MemoryStore):
        async def check(self) -> None:
            await asyncio.Event().wait()

    async with open_embedded(load_settings(data_dir=tmp_path)) as services:
        health = HealthEndpoints(rewired(services, store=HangingStore()), timeout_s=0.01)
        response = await health.ready(Request({"type": "http"}))
        assert response.status_code == 503
        assert b'"reason":"no response in time"' in response.body


async def test_without_the_broker_a_process_is_ready(tmp_path: Path) -> None:
    server = RedisServer(tmp_path)
    server.start()
    try:
        async with (
            open_embedded(load_settings(data_dir=tmp_path)) as services,
            open_pubsub(server.url) as pubsub,
            serve(replace(services, pubsub=pubsub)) as url,
        ):
            server.stop()
            code, body = await until_parts(url, pubsub="unavailable")
            assert (code, body["status"]) == (200, "ready")
            assert await health_of(url, "/healthz") == ALIVE
    finally:
        server.stop()


async def test_a_process_with_a_stuck_worker_is_not_ready_and_later_not_alive(tmp_path: Path) -> None:
    async with open_embedded(load_settings(data_dir=tmp_path)) as opened:
        services = rewired(opened, store=StuckStore())
        async with serve(services) as url:
            assert (await until_parts(url, worker="not running"))[0] == 503
            assert await health_of(url, "/healthz") == ALIVE
            assert services.worker is not None
            services.worker._loop.last_tick_s = services.clock.monotonic() - MAX_SILENCE_S - 1
            assert await health_of(url, "/healthz") == (503, {"status": "the worker has not ticked for 90 seconds"})
            assert (await until_parts(url, worker="not running"))[0] == 503


def _truncate(path: Path) -> None:
    os.truncate(path, 0)


def _overwrite(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(b"x" * path.stat().st_size)


def _replace(path: Path) -> None:
    shutil.copy(path, path.with_suffix(".copy"))
    path.with_suffix(".copy").rename(path)


def _replace_by_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("damage", [Path.unlink, _truncate, _overwrite, _replace, _replace_by_folder])
async def test_an_embedded_store_whose_file_can_not_be_read_is_not_ready(
    damage: Callable[[Path], None], tmp_path: Path
) -> None:
    async with open_embedded(load_settings(data_dir=tmp_path)):
        pass  # on closing, everything is moved from SQLite's log to the file
    async with open_embedded(load_settings(data_dir=tmp_path)) as services, serve(services) as url:
        await until_parts(url)
        damage(tmp_path / STORE_FILE)
        code, body = await health_of(url, "/readyz")
        assert (code, body["parts"]["store"]["reason"]) == (503, "unavailable")
        assert str(tmp_path) not in str(body)


async def test_an_embedded_process_with_a_full_disk_is_not_ready(tmp_path: Path) -> None:
    async with open_embedded(load_settings(data_dir=tmp_path)) as services:
        health = HealthEndpoints(services)
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))  # no file can grow
        try:
            response = await health.ready(Request({"type": "http"}))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        parts = json.loads(bytes(response.body))["parts"]
        assert response.status_code == 503
        assert (parts["store"]["reason"], parts["data_folder"]["reason"]) == ("unavailable", "not writable")
        await services.store.check()


async def test_an_embedded_process_with_a_data_folder_that_is_not_writable_is_not_ready(tmp_path: Path) -> None:
    async with (
        open_embedded(load_settings(data_dir=tmp_path)) as services,
        serve(replace(services, data_folder=Path("/proc/self"))) as url,
    ):
        assert (await until_parts(url, data_folder="not writable"))[0] == 503
