"""The metrics server as clients may use it."""

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import httpx
import pytest

from commands.server import metrics_server
from commands.server.metrics_server import (
    MAX_CONCURRENT_SCRAPES,
    MAX_HEADER_BYTES,
    listen_for_metrics,
    serve_metrics,
)
from services.observability.exposition import Exposition
from services.observability.liveness import MAX_SILENCE_S
from services.runtime.adapters import open_embedded
from services.runtime.services import Services
from services.settings import load_settings
from tests.support.api_client import TEST_TIMEOUT_S

LONG_S = 10 * TEST_TIMEOUT_S


@pytest.fixture
async def services(tmp_path: Path) -> AsyncIterator[Services]:
    async with open_embedded(load_settings(data_dir=tmp_path, metrics_port=0)) as services:
        yield services


@pytest.fixture
async def address(services: Services) -> AsyncIterator[tuple[str, int]]:
    with listen_for_metrics(services.settings.metrics) as listener:
        assert listener is not None
        async with serve_metrics(listener, services):
            yield listener.getsockname()


@pytest.fixture
async def client(address: tuple[str, int]) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=f"http://{address[0]}:{address[1]}", timeout=TEST_TIMEOUT_S) as client:
        yield client


async def test_metrics_are_served_at_prometheus_default_path(client: httpx.AsyncClient) -> None:
    response = await client.get("/metrics?name=x")
    assert response.status_code == 200
    assert "rendercast_queue_depth 0.0\n" in response.text
    assert (await client.head("/metrics")).headers["content-type"] == response.headers["content-type"]


async def test_health_reports_a_stalled_loop(services: Services, client: httpx.AsyncClient) -> None:
    alive = await client.get("/healthz")
    assert (alive.status_code, alive.json()) == (200, {"status": "alive"})
    assert services.worker is not None
    services.worker._loop.last_tick_s = services.clock.monotonic() - MAX_SILENCE_S - 1
    stalled = await client.get("/healthz")
    assert (stalled.status_code, stalled.json()) == (503, {"status": "the worker has not ticked for 90 seconds"})


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/", 404), ("POST", "/metrics", 405)])
async def test_other_paths_and_methods_are_rejected(
    client: httpx.AsyncClient, method: str, path: str, status: int
) -> None:
    assert (await client.request(method, path)).status_code == status


@pytest.mark.parametrize("sent", [b"GET /metrics HTTP/1.1\r\n", b"x" * 4 * MAX_HEADER_BYTES, b"\r\n\r\n"])
async def test_an_invalid_request_is_rejected_and_others_are_served(
    address: tuple[str, int], client: httpx.AsyncClient, sent: bytes
) -> None:
    reader, writer = await asyncio.open_connection(*address)
    writer.write(sent)
    writer.write_eof()
    async with asyncio.timeout(TEST_TIMEOUT_S):
        with contextlib.suppress(ConnectionResetError):
            assert b" 200 " not in await reader.read()
    writer.close()
    assert (await client.get("/metrics")).status_code == 200


@pytest.mark.parametrize(
    "sent",
    [
        b"GET /metrics HTTP/9.9\r\n\r\n",
        b"G\0T / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost : x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
    ],
)
async def test_the_response_to_a_malformed_request_does_not_disclose_the_version(
    address: tuple[str, int], sent: bytes
) -> None:
    reader, writer = await asyncio.open_connection(*address)
    writer.write(sent)
    async with asyncio.timeout(TEST_TIMEOUT_S):
        response = await reader.read()
    writer.close()
    assert response.startswith(b"HTTP/1.0 400 ")
    assert b"server:" not in response.lower()


async def test_each_connection_is_for_one_request_and_the_version_is_not_disclosed(client: httpx.AsyncClient) -> None:
    for method, path in (
        ("GET", "/metrics"),
        ("HEAD", "/metrics"),
        ("GET", "/healthz"),
        ("GET", "/"),
        ("POST", "/healthz"),
    ):
        response = await client.request(method, path)
        assert response.headers["connection"] == "close"
        assert "server" not in response.headers
    response = await client.post("/healthz")
    assert set(response.headers["allow"].split(",")) == {"GET", "HEAD"}


async def test_a_request_that_does_not_arrive_in_time_is_ended(services: Services) -> None:
    with listen_for_metrics(services.settings.metrics) as listener:
        assert listener is not None
        async with serve_metrics(listener, services, timeout_s=0.2), asyncio.timeout(TEST_TIMEOUT_S):
            reader, writer = await asyncio.open_connection(*listener.getsockname())
            writer.write(b"GET /metrics HTTP/1.1\r\nHost: x\r\n")
            with contextlib.suppress(ConnectionResetError):  # the server had not read it
                assert await reader.read() == b""
            writer.close()


async def test_more_scrapes_than_the_limit_wait_and_all_are_served(client: httpx.AsyncClient) -> None:
    responses = await asyncio.gather(*(client.get("/metrics") for _ in range(3 * MAX_CONCURRENT_SCRAPES)))
    assert {response.status_code for response in responses} == {200}


class HangingStore:
    """A store that does not respond."""

    def __init__(self) -> None:
        self.called = asyncio.Event()

    async def queue(self) -> None:
        self.called.set()
        await asyncio.Event().wait()


async def test_a_scrape_that_hangs_does_not_delay_the_shutdown(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metrics_server, "Exposition", partial(Exposition, read_timeout_s=LONG_S))
    store = HangingStore()
    hanging = dataclasses.replace(services, store=store)  # type: ignore[arg-type]  # the part that a scrape uses
    async with contextlib.AsyncExitStack() as stack:
        listener = stack.enter_context(listen_for_metrics(services.settings.metrics))
        assert listener is not None
        server = contextlib.AsyncExitStack()
        await server.enter_async_context(serve_metrics(listener, hanging, timeout_s=LONG_S))
        _, writer = await asyncio.open_connection(*listener.getsockname())
        writer.write(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        async with asyncio.timeout(TEST_TIMEOUT_S):
            await store.called.wait()
        async with asyncio.timeout(TEST_TIMEOUT_S):
            await server.aclose()
        writer.close()
