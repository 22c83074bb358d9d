"""Requests to one server: authenticated, and repeated while their responses are lost."""

import asyncio
import json
from collections.abc import Mapping
from http import HTTPStatus
from inspect import isawaitable

import aiohttp

from rendercast.client.addresses import Address, Token, read_token
from rendercast.client.backoff import backoff_s
from rendercast.client.errors import RequestRejected, ServerUnreachable, Unauthenticated
from rendercast.client.http import new_session, unreachable
from rendercast.client.reading import Json
from rendercast.client.responses import data_of

TOKEN_TIMEOUT_S = 30.0
UNAVAILABLE_STATUSES = {HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT}
NOT_RENDERCAST = "NOT_RENDERCAST"


class Connection:
    """Sends requests to a server. Use it in one event loop, and close it.

    A request whose response was lost is repeated for `retry_timeout_s`, and so is one while the server can't be
    reached. A server that was never reached is reported at once: its URL may be wrong.
    """

    def __init__(self, address: Address, token: Token, *, retry_timeout_s: float) -> None:
        self.address = address
        self._token = token if callable(token) else read_token(token)
        self._retry_timeout_s = retry_timeout_s
        self.was_reached = False
        self._is_closed = False
        self._session: aiohttp.ClientSession | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def http(self) -> aiohttp.ClientSession:
        """The session. Raises `RuntimeError` if the client is closed, or was used in another event loop."""
        loop = asyncio.get_running_loop()
        if self._is_closed:
            raise RuntimeError("The client is closed.")
        if self._session is None:
            self._session, self._loop = new_session(self.address.endpoint), loop
        if self._loop is not loop:
            raise RuntimeError("The client is used in another event loop. Make one client for each event loop.")
        return self._session

    @property
    def can_renew_token(self) -> bool:
        """Whether there may be another token when one was rejected."""
        return callable(self._token)

    async def authorization(self) -> dict[str, str]:
        """Return the header with the present token. Raises `Unauthenticated` if a function does not return one."""
        token = self._token
        if callable(token):
            made = token()
            try:
                async with asyncio.timeout(TOKEN_TIMEOUT_S):
                    token = read_token(await made if isawaitable(made) else made)
            except TimeoutError:
                message = f"The function `token` returned nothing within {TOKEN_TIMEOUT_S:g} seconds."
                raise Unauthenticated(message) from None
        return {"Authorization": f"Bearer {token}"} if token else {}

    async def execute(self, document: str, variables: Mapping[str, object]) -> Json:
        """Return the data of an operation. Raises `RendercastError`."""
        loop = asyncio.get_running_loop()
        content = _encoded(document, variables)
        deadline, failures, was_rejected = loop.time() + self._retry_timeout_s, 0, False
        while True:
            try:
                return data_of(await self._post(content))
            except Unauthenticated:
                if was_rejected or not self.can_renew_token:
                    raise
                was_rejected = True
                continue
            except ServerUnreachable as error:
                self.was_reached = self.was_reached or error.response_lost
                if not self.was_reached or error.code == NOT_RENDERCAST or loop.time() > deadline:
                    raise
            failures += 1
            await asyncio.sleep(backoff_s(failures))

    async def close(self) -> None:
        """Close all connections. It can't be used after that."""
        self._is_closed = True
        if self._session is not None:
            await self._session.close()

    async def _post(self, content: bytes) -> Json:
        name = self.address.name
        headers = {
            "Content-Type": "application/json",
            "Accept": "application/json",
            **await self.authorization(),
        }
        try:
            async with self.http.post(
                self.address.endpoint, data=content, headers=headers, allow_redirects=False
            ) as response:
                status, location, text = response.status, response.headers.get("Location"), await response.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise unreachable(name, error) from error
        try:
            body = json.loads(text)
        except ValueError:
            body = None
        if isinstance(body, dict) and (body.get("data") is not None or body.get("errors")):
            self.was_reached = True
            return body
        message = f"{name} responded with status {status}."
        if status in UNAVAILABLE_STATUSES:
            raise ServerUnreachable(f"{message} Try again later.", response_lost=True)
        hint = f" It redirects to {location}: use that address." if location else ""
        raise ServerUnreachable(f"{message} It is not a Rendercast server.{hint}", code=NOT_RENDERCAST)


def _encoded(document: str, variables: Mapping[str, object]) -> bytes:
    try:
        return json.dumps({"query": document, "variables": variables}, allow_nan=False).encode()
    except RecursionError as error:
        raise RequestRejected("The props are nested too deeply.", code="NOT_SENT") from error
    except ValueError as error:
        raise RequestRejected(f"The input can't be sent as JSON: {error}.", code="NOT_SENT") from error
