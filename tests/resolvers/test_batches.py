"""Batches over HTTP and subscriptions."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.support.api_client import PROPS, Client
from tests.support.api_site import Site
from tests.support.api_stream import Stream, open_stream
from tests.support.fake_backend import FakeBackend
from tests.support.http_stream import EVENT_STREAM, MULTIPART, HttpStream, open_http_stream

pytestmark = pytest.mark.asyncio(loop_scope="module")

PROGRESS = "fragment P on BatchProgress { batchId total queued rendering complete failed cancelled percent hasEnded }"
START = """
mutation ($input: StartRendersInput!) {
  startRenders(input: $input) {
    __typename
    ... on UserError { message }
    ... on StartRendersSuccess { duplicates quota { remaining } renders { id batchId status inputProps } }
    ... on InvalidInput { problems { path message } }
    ... on RenderQuotaExceeded { retryAfterSeconds quota { remaining } }
    ... on IdempotencyKeyReused { render { id } }
  }
}
"""
CHECK = "query ($renders: [StartRenderInput!]!) { checkRenders(renders: $renders) { path message } }"
BATCH = f"query ($id: ID!) {{ batchProgress(batchId: $id) {{ ...P failures {{ id error {{ code }} }} }} }} {PROGRESS}"
WATCH = f"subscription ($id: ID!) {{ batchProgress(batchId: $id) {{ ...P failures {{ id }} }} }} {PROGRESS}"
CANCEL = f"""
mutation ($id: ID!) {{
  cancelBatch(batchId: $id) {{
    __typename
    ... on UserError {{ message }}
    ... on CancelBatchSuccess {{ cancelled stopping progress {{ ...P }} }}
  }}
}}
{PROGRESS}
"""


def row(text: str = "Hello", **values: object) -> dict[str, object]:
    return {"animationProps": {**PROPS, "text": text}, **values}


async def start(client: Client, *renders: dict[str, object], batch_id: str = "b", key: str | None = None) -> Any:
    given = {"renders": renders, "batchId": batch_id, "idempotencyKey": key}
    return await client.execute(START, input=given)


async def ids_of_started(client: Client, *texts: str) -> list[str]:
    result = await start(client, *(row(text) for text in texts))
    return [render["id"] for render in result["renders"]]


async def test_renders_are_started_in_order_and_listed_by_their_batch(ann: Client, backend: FakeBackend) -> None:
    await backend.stop_starting()
    await ann.start_render()
    result = await start(ann, row("1"), row("2"), row("3"))
    assert (result["duplicates"], result["quota"]["remaining"]) == (0, 1)
    assert [(each["batchId"], each["inputProps"]["text"]) for each in result["renders"]] == [
        ("b", text) for text in "123"
    ]
    listed = await ann.list_renders(filter={"batchId": "b"})
    assert [each["id"] for each in listed] == [each["id"] for each in reversed(result["renders"])]
    assert await ann.list_renders(filter={"batchId": "b", "status": ["COMPLETE"]}) == []


async def test_problems_have_the_path_of_their_row_and_nothing_is_started(ann: Client) -> None:
    invalid: list[dict[str, object]] = [row(), {"composition": {"id": "Promo", "props": {"title": 7}}}, row("")]
    result = await start(ann, *invalid)
    assert result["__typename"] == "InvalidInput"
    paths = ["/renders/1/composition/props/title", "/renders/2/animationProps/text"]
    assert [problem["path"] for problem in result["problems"]] == paths
    assert await ann.execute(CHECK, renders=invalid) == result["problems"]
    assert await ann.execute(CHECK, renders=[row()]) == []
    assert await ann.execute(BATCH, id="b") is None


async def test_the_quota_is_used_by_all_or_none(ann: Client) -> None:
    result = await start(ann, *(row() for _ in range(6)))
    assert (result["__typename"], result["quota"]["remaining"]) == ("RenderQuotaExceeded", 5)
    assert result["message"].endswith("Start 5 or fewer now, or try again later.")
    assert (await start(ann, *(row() for _ in range(5))))["quota"]["remaining"] == 0


async def test_a_repeated_call_starts_nothing(ann: Client) -> None:
    first = await start(ann, row("1"), row("2"), key="k")
    again = await start(ann, row("1"), row("2"), key="k")
    assert [each["id"] for each in again["renders"]] == [each["id"] for each in first["renders"]]
    assert (again["duplicates"], again["quota"]["remaining"]) == (2, 3)
    reused = await start(ann, row("1"), row("3"), key="k")
    assert (reused["__typename"], reused["render"]["id"]) == ("IdempotencyKeyReused", first["renders"][1]["id"])


async def test_a_call_of_100_renders_of_any_shape_is_within_the_limits_of_a_request(ann: Client) -> None:
    output = {"video": {"format": "H264", "width": 1280, "height": 720, "fps": 30, "crf": 20, "muted": True}}
    whole = row(output=output, generationId="g" * 200, idempotencyKey="k")
    renders = [whole | {"idempotencyKey": str(number)} for number in range(100)]
    assert (await start(ann, *renders))["__typename"] == "RenderQuotaExceeded"
    (problem,) = await ann.execute(CHECK, renders=[*renders, whole])
    assert problem["message"] == "Give 1 to 100 renders."


async def test_the_rate_limit_counts_renders(ann: Client) -> None:
    limit, per_call = 120, 10
    for _ in range(limit // per_call):
        assert (await start(ann, *(row("") for _ in range(100))))["__typename"] == "InvalidInput"
    error = await ann.error(START, input={"renders": [row("")], "batchId": "b"})
    assert error["extensions"]["code"] == "LIMIT_EXCEEDED"


@asynccontextmanager
async def open_progress(client: Client, transport: str) -> AsyncIterator[Stream | HttpStream]:
    if transport == "websocket":
        async with open_stream(client) as stream:
            await stream.subscribe(WATCH, id="b")
            yield stream
    else:
        async with open_http_stream(client, WATCH, accept=transport, id="b") as response:
            yield response


@pytest.mark.parametrize("transport", ["websocket", EVENT_STREAM, MULTIPART], ids=["websocket", "sse", "multipart"])
async def test_progress_is_sent_until_all_renders_have_ended(ann: Client, backend: FakeBackend, transport: str) -> None:
    one, two = await ids_of_started(ann, "1", "2")
    async with open_progress(ann, transport) as stream:
        states = [await stream.next()]
        await ann.until(one, status="RENDERING")
        backend.finish(one)
        while not states[-1]["complete"]:
            states.append(await stream.next())
        await ann.until(two, status="RENDERING")
        backend.break_down(two, retryable=False)
        states += await stream.rest()
    assert states[-1] == {
        "batchId": "b",
        "total": 2,
        "queued": 0,
        "rendering": 0,
        "complete": 1,
        "failed": 1,
        "cancelled": 0,
        "percent": 100,
        "hasEnded": True,
        "failures": [{"id": two}],
    }
    assert [state["percent"] for state in states] == sorted(state["percent"] for state in states)
    stored = await ann.execute(BATCH, id="b")
    assert stored == states[-1] | {"failures": [{"id": two, "error": {"code": "BROKEN"}}]}


async def test_cancelling_a_batch_returns_how_many_renders_it_cancelled(ann: Client, backend: FakeBackend) -> None:
    await backend.stop_starting()
    await ids_of_started(ann, "1", "2", "3")
    result = await ann.execute(CANCEL, id="b")
    assert (result["cancelled"], result["stopping"], result["progress"]["hasEnded"]) == (3, 0, True)
    assert (await ann.execute(CANCEL, id="b"))["cancelled"] == 0


async def test_another_users_batch_is_invisible(site: Site, ann: Client, bob: Client, backend: FakeBackend) -> None:
    del site
    await backend.stop_starting()
    await ids_of_started(ann, "1")
    assert await bob.execute(BATCH, id="b") is None
    assert await bob.list_renders(filter={"batchId": "b"}) == []
    result = await bob.execute(CANCEL, id="b")
    assert (result["__typename"], result["message"]) == ("BatchNotFound", "You have no renders with this batch id.")
    assert (await ids_of_started(bob, "2")) != []
    assert (await ann.execute(BATCH, id="b"))["total"] == 1
