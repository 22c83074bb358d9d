"""gql, a Python client, which validates each operation against the schema."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from itertools import pairwise
from typing import Any

import httpx
import pytest
from gql import Client, GraphQLRequest
from gql.client import AsyncClientSession
from gql.transport.aiohttp import AIOHTTPTransport
from gql.transport.aiohttp_websockets import AIOHTTPWebsocketsTransport
from gql.transport.async_transport import AsyncTransport
from gql.transport.exceptions import TransportQueryError
from gql.transport.websockets import WebsocketsTransport

from tests.end_to_end.slow import SlowRenderers
from tests.support import tokens
from tests.support.api_client import CANCEL, LIST, NO_TLS, PROGRESS, PROPS, START, TEST_TIMEOUT_S

Transport = Callable[..., AsyncTransport]

INPUT = {"animationProps": {**PROPS, "durationInFrames": 150}}  # with slow renderers ten seconds
UNKNOWN_ID = "01m817gzatj1v633w9kvyqtevh"
WEBSOCKETS: dict[str, Transport] = {
    "websockets": partial(WebsocketsTransport, connect_args={"proxy": None}),
    "aiohttp": AIOHTTPWebsocketsTransport,
}


@pytest.fixture(params=WEBSOCKETS)
def websocket_transport(request: pytest.FixtureRequest) -> Transport:
    return WEBSOCKETS[request.param]


@asynccontextmanager
async def connected(transport: AsyncTransport) -> AsyncIterator[AsyncClientSession]:
    async with Client(transport=transport, fetch_schema_from_transport=True, execute_timeout=TEST_TIMEOUT_S) as session:
        yield session


async def request(session: AsyncClientSession, document: str, **variables: object) -> Any:
    """Return the value of the document's one root field."""
    (value,) = (await session.execute(GraphQLRequest(document, variable_values=variables))).values()
    return value


async def watch(session: AsyncClientSession, render_id: str, renderers: SlowRenderers) -> list[dict[str, Any]]:
    """Return the states of a render until the stream completes. The renderers are slow until one shows progress."""
    request = GraphQLRequest(PROGRESS, variable_values={"id": render_id})
    states = []
    async with asyncio.timeout(TEST_TIMEOUT_S):
        async for result in session.subscribe(request):
            states.append(result["renderProgress"])
            if 0 < states[-1]["progress"] < 100:
                renderers.speed_up()
    return states


async def make_a_video(
    requests: AsyncClientSession, subscriptions: AsyncClientSession, renderers: SlowRenderers
) -> None:
    """Start a render, watch it until it ends, find it in the list and fetch its video."""
    renderers.slow_down()
    render_id = (await request(requests, START, input=INPUT))["render"]["id"]
    states = await watch(subscriptions, render_id, renderers)
    assert all(earlier["revision"] < later["revision"] for earlier, later in pairwise(states))
    assert any(0 < state["progress"] < 100 for state in states)
    assert (states[-1]["status"], states[-1]["progress"]) == ("COMPLETE", 100)
    (edge,) = (await request(requests, LIST, first=1))["edges"]
    assert (edge["node"]["id"], edge["node"]["revision"]) == (render_id, states[-1]["revision"])
    async with httpx.AsyncClient(trust_env=False, verify=NO_TLS, timeout=TEST_TIMEOUT_S) as http:
        video = await http.get(edge["node"]["outputUrl"])
    assert (video.status_code, video.content[4:8]) == (200, b"ftyp")


async def test_gql_starts_and_watches_a_render_and_fetches_its_video(
    url: str, websocket_transport: Transport, renderers: SlowRenderers
) -> None:
    async with (
        connected(AIOHTTPTransport(f"{url}/graphql")) as requests,
        connected(websocket_transport(url=f"{url}/graphql".replace("http", "ws"))) as subscriptions,
    ):
        await make_a_video(requests, subscriptions, renderers)


@pytest.mark.asyncio(loop_scope="module")
async def test_gql_with_a_token_does_the_same(
    guarded_url: str, websocket_transport: Transport, renderers: SlowRenderers
) -> None:
    url, credentials = f"{guarded_url}/graphql", {"Authorization": f"Bearer {tokens.token_of('ann')}"}
    async with (
        connected(AIOHTTPTransport(url, headers=credentials)) as requests,
        connected(websocket_transport(url=url.replace("http", "ws"), init_payload=credentials)) as subscriptions,
    ):
        await make_a_video(requests, subscriptions, renderers)


async def test_gql_gets_an_error_for_an_unknown_render(
    url: str, websocket_transport: Transport, renderers: SlowRenderers
) -> None:
    async with connected(websocket_transport(url=f"{url}/graphql".replace("http", "ws"))) as session:
        assert (await request(session, CANCEL, id=UNKNOWN_ID))["__typename"] == "RenderNotFound"
        with pytest.raises(TransportQueryError) as rejected:
            await watch(session, UNKNOWN_ID, renderers)
        assert [error["extensions"]["code"] for error in rejected.value.errors or []] == ["NOT_FOUND"]
