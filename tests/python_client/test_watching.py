"""Following renders with each transport, through networks that block some of them."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestServer
from rendercast.client import AsyncClient, Render, RenderNotFound, ServerUnreachable, WatchTimedOut
from rendercast.client.addresses import read_address
from rendercast.client.connection import Connection
from rendercast.client.documents import WATCHED_RENDER
from rendercast.client.watching import TRANSPORTS, Transport, Watching
from starlette.requests import HTTPConnection

from services.models import Identity, RenderStatus
from tests.support.api_client import TEST_TIMEOUT_S
from tests.support.fake_backend import ANIMATION
from tests.support.idle_site import ANN, IdleSite, open_idle_site
from tests.support.websocket_blocker import Block, open_websocket_blocker

pytestmark = pytest.mark.asyncio(loop_scope="module")

WATCHES = 100


@dataclass
class Door:
    """Authenticates the user, and counts WebSockets. Identities expire after `lifetime`."""

    sockets: int = 0
    lifetime: timedelta | None = None
    site: IdleSite | None = None

    async def authenticate(self, connection: HTTPConnection, params: Mapping[str, object]) -> Identity:
        del params
        self.sockets += connection.scope["type"] == "websocket"
        if self.lifetime is None or self.site is None:
            return Identity(caller=ANN)
        return Identity(caller=ANN, expires_at=self.site.services.clock.now() + self.lifetime)


@pytest.fixture(scope="module")
def door() -> Door:
    return Door()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory, door: Door) -> AsyncIterator[IdleSite]:
    async with open_idle_site(tmp_path_factory.mktemp("site"), ANIMATION, authenticate=door.authenticate) as site:
        door.site = site
        yield site


@pytest_asyncio.fixture(loop_scope="module")
async def render(site: IdleSite) -> Render:
    """A render that is queued until a test publishes another state."""
    async with AsyncClient(site.url) as client:
        return await client.start(text="Hi")


@asynccontextmanager
async def watching(url: str, transports: Sequence[Transport] = TRANSPORTS, **options: float) -> AsyncIterator[Watching]:
    connection = Connection(read_address(url), None, retry_timeout_s=30)
    opened = Watching(connection, transports, **options)
    try:
        yield opened
    finally:
        await opened.close()
        await connection.close()


async def statuses(
    opened: Watching, render_id: str, site: IdleSite, *, between: Sequence[RenderStatus] = (RenderStatus.RENDERING,)
) -> list[str]:
    """Return the statuses that one connection reports of a queued render, which gets others and is then complete."""
    async with asyncio.timeout(TEST_TIMEOUT_S), aclosing(opened.values(WATCHED_RENDER, render_id)) as values:
        seen = [(await anext(values))["status"]]
        for revision, status in enumerate([*between, RenderStatus.COMPLETE], start=2):
            await site.publish(render_id, revision=revision, status=status)
            seen.append((await anext(values))["status"])
        assert [value async for value in values] == []
    return seen


@pytest.mark.parametrize("block", Block)
async def test_a_render_is_watched_over_sse_and_the_next_one_without_a_websocket(
    site: IdleSite, render: Render, block: Block
) -> None:
    async with open_websocket_blocker(site.url, block) as proxy, watching(proxy.url) as opened:
        if block is Block.SILENT:
            opened._websockets._open_timeout_s = 0.2  # and not that of a stream, which must be opened
        assert await statuses(opened, render.id, site) == ["QUEUED", "RENDERING", "COMPLETE"]
        handshakes = proxy.handshakes
        assert handshakes  # aiohttp repeats one that is closed
        async with aclosing(opened.values(WATCHED_RENDER, render.id)) as values:
            await anext(values)
        assert proxy.handshakes == handshakes


@dataclass
class Blocker:
    """A proxy that lets no WebSocket and no stream through. It rejects streams, or collects their responses."""

    target: str
    collects: bool
    requests: list[str] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.Response:
        kind = "websocket" if "Upgrade" in request.headers else request.headers["Accept"]
        self.requests.append(kind)
        if kind == "text/event-stream" and self.collects:
            await asyncio.sleep(TEST_TIMEOUT_S)
        if kind != "application/json":
            return web.Response(status=406)
        headers = {"Content-Type": "application/json"}
        async with (
            aiohttp.ClientSession() as http,
            http.post(f"{self.target}/graphql", data=await request.read(), headers=headers) as response,
        ):
            return web.Response(body=await response.read(), content_type="application/json")


@pytest.mark.parametrize("collects", [False, True])
async def test_a_render_is_polled_if_streams_are_blocked_too(site: IdleSite, render: Render, collects: bool) -> None:  # noqa: FBT001  # a parameter of the test
    proxy = Blocker(site.url, collects=collects)
    app = web.Application()
    app.router.add_route("*", "/graphql", proxy.handle)
    async with (
        TestServer(app, handler_cancellation=True) as server,
        watching(str(server.make_url("")), open_timeout_s=0.2 if collects else 5, poll_interval_s=0.01) as opened,
        aclosing(opened.watch(WATCHED_RENDER, render.id, timeout_s=TEST_TIMEOUT_S)) as states,
    ):
        assert (await anext(states)).status == "QUEUED"
        await site.services.renders.cancel(ANN, render.id)
        assert [state.status async for state in states] == ["CANCELLED"]
        before = len(proxy.requests)
        again = opened.watch(WATCHED_RENDER, render.id, timeout_s=TEST_TIMEOUT_S)
        assert [state.status async for state in again] == ["CANCELLED"]
        assert proxy.requests[before:] == ["application/json"]  # the others are not tried again at once


@pytest.mark.parametrize("transport", ["websocket", "sse"])
async def test_a_connection_that_ends_early_is_lost_and_opened_again(
    site: IdleSite, render: Render, transport: Transport
) -> None:
    async with open_websocket_blocker(site.url, None) as proxy, watching(proxy.url, [transport]) as opened:
        async with aclosing(opened.values(WATCHED_RENDER, render.id)) as values:
            await anext(values)
            proxy.disconnect()
            with pytest.raises(ServerUnreachable, match="was lost"):
                await anext(values)
        async with aclosing(opened.watch(WATCHED_RENDER, render.id, timeout_s=TEST_TIMEOUT_S)) as states:
            seen = [await anext(states)]
            proxy.disconnect()
            await site.services.renders.cancel(ANN, render.id)
            seen += [state async for state in states]
    assert [state.status for state in seen] == ["QUEUED", "CANCELLED"]
    assert [state.revision for state in seen] == sorted({state.revision for state in seen})


@pytest.mark.parametrize("transport", ["websocket", "sse"])
async def test_a_watch_goes_on_when_identities_expire(
    site: IdleSite, door: Door, render: Render, transport: Transport
) -> None:
    asked = asyncio.Semaphore(0)

    def token() -> str:
        asked.release()
        return "any"

    door.lifetime = timedelta(seconds=1)  # of two connections one after the other, one must receive a state
    try:
        async with AsyncClient(site.url, token=token, transports=[transport]) as client:
            states = client.watch(render.id, timeout_s=TEST_TIMEOUT_S)
            assert (await anext(states)).status == "QUEUED"
            ending = asyncio.ensure_future(anext(states))
            async with asyncio.timeout(TEST_TIMEOUT_S):
                for _ in range(3):  # connections
                    await asked.acquire()
            door.lifetime = None
            await site.services.renders.cancel(ANN, render.id)
            assert (await ending).status == "CANCELLED"
            assert [state async for state in states] == []
    finally:
        door.lifetime = None


async def test_many_watches_share_few_websockets(site: IdleSite, door: Door, render: Render) -> None:
    async with AsyncClient(site.url, transports=["websocket"]) as client, asyncio.timeout(TEST_TIMEOUT_S):
        watches = [client.watch(render.id) for _ in range(WATCHES)]
        before = door.sockets
        await asyncio.gather(*map(anext, watches))
        assert door.sockets == before + 3
        await asyncio.gather(*(watch.aclose() for watch in watches[1:]))
        await site.services.renders.cancel(ANN, render.id)
        assert [state.status async for state in watches[0]] == ["CANCELLED"]
        assert [state.status async for state in client.watch(render.id)] == ["CANCELLED"]
        assert door.sockets == before + 4  # closed after the last watch


async def test_a_slow_program_gets_the_newest_state(site: IdleSite, render: Render) -> None:
    async with watching(site.url) as opened, aclosing(opened.values(WATCHED_RENDER, render.id)) as values:
        await anext(values)
        for revision in range(2, 9):
            await site.publish(render.id, revision=revision, status=RenderStatus.RENDERING)
        await site.publish(render.id, revision=9, status=RenderStatus.COMPLETE)
        async for last in opened.values(WATCHED_RENDER, render.id):  # a later subscription of the same connection
            assert last["revision"] == 1
            break
        assert [value["revision"] async for value in values] == [9]


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_an_unknown_render_is_not_found(site: IdleSite, transport: Transport) -> None:
    async with AsyncClient(site.url, transports=[transport]) as client:
        with pytest.raises(RenderNotFound, match="no render with this id"):
            await anext(client.watch("01hzzzzzzzzzzzzzzzzzzzzzzz"))


async def test_a_watch_ends_after_its_timeout(site: IdleSite, render: Render) -> None:
    async with AsyncClient(site.url) as client:
        states = client.watch(render.id, timeout_s=3)  # the first state comes earlier on any machine
        assert (await anext(states)).status == "QUEUED"
        with pytest.raises(WatchTimedOut, match="continues") as error:
            await anext(states)
        assert error.value.code == "NOT_IN_TIME"


async def test_a_render_that_is_deleted_meanwhile_is_not_found(site: IdleSite, render: Render) -> None:
    async with open_websocket_blocker(site.url, None) as proxy, AsyncClient(proxy.url) as client:
        states = client.watch(render.id, timeout_s=TEST_TIMEOUT_S)
        await anext(states)
        proxy.disconnect()
        await client.cancel(render.id)
        await client.delete(render.id)
        with pytest.raises(RenderNotFound):
            await anext(states)


async def test_a_closed_client_ends_its_watches(site: IdleSite, render: Render) -> None:
    client = AsyncClient(site.url)
    states = client.watch(render.id)
    await anext(states)
    waiting = asyncio.ensure_future(anext(states))
    await asyncio.sleep(0)
    await client.close()
    with pytest.raises(RuntimeError, match="is closed"):
        await waiting
