"""The client of Rendercast's API: GraphQL over HTTP, and subscriptions over a WebSocket or SSE.

Every wait has a timeout. A request whose response was lost is sent again, which is safe: a start has an idempotency
key. After a lost connection, a subscription is started again; its first message is the render's current state.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from http import HTTPStatus
from typing import Any

import aiohttp

from commands.client import documents
from commands.client.errors import CommandError, QuotaExceededError, ServerUnreachableError
from commands.client.graphql_responses import connection_lost, root_value
from commands.client.http_client import new_session, unreachable
from commands.client.options import Server
from commands.client.responses import (
    Composition,
    Json,
    Quota,
    Render,
    read_composition,
    read_quota,
    read_render,
)
from commands.client.subscriptions import Subscriptions
from services.background.backoff import backoff_s

RETRY_TIMEOUT_S = 30.0  # for repeating a request whose response was lost
RECONNECT_TIMEOUT_S = 120.0  # for resuming a subscription whose connection was lost
MAX_BACKOFF_S = 5.0
MINUTE_S = 60
PAGE_SIZE = 100  # the server's maximum
UNAVAILABLE_STATUSES = {HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT}


class Api:
    """The API of one server for one user. Open it with `open_api`. Every method raises `CommandError`."""

    def __init__(self, http: aiohttp.ClientSession, server: Server) -> None:
        self._http = http
        self._server = server
        self._subscriptions = Subscriptions(http, server)
        self._authorization = {"Authorization": f"Bearer {server.token}"} if server.token else {}

    async def start(self, start_input: Json, *, key: str) -> Render:
        """Start a render. Calls with the same key return the same render."""
        result = await self._request(documents.START, input={**start_input, "idempotencyKey": key})
        if result["__typename"] == "StartRenderSuccess":
            return read_render(result["render"])
        raise _start_error(result)

    async def cancel(self, render_id: str) -> Render:
        """Request the cancellation of a render and return its state. Succeeds if it is already cancelled."""
        result = await self._request(documents.CANCEL, id=render_id)
        if result["__typename"] == "RenderAlreadyFinished" and result["render"]["status"] != "CANCELLED":
            raise _mutation_error(result)
        if "render" not in result:
            raise _mutation_error(result)
        return read_render(result["render"])

    async def get(self, render_id: str) -> Render:
        """Return a render."""
        found = await self._request(documents.GET, id=render_id)
        if found is None:
            raise CommandError("You have no render with this id.", code="NOT_FOUND", renderId=render_id)
        return read_render(found)

    async def list(self, *, first: int | None, statuses: list[str]) -> AsyncGenerator[Render, None]:
        """Yield at most `first` renders, newest first; all if `first` is None."""
        remaining, after = first, None
        status_filter = {"status": statuses} if statuses else None
        while remaining is None or remaining > 0:
            count = PAGE_SIZE if remaining is None else min(PAGE_SIZE, remaining)
            page = await self._request(documents.LIST, first=count, after=after, filter=status_filter)
            for edge in page["edges"]:
                yield read_render(edge["node"])
            if not page["pageInfo"]["hasNextPage"]:
                return
            after = page["pageInfo"]["endCursor"]
            remaining = remaining and remaining - count

    async def compositions(self) -> Sequence[Composition]:
        """Return what the server can render, in its order. If all are too large for one response, read one by one."""
        try:
            found = await self._request(documents.COMPOSITIONS)
        except CommandError as error:
            if error.code != "LIMIT_EXCEEDED":
                raise
            ids = await self.composition_ids()
            found = [await self._request(documents.GET_COMPOSITION, id=each) for each in ids]
        return [read_composition(each) for each in found if each is not None]

    async def composition_ids(self) -> Sequence[str]:
        """Return the ids of all compositions."""
        return [str(each["id"]) for each in await self._request(documents.COMPOSITION_IDS)]

    async def composition(self, composition_id: str) -> Composition | None:
        """Return a composition; None if the server has none with this id."""
        found = await self._request(documents.GET_COMPOSITION, id=composition_id)
        return None if found is None else read_composition(found)

    async def quota(self) -> Quota:
        """Return the user's quota."""
        return read_quota(await self._request(documents.QUOTA))

    async def fresh_url(self, render_id: str) -> str:
        """Return a new signed URL of the output."""
        result = await self._request(documents.REFRESH, id=render_id)
        if result["__typename"] != "DownloadUrl":
            raise _mutation_error(result)
        return str(result["url"])

    async def watch(self, render_id: str) -> AsyncGenerator[Render, None]:
        """Yield the render's current state, then each newer state until it ends.

        Reconnects after a lost connection. Raises `ServerUnreachableError` after `RECONNECT_TIMEOUT_S` without success.
        """
        loop = asyncio.get_running_loop()
        revision, failures, deadline = -1, 0, 0.0
        while True:
            try:
                async with aclosing(self._subscriptions.states(render_id)) as states:
                    async for render in states:
                        if render.revision > revision:
                            revision = render.revision
                            yield render
                        if render.has_ended:
                            return
                        failures = 0
                raise connection_lost(self._server)
            except ServerUnreachableError:
                if failures and loop.time() > deadline:
                    raise
            failures += 1
            if failures == 1:
                deadline = loop.time() + RECONNECT_TIMEOUT_S
            await asyncio.sleep(backoff_s(failures, max_s=MAX_BACKOFF_S))

    async def _request(self, document: str, **variables: object) -> Any:
        """Return the value of the operation's only root field. Repeats the request if its response was lost."""
        loop = asyncio.get_running_loop()
        deadline, failures = loop.time() + RETRY_TIMEOUT_S, 0
        while True:
            try:
                return root_value(await self._post(document, variables), self._server)
            except ServerUnreachableError as error:
                failures += 1
                if loop.time() > deadline or not (error.response_lost or failures > 1):
                    raise
            await asyncio.sleep(backoff_s(failures, max_s=MAX_BACKOFF_S))

    async def _post(self, document: str, variables: Json) -> Json:
        headers = {"Content-Type": "application/json", "Accept": "application/json", **self._authorization}
        try:
            content = json.dumps({"query": document, "variables": variables}).encode()
        except RecursionError as error:
            raise CommandError("The props are nested too deeply.", code="NOT_SENT") from error
        try:
            async with self._http.post(
                self._server.endpoint, data=content, headers=headers, allow_redirects=False
            ) as response:
                status, location, text = response.status, response.headers.get("Location"), await response.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise unreachable(self._server.name, error) from error
        try:
            body = json.loads(text)
        except ValueError:
            body = None
        if isinstance(body, dict) and (body.get("data") is not None or body.get("errors")):
            return body
        message = f"{self._server.name} responded with status {status}."
        if status in UNAVAILABLE_STATUSES:
            raise ServerUnreachableError(f"{message} Try again later.", response_lost=True)
        hint = f" It redirects to {location}: try --url with that address." if location else ""
        raise ServerUnreachableError(f"{message} It is not a Rendercast server.{hint}", code="NOT_RENDERCAST")


