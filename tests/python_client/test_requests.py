"""Requests whose responses are lost, servers that restart, and tokens that are rejected."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestServer
from rendercast.client import AsyncClient, Client, ServerUnreachable, Unauthenticated, UnexpectedResponse
from rendercast.client.watching import Transport
from starlette.requests import HTTPConnection

from services.errors import TokenInvalid
from services.models import Identity
from tests.support.api_client import TEST_TIMEOUT_S
from tests.support.fake_backend import ANIMATION
from tests.support.idle_site import ANN, IdleSite, open_idle_site
from tests.support.server_process import free_port

pytestmark = pytest.mark.asyncio(loop_scope="module")

KEY_LENGTH = len("01234567-89ab-cdef-0123-456789abcdef")


@dataclass
class Relay:
    """A proxy that loses the first `lost` responses: with a status of its own, or by closing the connection."""

    target: str
    lost: int = 1
    status: int | None = None
    bodies: list[bytes] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.Response:
        self.bodies.append(await request.read())
        async with (
            aiohttp.ClientSession() as http,
            http.post(f"{self.target}/graphql", data=self.bodies[-1], headers=request.headers) as response,
        ):
            text = await response.read()
        if len(self.bodies) > self.lost:
            return web.Response(body=text, content_type="application/json")
        if self.status is None:
            assert request.transport is not None
            request.transport.abort()
        return web.Response(status=self.status or 200, text="<html>")


@asynccontextmanager
async def serving(handle: Callable[[web.Request], Awaitable[web.Response]], *, port: int = 0) -> AsyncIterator[str]:
    """Serve one function, and yield its URL."""
    app = web.Application()
    app.router.add_post("/graphql", handle)
    async with TestServer(app, port=port or None) as server:
        yield str(server.make_url(""))


async def remaining(site: IdleSite) -> int:
    async with AsyncClient(site.url) as client:
        return (await client.quota()).remaining


@pytest.mark.parametrize("status", [None, 502, 503, 504])
async def test_a_start_whose_response_is_lost_is_repeated_with_the_same_key(site: IdleSite, status: int | None) -> None:
    relay = Relay(site.url, status=status)
    before = await remaining(site)
    async with serving(relay.handle) as url, AsyncClient(url) as client:
        assert (await client.start({"animationProps": {"text": "Hi"}, "idempotencyKey": None})).status == "QUEUED"
    assert (len(relay.bodies), relay.bodies[0]) == (2, relay.bodies[1])
    assert len(json.loads(relay.bodies[0])["variables"]["input"]["idempotencyKey"]) == KEY_LENGTH
    assert await remaining(site) == before - 1


async def test_a_batch_whose_response_is_lost_is_started_once(site: IdleSite) -> None:
    relay = Relay(site.url)
    before = await remaining(site)
    async with serving(relay.handle) as url, AsyncClient(url) as client:
        batch = await client.batch([{"animationProps": {"text": "Hi"}}] * 2)
    assert (len(batch.renders), batch.duplicates, await remaining(site)) == (2, 2, before - 2)


async def test_a_response_that_stays_lost_is_reported(site: IdleSite) -> None:
    relay = Relay(site.url, lost=9)
    async with serving(relay.handle) as url, AsyncClient(url, retry_timeout_s=0) as client:
        with pytest.raises(ServerUnreachable, match="was lost") as error:
            await client.start(text="Hi")
    assert error.value.response_lost


async def test_requests_wait_for_a_server_that_restarts(site: IdleSite) -> None:
    relay = Relay(site.url, lost=0)
    port = free_port()
    async with AsyncClient(f"http://127.0.0.1:{port}") as client:
        async with serving(relay.handle, port=port):
            await client.quota()
        waiting = asyncio.create_task(client.quota())
        await asyncio.sleep(0)
        async with serving(relay.handle, port=port), asyncio.timeout(TEST_TIMEOUT_S):
            assert (await waiting).limit == 1000


async def test_another_kind_of_server_is_reported_at_once() -> None:
    async def redirect(request: web.Request) -> web.Response:
        del request
        return web.Response(status=301, headers={"Location": "https://example.org/graphql"})

    responses: list[object] = [{"renderQuota": {"limit": "many"}}, {}, [1]]

    async def other(request: web.Request) -> web.Response:
        del request
        return web.json_response({"data": responses.pop()})

    async with serving(redirect) as url, AsyncClient(url) as client:
        with pytest.raises(ServerUnreachable, match=r"redirects to https://example\.org/graphql: use that") as error:
            await client.quota()
        assert error.value.code == "NOT_RENDERCAST"
    async with serving(other) as url, AsyncClient(url) as client:
        while responses:
            with pytest.raises(UnexpectedResponse, match="unexpected format"):
                await client.quota()


@dataclass
class Tokens:
    """Functions that return the tokens `first`, `second`, …, of which the server accepts `accepted`."""

    accepted: str
    names: list[str] = field(default_factory=lambda: ["first", "second", "third"])
    asked: int = 0

    def __call__(self) -> str:
        self.asked += 1
        return self.names[min(self.asked, len(self.names)) - 1]

    async def later(self) -> str:
        await asyncio.sleep(0)
        return self()

    async def authenticate(self, connection: HTTPConnection, params: Mapping[str, object]) -> Identity:
        """Accept a bearer token, of a request or a WebSocket."""
        given = params.get("Authorization") or connection.headers.get("authorization")
        if given != f"Bearer {self.accepted}":
            raise TokenInvalid
        return Identity(caller=ANN)


@pytest.fixture(scope="module")
def tokens() -> Tokens:
    return Tokens(accepted="second")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def guarded(tmp_path_factory: pytest.TempPathFactory, tokens: Tokens) -> AsyncIterator[IdleSite]:
    async with open_idle_site(tmp_path_factory.mktemp("guarded"), ANIMATION, authenticate=tokens.authenticate) as site:
        yield site


@pytest.mark.parametrize("transports", [["websocket"], ["sse"], ["polling"]], ids=str)
async def test_a_function_is_asked_for_another_token_when_one_was_rejected(
    guarded: IdleSite, transports: Sequence[Transport]
) -> None:
    async with AsyncClient(guarded.url, token="second") as client:  # noqa: S106  # no secret
        render = await client.start(text="Hi")
        await client.cancel(render.id)
    for is_async in (False, True):
        tokens = Tokens(accepted="")
        async with AsyncClient(
            guarded.url, token=tokens.later if is_async else tokens, transports=transports
        ) as client:
            assert [state.status async for state in client.watch(render.id)] == ["CANCELLED"]
        assert tokens.asked == 2


async def test_tokens_that_stay_rejected_are_reported(guarded: IdleSite) -> None:
    tokens = Tokens(accepted="", names=["wrong"])
    async with AsyncClient(guarded.url, token=tokens) as client:
        with pytest.raises(Unauthenticated, match="Sign in again") as error:
            await client.quota()
        assert (error.value.code, tokens.asked) == ("UNAUTHENTICATED", 2)
        with pytest.raises(Unauthenticated):
            await anext(client.watch("any"))
        assert tokens.asked == 4
    async with AsyncClient(guarded.url) as client:
        with pytest.raises(Unauthenticated):
            await anext(client.watch("any"))


async def test_the_blocking_client_calls_an_asynchronous_token_function(guarded: IdleSite) -> None:
    def use() -> int:
        with Client(guarded.url, token=Tokens(accepted="").later) as client:
            return client.quota().limit

    assert await asyncio.to_thread(use) == 1000


async def test_a_token_function_that_does_not_return_is_reported(
    guarded: IdleSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never() -> str:
        await asyncio.Event().wait()
        return ""

    monkeypatch.setattr("rendercast.client.connection.TOKEN_TIMEOUT_S", 0.01)
    async with AsyncClient(guarded.url, token=never) as client:
        with pytest.raises(Unauthenticated, match="returned nothing within"):
            await client.quota()
