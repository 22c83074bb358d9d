"""Who gets in, and by which protocol."""

import asyncio
import json

import pytest
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.typing import Subprotocol

from tests.support.api_client import (
    CANCEL,
    DELETE,
    GET,
    LIST,
    NODE,
    PATIENCE_S,
    PROPS,
    QUOTA_LEFT,
    REFRESH,
    RETRY,
    START,
    UPDATES,
    Client,
    open_socket,
    open_stream,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

UNKNOWN_ID = "01hzzzzzzzzzzzzzzzzzzzzzzz"


@pytest.mark.parametrize(
    ("document", "variables"),
    [
        *((document, {"id": UNKNOWN_ID}) for document in (GET, NODE, CANCEL, DELETE, REFRESH, RETRY)),
        (LIST, {}),
        (QUOTA_LEFT, {}),
        (START, {"input": {"animationProps": PROPS}}),
        (START, {"input": {"animationProps": {**PROPS, "text": ""}}}),
    ],
)
async def test_a_stranger_is_asked_to_sign_in(stranger: Client, document: str, variables: dict[str, object]) -> None:
    error = await stranger.error(document, **variables)
    assert (error["message"], error["extensions"]) == ("Sign in to do this.", {"code": "UNAUTHENTICATED"})


async def test_a_stranger_may_read_the_limits_and_the_schema(stranger: Client) -> None:
    assert await stranger.ask("{ renderLimits { fps } }") == {"fps": 30}
    assert await stranger.ask("{ __schema { queryType { name } } }") == {"queryType": {"name": "Query"}}


@pytest.mark.parametrize("payload", [{}, {"user": ""}, {"user": None}, {"user": ["ann"]}])
async def test_a_strangers_websocket_is_closed_with_4403(stranger: Client, payload: dict[str, object]) -> None:
    async with open_socket(stranger.websocket_url) as socket:
        await socket.send(json.dumps({"type": "connection_init", "payload": payload}))
        await closed(socket, 4403)


async def test_a_websocket_that_subscribes_before_it_is_let_in_is_closed_with_4401(stranger: Client) -> None:
    async with open_socket(stranger.websocket_url) as socket:
        await socket.send(json.dumps({"type": "subscribe", "id": "1", "payload": {"query": UPDATES}}))
        await closed(socket, 4401)


async def test_a_websocket_that_says_who_it_is_twice_is_closed_with_4429(ann: Client) -> None:
    async with open_stream(ann) as stream:
        await stream.send(type="connection_init", payload={"user": "somebody else"})
        await closed(stream.connection, 4429)


async def test_an_operation_id_in_use_closes_the_websocket_with_4409(ann: Client) -> None:
    async with open_stream(ann) as stream:
        for _ in range(2):
            await stream.subscribe(UPDATES, "same")
        await closed(stream.connection, 4409)


async def test_the_legacy_protocol_is_refused_with_4406(ann: Client) -> None:
    async with open_socket(ann.websocket_url, protocol=Subprotocol("graphql-ws")) as socket:
        await closed(socket, 4406)


async def test_a_websocket_without_a_protocol_of_ours_is_never_served(ann: Client) -> None:
    try:
        async with open_socket(ann.websocket_url, protocol=Subprotocol("soap")) as socket:
            await closed(socket, 4406)
    except InvalidHandshake:
        pass  # refused sooner


async def test_a_ping_is_answered_and_queries_and_mutations_run_over_the_websocket_too(ann: Client) -> None:
    async with open_stream(ann) as stream:
        assert stream.connection.subprotocol == "graphql-transport-ws"
        await stream.send(type="ping")
        assert await stream.receive() == {"type": "pong"}
        await stream.subscribe(START, "m", input={"animationProps": PROPS})
        started = await stream.next("m")
        assert started["__typename"] == "StartRenderSuccess"
        assert (await stream.receive())["type"] == "complete"
        await stream.subscribe(QUOTA_LEFT, "q")
        assert (await stream.next("q"))["remaining"] == 4


async def test_a_get_by_a_browser_shows_the_page_and_by_a_program_runs_the_query(ann: Client) -> None:
    page = await ann.http.get("/graphql", headers={"Accept": "text/html"})
    assert page.headers["content-type"].startswith("text/html")
    query = {"query": "{ renderLimits { fps } }"}
    answer = await ann.http.get("/graphql", params=query, headers={"Accept": "application/json"})
    assert answer.json() == {"data": {"renderLimits": {"fps": 30}}}


async def test_a_mutation_by_get_is_refused(ann: Client) -> None:
    query = {"query": f'mutation {{ cancelRender(renderId: "{UNKNOWN_ID}") {{ __typename }} }}'}
    answer = await ann.http.get("/graphql", params=query, headers={"Accept": "application/json"})
    assert answer.status_code in {400, 405}


async def closed(socket: ClientConnection, code: int) -> None:
    """Wait for the server to close the WebSocket, and see that it says why."""
    with pytest.raises(ConnectionClosed) as caught:  # noqa: PT012
        async with asyncio.timeout(PATIENCE_S):
            while True:
                await socket.recv()
    assert caught.value.rcvd is not None
    assert caught.value.rcvd.code == code
