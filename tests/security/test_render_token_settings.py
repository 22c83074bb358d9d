"""Tokens for one render: their expiry, the limits of their holders, and their secret."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed

from services.runtime.adapters import open_embedded
from services.settings import Settings, load_settings
from tests.security.closing import rejected_init
from tests.support.api_client import GET, PROGRESS, REFRESH, SHARE, START, Client, open_client
from tests.support.api_server import rewired, serve
from tests.support.api_stream import open_stream
from tests.support.fake_backend import FakeBackend
from tests.support.fake_clock import FakeClock


async def test_an_expired_token_is_rejected_and_closes_its_connection(tmp_path: Path) -> None:
    clock = FakeClock()
    settings = load_settings(data_dir=tmp_path)
    async with open_embedded(settings) as services:
        faked = rewired(services, backend=FakeBackend(), clock=clock)
        async with serve(faked) as url, open_client(url, user="ann") as ann:
            result = await ann.execute(START, input={"animationProps": {"text": "Hello"}})
            render_id = result["render"]["id"]
            made = await ann.execute(SHARE, id=render_id, seconds=60)
            assert made["expiresAt"].startswith("2026-01-01T12:01:00")
            viewer = Client(ann.http, token=made["token"])
            await clock.advance(59)
            assert (await viewer.execute(GET, id=render_id))["id"] == render_id
            async with open_stream(viewer) as stream, asyncio.timeout(30):
                with suppress(ConnectionClosed):  # after a second of the event loop, which may be too soon
                    await stream.subscribe(PROGRESS, id=render_id)
                    assert (await stream.next())["id"] == render_id
                await stream.connection.wait_closed()
                assert stream.connection.close_code == 4403
            await clock.advance(1)
            assert "expired" in (await viewer.error(GET, id=render_id))["message"]


async def test_connections_of_viewers_do_not_count_towards_the_owners(tmp_path: Path) -> None:
    settings = load_settings(data_dir=tmp_path, max_connections_per_user=1, max_mutations_per_minute=2)
    async with open_embedded(settings) as services:
        faked = rewired(services, backend=FakeBackend())
        async with serve(faked) as url, open_client(url, user="ann") as ann:
            render_id = await ann.start_render()
            viewer = Client(ann.http, token=(await ann.execute(SHARE, id=render_id))["token"])
            async with open_stream(viewer), open_stream(ann):
                assert (await rejected_init(viewer))[1] == (await rejected_init(ann))[1] == "Too many connections"
            for _ in range(2):
                await viewer.execute(REFRESH, id=render_id)
            assert (await viewer.error(REFRESH, id=render_id))["extensions"] == {"code": "LIMIT_EXCEEDED"}


async def test_without_a_secret_the_answer_is_typed_and_the_log_names_the_setting(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_embedded(load_settings(data_dir=tmp_path)) as services:
        unset = replace(services, settings=services.settings.replace(render_token_secret=None))
        unset = rewired(unset, backend=FakeBackend())
        async with serve(unset) as url, open_client(url, user="ann") as ann:
            result = await ann.execute(SHARE, id=await ann.start_render())
            assert result == {
                "__typename": "RenderTokensNotConfigured",
                "message": "This service has no render tokens. Please contact support.",
            }
    assert "RENDERCAST_RENDER_TOKEN_SECRET is not set" in caplog.text


async def test_processes_with_the_same_secret_accept_each_others_tokens(tmp_path: Path) -> None:
    secret, new = "a-secret-of-all-API-processes-long-enough", "another-secret-of-sufficient-length"
    first, second, rotating, other = (
        load_settings(data_dir=tmp_path, render_token_secret=each) for each in (secret, secret, f"{new} {secret}", new)
    )
    async with open_user(first) as ann:
        render_id = await ann.start_render()
        token = (await ann.execute(SHARE, id=render_id))["token"]
    for settings in (second, rotating):
        async with open_user(settings) as client:
            viewer = Client(client.http, token=token)
            assert (await viewer.execute(GET, id=render_id))["id"] == render_id
    async with open_user(other) as client:
        viewer = Client(client.http, token=token)
        assert (await viewer.error(GET, id=render_id))["extensions"] == {"code": "UNAUTHENTICATED"}


@asynccontextmanager
async def open_user(settings: Settings) -> AsyncIterator[Client]:
    async with (
        open_embedded(settings) as services,
        serve(rewired(services, backend=FakeBackend())) as url,
        open_client(url, user="ann") as client,
    ):
        yield client