def _code(result: Json) -> str:
    """Return the type of a mutation's result in upper snake case, such as RENDER_QUOTA_EXCEEDED."""
    name = str(result["__typename"])
    return "".join(f"_{letter}" if letter.isupper() else letter for letter in name).lstrip("_").upper()


def _start_error(result: Json) -> CommandError:
    """Return the error for a start that was refused."""
    code, message = _code(result), str(result.get("message"))
    match result["__typename"]:
        case "RenderQuotaExceeded":
            wait_s, quota = result["retryAfterSeconds"], result["quota"]
            message = f"{message} Try again in {max(1, round(wait_s / MINUTE_S))} min."
            return QuotaExceededError(message, code=code, retryAfterSeconds=wait_s, quota=quota)
        case "InvalidAnimation":
            problems = result["problems"]
            return CommandError("\n".join(str(each["message"]) for each in problems), code=code, problems=problems)
        case "InvalidInput":
            problems = result["problems"]
            lines = [f"{each['path']}: {each['message']}" for each in problems]
            return CommandError("\n".join(["The input is not valid.", *lines]), code=code, problems=problems)
        case "IdempotencyKeyReused":
            return CommandError(message, code=code, renderId=result["render"]["id"])
        case _:
            return _mutation_error(result)


def _mutation_error(result: Json) -> CommandError:
    return CommandError(str(result.get("message") or result["__typename"]), code=_code(result))


@asynccontextmanager
async def open_api(server: Server) -> AsyncIterator[Api]:
    """Open the API of a server, without sending a request."""
    async with new_session(server.endpoint) as http:
        yield Api(http, server)
