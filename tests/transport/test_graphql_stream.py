"""GraphQL over SSE and multipart subscriptions: the formats, and the guarantees that WebSockets have too."""

import asyncio
import json

import pytest

from services.models import RenderStatus
from tests.support.api_client import PROPS, RETRY_S, START, TEST_TIMEOUT_S, Client
from tests.support.api_site import Site
from tests.support.api_stream import open_stream
from tests.support.fake_backend import FakeBackend
from tests.support.http_stream import EVENT_STREAM, MULTIPART, open_http_stream
from tests.support.memory_store import copy_of

pytestmark = pytest.mark.asyncio(loop_scope="module")

REVISION = "subscription ($id: ID!) { renderProgress(renderId: $id) { id revision status progress } }"
UPDATES = "subscription { renderUpdates { id revision status } }"
UNKNOWN_ID = "01hzzzzzzzzzzzzzzzzzzzzzzz"
FPS = "{ renderLimits { fps } }"

both = pytest.mark.parametrize("accept", [EVENT_STREAM, MULTIPART])


async def test_an_event_stream_has_the_protocols_bytes_and_headers(anonymous: Client) -> None:
    response = await anonymous.http.post("/graphql", json={"query": FPS}, headers={"Accept": EVENT_STREAM})
    assert response.text == ':\n\nevent: next\ndata: {"data":{"renderLimits":{"fps":30}}}\n\nevent: complete\ndata:\n\n'
    headers = {name: response.headers[name] for name in ("content-type", "cache-control", "x-accel-buffering")}
    assert headers == {
        "content-type": "text/event-stream; charset=utf-8",
        "cache-control": "no-store, no-transform",
        "x-accel-buffering": "no",
    }


async def test_a_multipart_response_has_the_protocols_bytes_and_headers(anonymous: Client) -> None:
    response = await anonymous.http.post("/graphql", json={"query": FPS}, headers={"Accept": MULTIPART})
    part = b'\r\ncontent-type: application/json\r\n\r\n{"payload":{"data":{"renderLimits":{"fps":30}}}}'
    assert response.content == b"\r\n--graphql" + part + b"\r\n--graphql--\r\n"
    assert response.headers["content-type"] == 'multipart/mixed; boundary=graphql; subscriptionSpec="1.0"'
    assert response.headers["x-accel-buffering"] == "no"


@both
async def test_a_subscription_receives_every_state_to_the_end(ann: Client, backend: FakeBackend, accept: str) -> None:
    await backend.stop_starting()
    render_id = await ann.start_render()
    async with open_http_stream(ann, REVISION, accept=accept, id=render_id) as stream:
        states = [await stream.next()]
        backend.capacity = 1
        while states[-1]["status"] == "QUEUED":
            states.append(await stream.next())
        for frames in (30, 60):
            backend.progress(render_id, frames)
            states.append(await stream.next())
        backend.finish(render_id)
        states += await stream.rest()
        assert await stream.message() is None
    revisions = [state["revision"] for state in states]
    assert revisions == list(range(1, 1 + len(states)))
    assert (states[-1]["status"], states[-1]["progress"]) == ("COMPLETE", 100)


@both
async def test_updates_of_all_renders_are_the_same_as_over_a_websocket(
    ann: Client, bob: Client, backend: FakeBackend, accept: str
) -> None:
    await backend.stop_starting()
    old = await ann.start_render()
    async with open_http_stream(ann, UPDATES, accept=accept) as stream, open_stream(ann) as socket:
        await socket.subscribe(UPDATES)
        assert (await stream.next(), (await socket.next())["id"]) == (
            {"id": old, "revision": 1, "status": "QUEUED"},
            old,
        )
        await bob.start_render()
        new = await ann.start_render()
        assert await stream.next() == await socket.next() == {"id": new, "revision": 1, "status": "QUEUED"}


@both
async def test_a_state_is_written_in_the_call_that_publishes_it(
    site: Site, ann: Client, backend: FakeBackend, accept: str
) -> None:
    """The fast path: without it, nothing is pushed."""
    await backend.stop_starting()
    render_id = await ann.start_render()
    render = await site.services.store.get(render_id, owner=str(ann.user))
    assert render is not None
    channel = site.services.hub._channels
    async with open_http_stream(ann, REVISION, accept=accept, id=render_id) as stream:
        await stream.next()
        newer = copy_of(render, revision=7, status=RenderStatus.RENDERING)
        while not channel[str(ann.user)].offer(newer):  # the operation's task must wait for the next state first
            newer = copy_of(newer, revision=newer.revision + 1)
            await asyncio.sleep(0)
        seen = [await stream.next()]
        while seen[-1]["revision"] < newer.revision:
            seen.append(await stream.next())
    assert seen[-1] == {"id": render_id, "revision": newer.revision, "status": "RENDERING", "progress": 0}


