"""How the watches of a Python client share WebSockets that are blocked, limited, or of another event loop."""

import asyncio
from contextlib import AsyncExitStack, aclosing
from pathlib import Path

import pytest
from rendercast.client import AsyncClient, Render
from rendercast.client.addresses import read_address
from rendercast.client.connection import Connection
from rendercast.client.documents import WATCHED_RENDER
from rendercast.client.watching import Watching

from tests.support.api_client import TEST_TIMEOUT_S
from tests.support.fake_backend import ANIMATION
from tests.support.idle_site import IdleSite, open_idle_site
from tests.support.websocket_blocker import Block, open_websocket_blocker

pytestmark = pytest.mark.asyncio(loop_scope="module")

WATCHES = 8


async def start(site: IdleSite) -> Render:
    async with AsyncClient(site.url) as client:
        return await client.start(text="Hi")


async def test_watches_that_wait_for_a_blocked_websocket_do_not_try_it_again(tmp_path: Path) -> None:
    async with (
        open_idle_site(tmp_path, ANIMATION) as site,
        open_websocket_blocker(site.url, Block.SILENT) as proxy,
        AsyncExitStack() as stack,
    ):
        render = await start(site)
        connection = Connection(read_address(proxy.url), None, retry_timeout_s=30)
        stack.push_async_callback(connection.close)
        watching = Watching(connection)
        watching._websockets._open_timeout_s = 0.2
        watches = [
            await stack.enter_async_context(aclosing(watching.values(WATCHED_RENDER, render.id)))
            for _ in range(WATCHES)
        ]
        async with asyncio.timeout(TEST_TIMEOUT_S):
            states = await asyncio.gather(*map(anext, watches))
        assert [state["status"] for state in states] == ["QUEUED"] * WATCHES
        assert proxy.handshakes == 1


@pytest.mark.parametrize(("limit", "transports"), [(3, ("websocket",)), (1, ("websocket", "sse"))])
async def test_a_server_may_accept_few_operations_of_a_websocket(
    tmp_path: Path, limit: int, transports: tuple[str, ...]
) -> None:
    async with (
        open_idle_site(tmp_path, ANIMATION, max_operations_per_connection=limit) as site,
        AsyncClient(site.url, transports=transports) as client,  # type: ignore[arg-type]
        asyncio.timeout(TEST_TIMEOUT_S),
    ):
        render = await start(site)
        watches = [client.watch(render.id) for _ in range(WATCHES)]
        states = await asyncio.gather(*map(anext, watches))
        assert [state.status for state in states] == ["QUEUED"] * WATCHES
        await asyncio.gather(*(watch.aclose() for watch in watches))


async def test_a_watch_in_another_event_loop_is_an_error(tmp_path: Path) -> None:
    async def watch() -> None:
        await anext(client.watch(render.id, timeout_s=TEST_TIMEOUT_S))

    async with open_idle_site(tmp_path, ANIMATION) as site, AsyncClient(site.url) as client:
        render = await start(site)
        async with aclosing(client.watch(render.id)) as held:
            await anext(held)
            with pytest.raises(RuntimeError, match="another event loop"):
                await asyncio.to_thread(asyncio.run, watch())
