"""The HTTP client that reads an issuer's keys: its limits, and what it rejects."""

import asyncio
import contextlib
import gzip
import json
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from auth.jwks import MAX_KEYS, MAX_RESPONSE_BYTES, JwksClient, JwksError, KeySet, open_issuer_session
from auth.rules import TokenRules
from tests.security.issuer import Issuer, open_issuer, published

ALGORITHMS = ("RS256", "ES256", "EdDSA")
KEY = published("RS256", "old")


def rules(issuer: str = "", jwks_url: str | None = None) -> TokenRules:
    audiences = frozenset({"rendercast"})
    return TokenRules(issuer=issuer, audiences=audiences, algorithms=ALGORITHMS, leeway_s=0, jwks_url=jwks_url)


async def read(issuer: Issuer, *, jwks_url: str | None = None, timeout_s: float = 30.0) -> KeySet:
    async with open_issuer_session() as http:
        return await JwksClient(http, rules(issuer.url, jwks_url), timeout_s=timeout_s).read()


@pytest.fixture
async def issuer() -> AsyncIterator[Issuer]:
    async with open_issuer() as issuer:
        yield issuer


async def test_the_keys_url_is_from_the_configuration_or_the_setting(issuer: Issuer) -> None:
    assert set(await read(issuer)) == {(f"the {name} key", name) for name in ALGORITHMS}
    issuer.configuration = {"jwks_uri": f"{issuer.url}/missing"}
    with pytest.raises(JwksError, match="missing returned status 404"):
        await read(issuer)
    assert len(await read(issuer, jwks_url=f"{issuer.url}/keys")) == len(ALGORITHMS)


@pytest.mark.parametrize(
    "configuration",
    [
        {"issuer": "https://attacker.test"},
        {"issuer": None},
        {"jwks_uri": None},
        {"jwks_uri": "file:///etc/passwd"},
        {"jwks_uri": "ftp://127.0.0.1/keys"},
        {"jwks_uri": "/keys"},
        {"jwks_uri": "http://[::1/keys"},
    ],
)
async def test_a_configuration_of_another_issuer_or_with_an_invalid_url_is_rejected(
    issuer: Issuer, configuration: dict[str, object]
) -> None:
    issuer.configuration = configuration
    with pytest.raises(JwksError):
        await read(issuer)
    assert issuer.reads == 0


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b"<html>",
        b'{"keys": {}}',
        b'{"keys": [1]}',
        b'{"keys": ' + b"[" * 10_000 + b"]" * 10_000 + b"}",
        b'{"keys": [], "x": "\xff"}',
        json.dumps({"keys": [KEY] * (MAX_KEYS + 1)}).encode(),
        b'{"keys": [], "x": "' + b"x" * MAX_RESPONSE_BYTES + b'"}',
    ],
    ids=lambda body: repr(body[:20]),
)
async def test_an_invalid_or_large_response_is_rejected(issuer: Issuer, body: bytes) -> None:
    async def respond(request: web.Request) -> web.Response:
        del request
        return web.Response(body=body, content_type="application/json")

    issuer.handler = respond
    with pytest.raises(JwksError) as caught:
        await read(issuer)
    assert len(str(caught.value)) < 200


async def test_an_endless_response_is_aborted(issuer: Issuer) -> None:
    written = 0

    async def respond(request: web.Request) -> web.StreamResponse:
        nonlocal written
        response = web.StreamResponse()
        await response.prepare(request)
        with contextlib.suppress(ConnectionError):
            while True:
                await response.write(b" " * 65536)
                written += 65536
        return response

    issuer.handler = respond
    with pytest.raises(JwksError, match="more than"):
        await read(issuer)
    assert written < 100 * MAX_RESPONSE_BYTES


async def test_a_compressed_response_is_not_decompressed(issuer: Issuer) -> None:
    async def respond(request: web.Request) -> web.Response:
        assert request.headers["Accept-Encoding"] == "identity"
        bomb = gzip.compress(b'{"keys": []' + b" " * 100_000_000 + b"}")
        return web.Response(body=bomb, headers={"Content-Encoding": "gzip"})

    issuer.handler = respond
    with pytest.raises(JwksError):
        await read(issuer)


async def test_an_issuer_that_never_responds_times_out(issuer: Issuer) -> None:
    stopped = asyncio.Event()

    async def respond(request: web.Request) -> web.Response:
        del request
        await stopped.wait()
        return web.Response()

    issuer.handler = respond
    with pytest.raises(JwksError, match="TimeoutError"):
        await read(issuer, timeout_s=0.2)
    stopped.set()


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_a_redirect_is_not_followed(issuer: Issuer, status: int) -> None:
    async def respond(request: web.Request) -> web.Response:
        if "again" in request.query:
            return web.json_response({"keys": [published("RS256", "attacker")]})
        return web.Response(status=status, headers={"Location": f"{issuer.url}/keys?again"})

    issuer.handler = respond
    with pytest.raises(JwksError, match=f"returned status {status}"):
        await read(issuer)
    assert issuer.reads == 1


async def test_a_refused_connection_is_reported(issuer: Issuer) -> None:
    with pytest.raises(JwksError, match="ClientConnectorError"):
        await read(issuer, jwks_url="http://127.0.0.1:9/keys")
