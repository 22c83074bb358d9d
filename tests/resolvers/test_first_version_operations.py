"""The operations in the README of version 0.1 work unchanged.

Those of its GraphQL and JavaScript examples are copied word for word, apart from the id of the render. The README names
the other operations without an example; the operations here select the fields that they had in 0.1. The only
name in the schema of 0.1 that has changed is `RenderFilter.ofEverybody`, now `allUsers` (0.2), which no example used.
"""

import pytest
from graphql import parse, validate

from resolvers.schema import build_schema
from tests.support.api_client import Client
from tests.support.api_stream import open_stream
from tests.support.fake_backend import FakeBackend

pytestmark = pytest.mark.asyncio(loop_scope="module")

START = """
mutation {
  startRender(input: {animationProps: {
    text: "Hello!", style: TYPEWRITER, fontFamily: "Inter", fontSize: 96,
    color: "white", backgroundColor: "#103050", durationInFrames: 90}}) {
    __typename
    ... on StartRenderSuccess { render { id status } quota { remaining resetsAt } }
    ... on UserError { message }
  }
}
"""
WATCH = """
subscription {
  renderProgress(renderId: "01m817gzatj1v633w9kvyqtevh") { revision status progress outputUrl }
}
"""
LIST = """
{ renders(first: 10, filter: {status: [COMPLETE]}) {
    edges { node { id animationProps { text } outputUrl posterUrl } } pageInfo { hasNextPage endCursor } }
  renderQuota { remaining limit resetsAt } }
"""
WATCH_IN_JAVASCRIPT = (
    "subscription ($id: ID!) { renderProgress(renderId: $id) { status progress outputUrl error { message } } }"
)
RENDER = """
fragment Render on Render {
  id owner revision generationId status phase progress framesRendered totalFrames estimatedCompletionAt queuePosition
  attempt cancelRequested warnings error { code message retryable }
  animationProps { text style fontFamily fontSize color backgroundColor durationInFrames fps }
  outputUrl outputUrlExpiresAt outputSizeBytes posterUrl posterUrlExpiresAt costUsd backendRenderId
  createdAt startedAt completedAt
}
"""
NAMED = f"""
mutation Start($input: StartRenderInput!) {{
  startRender(input: $input) {{
    ... on StartRenderSuccess {{ render {{ ...Render }} quota {{ limit remaining windowSeconds resetsAt }} duplicate }}
    ... on RenderQuotaExceeded {{ message retryAfterSeconds quota {{ remaining }} }}
    ... on InvalidAnimation {{ message problems {{ field message }} }}
    ... on RenderServiceNotConfigured {{ message }}
  }}
}}
mutation Cancel($id: ID!) {{
  cancelRender(renderId: $id) {{
    ... on CancelRenderSuccess {{ render {{ ...Render }} }}
    ... on RenderAlreadyFinished {{ message render {{ ...Render }} }}
    ... on RenderNotFound {{ message }}
  }}
}}
mutation Retry($id: ID!) {{
  retryRender(renderId: $id) {{
    ... on StartRenderSuccess {{ render {{ ...Render }} duplicate }}
    ... on RenderNotRetryable {{ message render {{ ...Render }} }}
    ... on UserError {{ message }}
  }}
}}
mutation Refresh($id: ID!) {{
  refreshDownloadUrl(renderId: $id) {{
    ... on DownloadUrl {{ url expiresAt render {{ ...Render }} }}
    ... on RenderNotComplete {{ message render {{ ...Render }} }}
    ... on OutputGone {{ message }}
  }}
}}
mutation Delete($id: ID!) {{
  deleteRender(renderId: $id) {{
    ... on DeleteRenderSuccess {{ renderId }}
    ... on RenderNotFinished {{ message render {{ ...Render }} }}
  }}
}}
query One($id: ID!) {{ render(id: $id) {{ ...Render }} node(id: $id) {{ __typename id ...Render }} }}
query Limits {{ renderLimits {{ maxDurationSeconds maxDurationInFrames fps maxTextLength minFontSize maxFontSize }} }}
subscription Updates {{ renderUpdates {{ ...Render }} }}
{RENDER}
"""


async def test_the_examples_start_watch_and_list_a_render(ann: Client, backend: FakeBackend) -> None:
    await backend.stop_starting()
    result = await ann.execute(START)
    render_id = result["render"]["id"]
    assert result == {
        "__typename": "StartRenderSuccess",
        "render": {"id": render_id, "status": "QUEUED"},
        "quota": {"remaining": 4, "resetsAt": result["quota"]["resetsAt"]},
    }
    async with open_stream(ann) as stream:
        await stream.subscribe(WATCH.replace("01m817gzatj1v633w9kvyqtevh", render_id), "example")
        first = await stream.next("example")
        assert first == {"revision": 1, "status": "QUEUED", "progress": 0, "outputUrl": None}
        backend.capacity = 1000
        await ann.until(render_id, status="RENDERING")
        backend.finish(render_id)
        last = (await stream.rest("example"))[-1]
        assert (last["status"], last["progress"]) == ("COMPLETE", 100)
        await stream.subscribe(WATCH_IN_JAVASCRIPT, "javascript", id=render_id)
        (state,) = await stream.rest("javascript")
    assert state == {"status": "COMPLETE", "progress": 100, "outputUrl": last["outputUrl"], "error": None}
    listed = (await ann.post(LIST))["data"]
    node = {"id": render_id, "animationProps": {"text": "Hello!"}, "outputUrl": last["outputUrl"]}
    (edge,) = listed["renders"]["edges"]
    assert edge == {"node": {**node, "posterUrl": edge["node"]["posterUrl"]}}
    assert listed["renders"]["pageInfo"]["hasNextPage"] is False
    assert listed["renderQuota"]["limit"] == 5


async def test_an_invalid_animation_of_an_old_client_is_reported_as_before(ann: Client) -> None:
    invalid = START.replace('"Hello!"', '""')
    assert await ann.execute(invalid) == {
        "__typename": "InvalidAnimation",
        "message": "Write some text to animate.",
    }


async def test_the_other_operations_are_valid() -> None:
    assert validate(build_schema().core_schema, parse(NAMED)) == []
