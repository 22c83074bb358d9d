"""Watching a render where WebSockets are blocked, with a real server behind a proxy."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from starlette.requests import HTTPConnection

from commands.client.errors import CommandError, ServerUnreachableError
from commands.client.http_client import new_session
from commands.client.options import read_server
from commands.client.subscriptions import Subscriptions
from services.errors import TokenInvalid
from services.models import Caller, Identity, Render, RenderStatus
from services.runtime.adapters import open_embedded
from services.runtime.services import Services
from services.settings import load_settings
from tests.support.api_client import TEST_TIMEOUT_S, open_client
from tests.support.api_server import rewired, serve
from tests.support.fake_backend import FakeBackend
from tests.support.memory_store import copy_of
from tests.support.websocket_blocker import Block, WebSocketBlocker, open_websocket_blocker

UNKNOWN_ID = "01hzzzzzzzzzzzzzzzzzzzzzzz"


@dataclass(frozen=True, slots=True, kw_only=True)
class Blocked:
    """A server behind a proxy that blocks WebSockets, and one of its renders."""

    services: Services
    proxy: WebSocketBlocker
    render: Render

    @asynccontextmanager
    async def subscriptions(self, *, token: str | None = None) -> AsyncIterator[Subscriptions]:
        server = read_server(self.proxy.url, token)
        async with asyncio.timeout(TEST_TIMEOUT_S), new_session(server.endpoint) as http:
            yield Subscriptions(http, server, websocket_timeout_s=0.2 if self.proxy.block is Block.SILENT else 5)

    async def publish(self, *, revision: int, status: RenderStatus) -> None:
        await self.services.hub.publish(copy_of(self.render, revision=revision, status=status))


async def ann(connection: HTTPConnection, params: Mapping[str, object]) -> Identity:
    del params
    if "authorization" in connection.headers:
        raise TokenInvalid
    return Identity(caller=Caller(id="ann"))


@asynccontextmanager
async def open_blocked(folder: Path, block: Block) -> AsyncIterator[Blocked]:
    async with open_embedded(load_settings(data_dir=folder)) as embedded:
        services = rewired(embedded, backend=FakeBackend(capacity=0))
        async with (
            serve(services, authenticate=ann) as url,
            open_websocket_blocker(url, block) as proxy,
            open_client(url) as client,
        ):
            render = await services.store.get(await client.start_render(), owner="ann")
            assert render is not None
            yield Blocked(services=services, proxy=proxy, render=render)


@pytest.mark.parametrize("block", Block)
async def test_a_render_is_watched_over_sse_and_the_next_one_without_a_websocket(tmp_path: Path, block: Block) -> None:
    async with open_blocked(tmp_path, block) as blocked, blocked.subscriptions() as subscriptions:
        async with aclosing(subscriptions.states(blocked.render.id)) as states:
            seen = [await anext(states)]
            await blocked.publish(revision=2, status=RenderStatus.RENDERING)
            seen.append(await anext(states))
            await blocked.publish(revision=3, status=RenderStatus.COMPLETE)
            seen += [state async for state in states]
        assert [state.status for state in seen] == ["QUEUED", "RENDERING", "COMPLETE"]
        handshakes = blocked.proxy.handshakes
        assert handshakes  # aiohttp repeats one that is closed
        async with aclosing(subscriptions.states(blocked.render.id)) as states:
            await anext(states)
        assert blocked.proxy.handshakes == handshakes


async def test_errors_of_the_subscription_are_those_of_the_command(tmp_path: Path) -> None:
    async with open_blocked(tmp_path, Block.REFUSED) as blocked:
        async with blocked.subscriptions() as subscriptions:
            with pytest.raises(CommandError) as unknown:
                await anext(subscriptions.states(UNKNOWN_ID))
        assert unknown.value.code == "NOT_FOUND"
        async with blocked.subscriptions(token="other") as subscriptions:  # noqa: S106  # no secret
            with pytest.raises(CommandError, match=r"Check RENDERCAST_TOKEN\.") as refused:
                await anext(subscriptions.states(blocked.render.id))
        assert refused.value.code == "UNAUTHENTICATED"


async def test_a_connection_that_ends_early_is_lost(tmp_path: Path) -> None:
    async with (
        open_blocked(tmp_path, Block.REFUSED) as blocked,
        blocked.subscriptions() as subscriptions,
        aclosing(subscriptions.states(blocked.render.id)) as states,
    ):
        await anext(states)
        blocked.proxy.disconnect()
        with pytest.raises(ServerUnreachableError, match="was lost"):
            await anext(states)
