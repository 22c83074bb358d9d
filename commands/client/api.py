"""A client of Rendercast's API: GraphQL over HTTP, graphql-transport-ws for what is watched, and downloads.

Every wait has a limit. What was asked is asked again if its answer was lost, which does no harm: a start has its
idempotency key. A watched render is subscribed to again after each lost connection; the first message is its present
state then.
"""

import asyncio
import json
import os
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from http import HTTPStatus
from typing import Any

import aiohttp

from commands.client import documents
from commands.client.errors import CommandError, OverQuota, Unreachable
from commands.client.options import Server, is_local
from commands.client.responses import Json, Quota, Render, not_understood, read_quota, read_render
from services.backoff import backoff_s

SUBPROTOCOL = "graphql-transport-ws"
CONNECT_TIMEOUT_S = 5.0
REQUEST_TIMEOUT_S = 40.0  # the server itself stops what takes longer than 30 s
SILENCE_S = 30.0  # of a download, and of a server before it is asked for a sign of life
PATIENCE_S = 30.0  # how long a lost answer is asked for again
RECONNECTING_S = 120.0  # how long a lost subscription is tried to be had again
MAX_PAUSE_S = 5.0
MAX_PART = 256 * 1024
MINUTE_S = 60
PAGE = 100  # the most that the server lists at once
AWAY = {HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT}
MAY_PASS = {"SERVICE_UNAVAILABLE", "TIMEOUT"}  # errors of the server's that say: try again
SIGN_IN_CODES = {4401, 4403}  # of graphql-transport-ws, when the token is not good or has expired
LASTING_CODES = {4400, 4406, 4409}


