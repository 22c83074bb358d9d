"""Authentication, WebSocket close codes, and the protocols of `/graphql`."""

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
    PROPS,
    QUOTA_LEFT,
    REFRESH,
    RETRY,
    START,
    TEST_TIMEOUT_S,
    UPDATES,
    Client,
)
from tests.support.api_stream import open_socket, open_stream

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
async def test_without_authentication_operations_on_renders_are_rejected(
    anonymous: Client, document: str, variables: dict[str, object]
) -> None:
    error = await anonymous.error(document, **variables)
    assert (error["message"], error["extensions"]) == ("Sign in to do this.", {"code": "UNAUTHENTICATED"})


async def test_without_authentication_a_large_body_is_rejected_by_the_error_after_which_tokens_are_renewed(
    anonymous: Client,
) -> None:
    for size, status in ((8_000, 200), (20_000, 413)):
        variables = {"input": {"composition": {"id": "Promo", "props": {"title": "x" * size}}}}
        response = await anonymous.http.post("/graphql", json={"query": START, "variables": variables})
        (error,) = response.json()["errors"]
        assert (response.status_code, error["message"]) == (status, "Sign in to do this.")
        assert error["extensions"] == {"code": "UNAUTHENTICATED"}


async def test_without_authentication_limits_can_be_read(anonymous: Client) -> None:
    assert await anonymous.execute("{ renderLimits { fps } }") == {"fps": 30}


@pytest.mark.parametrize("payload", [{}, {"user": ""}, {"user": None}, {"user": ["ann"]}])
async def test_a_websocket_without_authentication_is_closed_with_4403(
    anonymous: Client, payload: dict[str, object]
) -> None:
    async with open_socket(anonymous.websocket_url) as socket:
        await socket.send(json.dumps({"type": "connection_init", "payload": payload}))
        await expect_close(socket, 4403)


async def test_a_websocket_that_subscribes_before_connection_init_is_closed_with_4401(anonymous: Client) -> None:
    async with open_socket(anonymous.websocket_url) as socket:
        await socket.send(json.dumps({"type": "subscribe", "id": "1", "payload": {"query": UPDATES}}))
        await expect_close(socket, 4401)


async def test_a_second_connection_init_closes_the_websocket_with_4429(ann: Client) -> None:
    async with open_stream(ann) as stream:
        await stream.send(type="connection_init", payload={"user": "another user"})
        await expect_close(stream.connection, 4429)


async def test_a_duplicate_operation_id_closes_the_websocket_with_4409(ann: Client) -> None:
    async with open_stream(ann) as stream:
        for _ in range(2):
            await stream.subscribe(UPDATES, "same")
        await expect_close(stream.connection, 4409)


async def test_the_legacy_subprotocol_is_rejected_with_4406(ann: Client) -> None:
    async with open_socket(ann.websocket_url, protocol=Subprotocol("graphql-ws")) as socket:
        await expect_close(socket, 4406)


async def test_a_websocket_with_an_unknown_subprotocol_is_rejected(ann: Client) -> None:
    try:
        async with open_socket(ann.websocket_url, protocol=Subprotocol("soap")) as socket:
            await expect_close(socket, 4406)
    except InvalidHandshake:
        pass  # rejected in the handshake


async def test_a_websocket_answers_pings_and_runs_queries_and_mutations(ann: Client) -> None:
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


async def test_a_browsers_get_returns_the_page_and_a_get_with_a_query_runs_it(ann: Client) -> None:
    page = await ann.http.get("/graphql", headers={"Accept": "text/html"})
    assert page.headers["content-type"].startswith("text/html")
    query = {"query": "{ renderLimits { fps } }"}
    response = await ann.http.get("/graphql", params=query, headers={"Accept": "application/json"})
    assert response.json() == {"data": {"renderLimits": {"fps": 30}}}


async def test_a_mutation_by_get_is_rejected(ann: Client) -> None:
    query = {"query": f'mutation {{ cancelRender(renderId: "{UNKNOWN_ID}") {{ __typename }} }}'}
    response = await ann.http.get("/graphql", params=query, headers={"Accept": "application/json"})
    assert response.status_code in {400, 405}


async def expect_close(socket: ClientConnection, code: int) -> None:
    """Wait until the server closes the WebSocket, and check the close code."""
    with pytest.raises(ConnectionClosed) as caught:  # noqa: PT012
        async with asyncio.timeout(TEST_TIMEOUT_S):
            while True:
                await socket.recv()
    assert caught.value.rcvd is not None
    assert caught.value.rcvd.code == code