async def test_a_mutation_runs_by_post(ann: Client, backend: FakeBackend) -> None:
    await backend.stop_starting()
    async with open_http_stream(ann, START, input={"animationProps": PROPS}) as stream:
        (started,) = await stream.rest()
    assert started["__typename"] == "StartRenderSuccess"


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ("{ unknownField }", "Cannot query field"),
        ("{", "Syntax Error"),
        (f'mutation {{ cancelRender(renderId: "{UNKNOWN_ID}") {{ __typename }} }}', "Send mutations by POST."),
        (f'subscription {{ renderProgress(renderId: "{UNKNOWN_ID}") {{ id }} }}', "Render not found"),
    ],
)
async def test_errors_before_the_execution_are_one_result(
    ann: Client, document: str, message: str, caplog: pytest.LogCaptureFixture
) -> None:
    """By GET, as `EventSource` sends requests: it shows no error of a response with another status."""
    headers = {"Accept": EVENT_STREAM, **ann.headers}
    response = await ann.http.get("/graphql", params={"query": document}, headers=headers)
    assert response.status_code == 200
    _, result, end, rest = response.text.split("\n\n")
    (error,) = json.loads(result.removeprefix("event: next\ndata: "))["errors"]
    assert message in error["message"]
    assert (end, rest) == ("event: complete\ndata:", "")
    assert "Traceback" not in caplog.text


@both
async def test_without_authentication_a_subscription_fails_and_a_query_runs(anonymous: Client, accept: str) -> None:
    async with open_http_stream(anonymous, UPDATES, accept=accept) as stream:
        rejected = await stream.result()
        assert rejected is not None
        assert [error["extensions"] for error in rejected["errors"]] == [{"code": "UNAUTHENTICATED"}]
        assert await stream.result() is None
    async with open_http_stream(anonymous, FPS, accept=accept) as stream:
        assert await stream.rest() == [{"fps": 30}]


async def test_a_malformed_request_gets_a_status_and_json(ann: Client) -> None:
    for content, status in ((b"{", 400), (b"{}", 400), (b"[]", 400), (b'{"query": 1}', 400)):
        headers = {"Accept": EVENT_STREAM, "Content-Type": "application/json"}
        rejected = await ann.http.post("/graphql", content=content, headers=headers)
        assert rejected.status_code == status
        assert rejected.json()["errors"][0]["extensions"] == {"code": "BAD_USER_INPUT"}
    form = await ann.http.post("/graphql", content=FPS, headers={"Accept": EVENT_STREAM, "Content-Type": "text/plain"})
    assert form.status_code == 415


async def test_a_subscription_is_streamed_if_json_is_preferred_to_an_accepted_stream(ann: Client) -> None:
    async with open_http_stream(ann, UPDATES, accept=f"application/json, {EVENT_STREAM};q=0.5") as stream:
        assert stream.response.headers["content-type"].startswith(EVENT_STREAM)
    query = await ann.http.post("/graphql", json={"query": FPS}, headers={"Accept": f"{EVENT_STREAM};q=0.5, */*"})
    assert query.json() == {"data": {"renderLimits": {"fps": 30}}}


async def test_a_page_that_could_not_read_a_stream_gets_none(ann: Client) -> None:
    for mode, status in (("no-cors", 403), ("cors", 200)):
        headers = {"Accept": EVENT_STREAM, "Sec-Fetch-Mode": mode, **ann.headers}
        response = await ann.http.get("/graphql", params={"query": FPS}, headers=headers)
        assert response.status_code == status


async def test_a_head_request_gets_the_headers_and_runs_nothing(site: Site, ann: Client) -> None:
    headers = {"Accept": EVENT_STREAM, **ann.headers}
    response = await ann.http.head("/graphql", params={"query": UPDATES}, headers=headers)
    assert (response.status_code, response.content) == (200, b"")
    assert response.headers["content-type"].startswith(EVENT_STREAM)
    assert str(ann.user) not in site.services.hub._channels


async def test_a_subscription_ends_when_its_client_disconnects(site: Site, ann: Client) -> None:
    async with open_http_stream(ann, UPDATES):
        await until_connections(site, 1)
    await until_connections(site, 0)
    assert str(ann.user) not in site.services.hub._channels


async def until_connections(site: Site, number: int) -> None:
    """Wait until the metric has this value."""
    line = f"rendercast_connections {number:.1f}".encode()
    async with asyncio.timeout(TEST_TIMEOUT_S):
        while line not in site.services.metrics.text():  # noqa: ASYNC110  # it has no event for this
            await asyncio.sleep(RETRY_S)
