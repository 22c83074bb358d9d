"""The port of `/metrics` as any client may use it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from commands.server.metrics_server import MAX_HEAD_BYTES, answering_scrapes, listen_for_scrapes
from services.observability.liveness import MAX_SILENCE
from services.runtime.adapters import open_embedded
from services.runtime.services import Services
from services.settings import load_settings
from tests.support.api_client import PATIENCE_S


@pytest.fixture
async def services(tmp_path: Path) -> AsyncIterator[Services]:
    async with open_embedded(load_settings(data_dir=tmp_path, metrics_port=0)) as services:
        yield services


@pytest.fixture
async def address(services: Services) -> AsyncIterator[tuple[str, int]]:
    with listen_for_scrapes(services.settings.metrics) as listener:
        assert listener is not None
        async with answering_scrapes(listener, services):
            yield listener.getsockname()


@pytest.fixture
async def client(address: tuple[str, int]) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=f"http://{address[0]}:{address[1]}") as client:
        yield client


async def test_metrics_are_where_prometheus_looks(client: httpx.AsyncClient) -> None:
    response = await client.get("/metrics?name=x")
    assert response.status_code == 200
    assert "rendercast_queue_depth 0.0\n" in response.text
    assert (await client.head("/metrics")).headers["content-type"] == response.headers["content-type"]


async def test_who_restarts_it_is_told_whether_it_goes_on(services: Services, client: httpx.AsyncClient) -> None:
    alive = await client.get("/healthz")
    assert (alive.status_code, alive.json()) == (200, {"status": "alive"})
    assert services.worker is not None
    services.worker.last_tick_at = services.clock.now() - MAX_SILENCE - timedelta(seconds=1)
    stuck = await client.get("/healthz")
    assert (stuck.status_code, stuck.json()) == (503, {"status": "the worker has not ticked for 90 seconds"})


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/", 404), ("POST", "/metrics", 405)])
async def test_nothing_else_is_there(client: httpx.AsyncClient, method: str, path: str, status: int) -> None:
    assert (await client.request(method, path)).status_code == status


@pytest.mark.parametrize("sent", [b"GET /metrics HTTP/1.1\r\n", b"x" * 4 * MAX_HEAD_BYTES, b"\r\n\r\n"])
async def test_what_is_no_request_is_ended_and_others_are_answered(
    address: tuple[str, int], client: httpx.AsyncClient, sent: bytes
) -> None:
    reader, writer = await asyncio.open_connection(*address)
    writer.write(sent)
    writer.write_eof()
    async with asyncio.timeout(PATIENCE_S):
        with contextlib.suppress(ConnectionResetError):
            assert b" 200 " not in await reader.read()
    writer.close()
    assert (await client.get("/metrics")).status_code == 200