class Api:
    """What one user may ask one server. Open it with `open_api`; every method raises `CommandError`."""

    def __init__(self, http: aiohttp.ClientSession, server: Server) -> None:
        self._http = http
        self._server = server
        self._authorization = {"Authorization": f"Bearer {server.token}"} if server.token else {}

    async def start(self, props: Json, *, key: str) -> Render:
        """Start a render, once however often the same key is used."""
        result = await self._ask(documents.START, input={"animationProps": props, "idempotencyKey": key})
        match result["__typename"]:
            case "StartRenderSuccess":
                return read_render(result["render"])
            case "RenderQuotaExceeded":
                wait_s, quota = result["retryAfterSeconds"], result["quota"]
                message = f"{result['message']} That is in {max(1, round(wait_s / MINUTE_S))} min."
                raise OverQuota(message, code=_code(result), retryAfterSeconds=wait_s, quota=quota)
            case "InvalidAnimation":
                problems = result["problems"]
                sentences = "\n".join(str(problem["message"]) for problem in problems)
                raise CommandError(sentences, code=_code(result), problems=problems)
            case _:
                raise _said_no(result)

    async def cancel(self, render_id: str) -> Render:
        """Ask for the end of a render, and return it as it is then; one that was cancelled before is no fault."""
        result = await self._ask(documents.CANCEL, id=render_id)
        if result["__typename"] == "RenderAlreadyFinished" and result["render"]["status"] != "CANCELLED":
            raise _said_no(result)
        if "render" not in result:
            raise _said_no(result)
        return read_render(result["render"])

    async def get(self, render_id: str) -> Render:
        """Return a render as it is."""
        found = await self._ask(documents.GET, id=render_id)
        if found is None:
            raise CommandError("You have no render with this id.", code="NOT_FOUND", renderId=render_id)
        return read_render(found)

    async def list(self, *, first: int | None, statuses: list[str]) -> AsyncGenerator[Render, None]:
        """Yield the newest renders, all if `first` is None."""
        left, after = first, None
        wanted = {"status": statuses} if statuses else None
        while left is None or left > 0:
            count = PAGE if left is None else min(PAGE, left)
            page = await self._ask(documents.LIST, first=count, after=after, filter=wanted)
            for edge in page["edges"]:
                yield read_render(edge["node"])
            if not page["pageInfo"]["hasNextPage"]:
                return
            after = page["pageInfo"]["endCursor"]
            left = left and left - count

    async def quota(self) -> Quota:
        """Return how many renders can be started."""
        return read_quota(await self._ask(documents.QUOTA))

    async def fresh_url(self, render_id: str) -> str:
        """Return a URL of the video that works from now on."""
        result = await self._ask(documents.REFRESH, id=render_id)
        if result["__typename"] != "DownloadUrl":
            raise _said_no(result)
        return str(result["url"])

    async def watch(self, render_id: str) -> AsyncGenerator[Render, None]:
        """Yield the render as it is, then each newer state up to its end, whatever becomes of connections."""
        loop = asyncio.get_running_loop()
        revision, failures, until = -1, 0, 0.0
        while True:
            try:
                async with aclosing(self._subscribe(render_id)) as states:
                    async for render in states:
                        if render.revision > revision:
                            revision = render.revision
                            yield render
                        if render.has_ended:
                            return
                        failures = 0
                raise self._lost()
            except Unreachable:
                if failures and loop.time() > until:
                    raise
            failures += 1
            if failures == 1:
                until = loop.time() + RECONNECTING_S
            await asyncio.sleep(backoff_s(failures, longest_s=MAX_PAUSE_S))

    async def _subscribe(self, render_id: str) -> AsyncGenerator[Render, None]:
        """Yield what one connection tells. Raises `Unreachable` when it is lost."""
        try:
            async with self._http.ws_connect(
                self._server.websocket, protocols=(SUBPROTOCOL,), heartbeat=SILENCE_S, autoping=True
            ) as socket:
                async with asyncio.timeout(CONNECT_TIMEOUT_S):
                    await socket.send_json({"type": "connection_init", "payload": self._authorization})
                    await self._acknowledged(socket)
                payload = {"query": documents.PROGRESS, "variables": {"id": render_id}}
                await socket.send_json({"id": "1", "type": "subscribe", "payload": payload})
                while (message := await self._receive(socket))["type"] != "complete":
                    if message["type"] == "next":
                        yield read_render(self._value(message["payload"]))
                    elif message["type"] == "error":
                        raise self._fault(message["payload"])
                    elif message["type"] == "ping":
                        await socket.send_json({"type": "pong"})
        except aiohttp.WSServerHandshakeError as error:
            raise self._no_websocket(error.status) from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise self._unreachable(error) from error
        except (KeyError, TypeError, ValueError) as error:
            raise not_understood(error) from error

    async def _acknowledged(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        while (await self._receive(socket))["type"] != "connection_ack":
            pass

    async def _receive(self, socket: aiohttp.ClientWebSocketResponse) -> Json:
        """Return the next message. Raises `CommandError` if the server has closed the connection for good."""
        message = await socket.receive()
        if message.type is aiohttp.WSMsgType.TEXT:
            decoded: Json = json.loads(message.data)
            return decoded
        code, reason = socket.close_code, str(message.extra or "")
        if code in SIGN_IN_CODES:
            raise self._unauthenticated(reason or "Sign in to do this.")
        if code in LASTING_CODES:
            raise CommandError(f"{self._server.name} does not let us watch: {reason} ({code}).", code="REFUSED")
        raise self._lost()

    async def _ask(self, document: str, **variables: object) -> Any:
        """Return the value of the operation's one field, asked for again if an answer is lost."""
        loop = asyncio.get_running_loop()
        until, failures = loop.time() + PATIENCE_S, 0
        while True:
            try:
                return self._value(await self._post(document, variables))
            except Unreachable as fault:
                failures += 1
                if loop.time() > until or not (fault.lost or failures > 1):
                    raise
            await asyncio.sleep(backoff_s(failures, longest_s=MAX_PAUSE_S))

    async def _post(self, document: str, variables: Json) -> Json:
        headers = {"Content-Type": "application/json", "Accept": "application/json", **self._authorization}
        body = json.dumps({"query": document, "variables": variables}).encode()
        try:
            async with self._http.post(
                self._server.endpoint, data=body, headers=headers, allow_redirects=False
            ) as response:
                status, location, text = response.status, response.headers.get("Location"), await response.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise self._unreachable(error) from error
        try:
            answer = json.loads(text)
        except ValueError:
            answer = None
        if isinstance(answer, dict) and (answer.get("data") is not None or answer.get("errors")):
            return answer
        if status in AWAY:
            raise Unreachable(f"{self._server.name} answers {status}. Try again later.", lost=True)
        elsewhere = f" Give the address it sends to: --url {location}" if location else ""
        raise Unreachable(
            f"{self._server.name} is there, but it is no Rendercast: it answers {status}.{elsewhere}",
            code="NOT_RENDERCAST",
        )

    def _value(self, answer: Json) -> Any:
        if errors := answer.get("errors"):
            raise self._fault(errors)
        (value,) = answer["data"].values()
        return value

    def _fault(self, errors: Any) -> CommandError:
        """Return what the first error of an answer means."""
        try:
            message, code = str(errors[0]["message"]), str(errors[0].get("extensions", {}).get("code", "ERROR"))
        except (KeyError, TypeError, IndexError, AttributeError) as error:
            return not_understood(error)
        if code == "UNAUTHENTICATED":
            return self._unauthenticated(message)
        if code in MAY_PASS:
            return Unreachable(message, code=code, lost=True)
        return CommandError(message, code=code)

    def _unauthenticated(self, message: str) -> CommandError:
        hint = "Is RENDERCAST_TOKEN right?" if self._server.token else "Set RENDERCAST_TOKEN to your token there."
        return CommandError(f"{message} {hint}", code="UNAUTHENTICATED")

    def _no_websocket(self, status: int) -> CommandError:
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.TOO_MANY_REQUESTS:
            return Unreachable(f"{self._server.name} answers {status} to a WebSocket.", lost=True)
        return CommandError(
            f"{self._server.name} answers {status} to a WebSocket: does a proxy on the way let them through?",
            code="NO_WEBSOCKET",
        )

    def _lost(self) -> Unreachable:
        return Unreachable(f"The connection to {self._server.name} was lost.", lost=True)

    def _unreachable(self, error: Exception) -> Unreachable:
        return unreachable(self._server.name, error)


def unreachable(name: str, error: Exception) -> Unreachable:
    """Return that the server didn't answer, and why."""
    if isinstance(error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError):
        why = "no answer in time" if isinstance(error, TimeoutError) else _reason(error)
        return Unreachable(f"{name} can't be reached: {why}. Is the server running, and is --url right?")
    if isinstance(error, TimeoutError):
        return Unreachable(f"{name} did not answer in time.", lost=True)
    return Unreachable(f"The connection to {name} was lost ({type(error).__name__}).", lost=True)


def _reason(error: aiohttp.ClientConnectionError) -> str:
    cause = getattr(error, "os_error", None) or getattr(error, "certificate_error", None) or error
    number = getattr(cause, "errno", None)
    if isinstance(number, int) and number > 0:
        return os.strerror(number)
    return str(getattr(cause, "strerror", None) or cause).rstrip(".")


def _code(result: Json) -> str:
    """Return the name of what a mutation answered as programs compare it: RENDER_QUOTA_EXCEEDED."""
    name = str(result["__typename"])
    return "".join(f"_{letter}" if letter.isupper() else letter for letter in name).lstrip("_").upper()


def _said_no(result: Json) -> CommandError:
    return CommandError(str(result.get("message") or result["__typename"]), code=_code(result))


def new_session(url: str) -> aiohttp.ClientSession:
    """Open connections for this URL: through the environment's proxy, unless it is of this machine."""
    return aiohttp.ClientSession(
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=REQUEST_TIMEOUT_S, sock_connect=CONNECT_TIMEOUT_S, connect=10.0),
        trust_env=not is_local(url),
    )


@asynccontextmanager
async def open_api(server: Server) -> AsyncIterator[Api]:
    """Open the API of a server; nothing is asked yet."""
    async with new_session(server.endpoint) as http:
        yield Api(http, server)


async def download(url: str) -> AsyncGenerator[bytes, None]:
    """Yield what is at a URL, which needs no token. Raises `Unreachable`, with code GONE if it isn't there any more."""
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT_S, sock_read=SILENCE_S)
    name = url.partition("?")[0]
    try:
        async with new_session(url) as http, http.get(url, timeout=timeout) as response:
            if response.status != HTTPStatus.OK:
                gone = response.status in {HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND}
                raise Unreachable(f"{name} answers {response.status}.", code="GONE" if gone else "UNREACHABLE")
            async for part in response.content.iter_chunked(MAX_PART):
                yield part
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise unreachable(name, error) from error
