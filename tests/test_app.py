"""The application's routes and background loops."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from services.realtime.hub import ProgressHub
from services.runtime.adapters import open_embedded
from services.runtime.services import Services
from services.settings import load_settings
from tests.support.api_client import RETRY_S, TEST_TIMEOUT_S, Client, open_client
from tests.support.api_server import rewired, serve
from tests.support.fake_backend import FakeBackend


@pytest.fixture
async def services(tmp_path: Path) -> AsyncIterator[Services]:
    async with open_embedded(load_settings(data_dir=tmp_path, acquire_interval_s=0.05)) as services:
        yield rewired(services, backend=FakeBackend())


ROUTES = {
    ("GET", "/"): 200,
    ("GET", "/graphql"): 400,
    ("GET", "/graphql/"): 400,
    ("GET", "/healthz"): 200,
    ("POST", "/healthz"): 405,
    ("GET", "/readyz"): 200,
    ("GET", "/missing"): 404,
    ("GET", "/files/"): 404,
    ("GET", "/files/x.mp4"): 404,
    ("DELETE", "/files/x.mp4"): 405,
    ("GET", "/files/../cli.py"): 404,
    ("GET", "/files/%2e%2e%2fcli.py"): 404,
    ("PUT", "/graphql"): 405,
}


async def test_routes_and_their_methods(tmp_path: Path) -> None:
    async with (
        open_embedded(load_settings(data_dir=tmp_path)) as services,
        serve(services) as url,
        open_client(url, user="ann") as client,
    ):
        await client.until(await client.start_render(durationInFrames=1), status="COMPLETE")
        assert {route: (await client.http.request(*route)).status_code for route in ROUTES} == ROUTES


async def test_renders_run_during_the_lifespan_and_leases_are_released_at_its_end(
    services: Services,
) -> None:
    assert services.worker is not None
    worker = services.worker.id
    async with serve(services) as url, open_client(url, user="ann") as client:
        render_id = await client.start_render()
        await client.until(render_id, status="RENDERING")
        assert await services.store.renew([render_id], worker=worker, lease=timedelta(0)) == {render_id}
    assert await services.store.renew([render_id], worker=worker, lease=timedelta(0)) == frozenset()


async def test_the_application_can_be_served_again_on_the_same_services(services: Services) -> None:
    ids = []
    for _ in range(2):
        async with serve(services) as url, open_client(url, user="ann") as client:
            ids.append(await client.start_render())
            await client.until(ids[-1], status="RENDERING")
            assert [render["id"] for render in await client.list_renders()] == ids[::-1]


class CrashingHub(ProgressHub):
    """A hub whose loop crashes in its first run."""

    runs = 0

    async def run(self) -> None:
        self.runs += 1
        if self.runs == 1:
            raise RuntimeError("a bug")
        await super().run()


async def test_a_loop_that_crashes_is_restarted(services: Services, caplog: pytest.LogCaptureFixture) -> None:
    hub = CrashingHub(
        store=services.store,
        pubsub=services.pubsub,
        clock=services.clock,
        metrics=services.metrics,
        check_interval=services.hub._check_interval,
    )
    async with serve(replace(services, hub=hub)) as url, open_client(url) as client, asyncio.timeout(TEST_TIMEOUT_S):
        while hub.runs < 2:  # noqa: ASYNC110  # there is no event for it
            await asyncio.sleep(RETRY_S)
        assert (await client.http.get("/healthz")).status_code == 200
    assert "the hub failed and is restarted" in caplog.text


async def test_users_see_only_their_own_renders(services: Services) -> None:
    async with serve(services) as url, open_client(url) as http:
        ann, bob = Client(http.http, user="ann"), Client(http.http, user="bob")
        render_id = await ann.start_render()
        assert await bob.list_renders() == []
        assert [render["id"] for render in await ann.list_renders()] == [render_id]
