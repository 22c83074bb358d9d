"""A GraphQL client that shares no code with the server: plain HTTP. `api_stream` has the one for subscriptions."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import httpx

TEST_TIMEOUT_S = 30.0  # for any wait in a test, long enough for a busy machine
RETRY_S = 0.01
MAX_RETRY_S = 0.25
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # the default one loads certificates: 20 ms of CPU time per client

PROPS: dict[str, object] = {
    "text": "Hello",
    "style": "FADE_IN",
    "fontFamily": "Inter",
    "fontSize": 64,
    "color": "#ffffff",
    "durationInFrames": 90,
}

RENDER = """
fragment Render on Render {
  id compositionId revision generationId status phase progress framesRendered totalFrames
  estimatedCompletionAt queuePosition
  animationProps { text style fontFamily fontSize color backgroundColor durationInFrames fps }
  attempt cancelRequested warnings error { code message retryable }
  outputUrl outputUrlExpiresAt outputSizeBytes posterUrl posterUrlExpiresAt previewUrl
  costUsd backendRenderId createdAt startedAt completedAt
}
"""
QUOTA = "fragment Quota on RenderQuota { limit remaining windowSeconds resetsAt }"
STARTED = f"""
fragment StartResult on StartRenderResult {{
  __typename
  ... on UserError {{ message }}
  ... on StartRenderSuccess {{ render {{ ...Render }} quota {{ ...Quota }} duplicate }}
  ... on RenderQuotaExceeded {{ quota {{ ...Quota }} retryAfterSeconds }}
  ... on InvalidAnimation {{ problems {{ field message }} }}
  ... on InvalidInput {{ problems {{ path message }} }}
  ... on IdempotencyKeyReused {{ render {{ ...Render }} }}
}}
{RENDER}
{QUOTA}
"""
START = f"mutation ($input: StartRenderInput!) {{ startRender(input: $input) {{ ...StartResult }} }} {STARTED}"
RETRY = f"""
mutation ($id: ID!) {{
  retryRender(renderId: $id) {{
    __typename
    ... on UserError {{ message }}
    ... on StartRenderSuccess {{ render {{ ...Render }} quota {{ ...Quota }} duplicate }}
    ... on RenderQuotaExceeded {{ quota {{ ...Quota }} retryAfterSeconds }}
    ... on RenderNotRetryable {{ render {{ ...Render }} }}
  }}
}}
{RENDER}
{QUOTA}
"""
CANCEL = f"""
mutation ($id: ID!) {{
  cancelRender(renderId: $id) {{
    __typename
    ... on UserError {{ message }}
    ... on CancelRenderSuccess {{ render {{ ...Render }} }}
    ... on RenderAlreadyFinished {{ render {{ ...Render }} }}
  }}
}}
{RENDER}
"""
DELETE = f"""
mutation ($id: ID!) {{
  deleteRender(renderId: $id) {{
    __typename
    ... on UserError {{ message }}
    ... on DeleteRenderSuccess {{ renderId }}
    ... on RenderNotFinished {{ render {{ ...Render }} }}
  }}
}}
{RENDER}
"""
REFRESH = f"""
mutation ($id: ID!) {{
  refreshDownloadUrl(renderId: $id) {{
    __typename
    ... on UserError {{ message }}
    ... on DownloadUrl {{ url expiresAt render {{ ...Render }} }}
    ... on RenderNotComplete {{ render {{ ...Render }} }}
  }}
}}
{RENDER}
"""
SHARE = """
mutation ($id: ID!, $seconds: Int! = 3600) {
  renderToken(renderId: $id, expiresInSeconds: $seconds) {
    __typename
    ... on RenderToken { token expiresAt render { id } }
    ... on UserError { message }
  }
}
"""
GET = f"query ($id: ID!) {{ render(id: $id) {{ ...Render }} }} {RENDER}"
NODE = f"query ($id: ID!) {{ node(id: $id) {{ __typename id ...Render }} }} {RENDER}"
LIST = f"""
query ($first: Int, $after: String, $filter: RenderFilter) {{
  renders(first: $first, after: $after, filter: $filter) {{
    edges {{ cursor node {{ ...Render }} }}
    pageInfo {{ hasNextPage hasPreviousPage startCursor endCursor }}
  }}
}}
{RENDER}
"""
INPUT = """
query ($id: ID!) {
  render(id: $id) {
    compositionId inputProps totalFrames animationProps { text style durationInFrames }
    output {
      format kind contentType fileName width height fps scale crf bitrateKbps transparent muted proResProfile
      everyNthFrame loops frame quality
    }
  }
}
"""
QUOTA_LEFT = f"query {{ renderQuota {{ ...Quota }} }} {QUOTA}"
PROGRESS = f"subscription ($id: ID!) {{ renderProgress(renderId: $id) {{ ...Render }} }} {RENDER}"
UPDATES = f"subscription {{ renderUpdates {{ ...Render }} }} {RENDER}"


class Client:
    """A user's client for GraphQL over HTTP POST."""

    def __init__(self, http: httpx.AsyncClient, *, user: str | None = None, token: str | None = None) -> None:
        """Authenticate as `user`, which only `api_server.named_user` accepts, or with a valid `token`."""
        self.http = http
        self.user = user
        self.headers = {} if user is None else {"X-User": user}
        self.websocket_params: dict[str, object] = {} if user is None else {"user": user}
        if token is not None:
            self.headers["Authorization"] = self.websocket_params["Authorization"] = f"Bearer {token}"

    @property
    def websocket_url(self) -> str:
        return str(self.http.base_url).replace("http", "ws", 1).rstrip("/") + "/graphql"

    async def post(self, document: str, **variables: object) -> dict[str, Any]:
        """Return the complete result. Sends unpaired surrogates escaped, and infinity as a number that is too large."""
        body = json.dumps({"query": document, "variables": variables}).replace("Infinity", "1e999")
        headers = {"Content-Type": "application/json", **self.headers}
        response = await self.http.post("/graphql", content=body, headers=headers)
        assert response.status_code == 200, response.text
        result: dict[str, Any] = response.json()
        return result

    async def execute(self, document: str, **variables: object) -> Any:
        """Return the value of the document's one root field."""
        result = await self.post(document, **variables)
        assert "errors" not in result, result["errors"]
        (value,) = result["data"].values()
        return value

    async def error(self, document: str, **variables: object) -> dict[str, Any]:
        """Return the only error of a document without data."""
        result = await self.post(document, **variables)
        assert result.get("data") is None or set(result["data"].values()) == {None}
        (error,) = result["errors"]
        assert isinstance(error, dict)
        return error

    async def start(self, *, generation_id: str | None = None, key: str | None = None, **props: object) -> Any:
        """Return the result of `startRender`."""
        given = {"animationProps": {**PROPS, **props}, "generationId": generation_id, "idempotencyKey": key}
        return await self.execute(START, input=given)

    async def start_composition(
        self,
        composition_id: str,
        props: object,
        *,
        output: dict[str, Any] | None = None,
        generation_id: str | None = None,
        key: str | None = None,
    ) -> Any:
        """Return the result of `startRender` with a composition."""
        given = {
            "composition": {"id": composition_id, "props": props},
            "output": output,
            "generationId": generation_id,
            "idempotencyKey": key,
        }
        return await self.execute(START, input=given)

    async def problems(self, **given: object) -> list[tuple[str, str]]:
        """Return the paths and messages of the problems of an invalid `startRender` input, which starts nothing."""
        result = await self.execute(START, input=given)
        assert result["__typename"] == "InvalidInput", result
        found = [(problem["path"], problem["message"]) for problem in result["problems"]]
        assert result["message"] == " ".join(message for _, message in found)
        assert await self.list_renders() == []
        assert await self.quota_used() == 0
        return found

    async def start_render(self, **given: Any) -> str:
        """Start a render and return its id."""
        result = await self.start(**given)
        assert result["__typename"] == "StartRenderSuccess", result
        render_id = result["render"]["id"]
        assert isinstance(render_id, str)
        return render_id

    async def until(self, render_id: str, **wanted: object) -> dict[str, Any]:
        """Poll until the render's fields have these values, and return it; RENDERING only once it has a backend id."""
        async with asyncio.timeout(TEST_TIMEOUT_S):
            for pause_s in pauses():
                render: dict[str, Any] = await self.execute(GET, id=render_id)
                known = render["status"] != "RENDERING" or render["backendRenderId"]
                if known and all(render[field] == value for field, value in wanted.items()):
                    return render
                await asyncio.sleep(pause_s)
        raise AssertionError(wanted)

    async def list_renders(self, **arguments: object) -> list[dict[str, Any]]:
        """Return the renders of one page."""
        page = await self.execute(LIST, **arguments)
        return [edge["node"] for edge in page["edges"]]

    async def quota_used(self) -> int:
        """Return the used quota of the present window."""
        quota = await self.execute(QUOTA_LEFT)
        return int(quota["limit"] - quota["remaining"])


def pauses() -> Iterator[float]:
    """Yield the pauses between polls, in seconds: short at first, then longer, as each poll costs CPU time."""
    pause_s = RETRY_S
    while True:
        yield pause_s
        pause_s = min(1.5 * pause_s, MAX_RETRY_S)


@asynccontextmanager
async def open_client(url: str, *, user: str | None = None, token: str | None = None) -> AsyncIterator[Client]:
    """Connect to the server at `url`, ignoring the environment's proxy settings."""
    async with httpx.AsyncClient(base_url=url, trust_env=False, verify=NO_TLS, timeout=TEST_TIMEOUT_S) as http:
        yield Client(http, user=user, token=token)
