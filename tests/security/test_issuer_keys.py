"""The issuer's keys: the cache, the selection of usable keys, and the limits of the HTTP client."""

import asyncio
import contextlib
import gzip
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from auth.jwks import (
    MAX_KEYS,
    MAX_RESPONSE_BYTES,
    MAX_WAITING,
    MIN_REFRESH_INTERVAL_S,
    REFRESH_INTERVAL_S,
    RETRY_INTERVAL_S,
    TIMEOUT_S,
    JwksCache,
    JwksClient,
    JwksError,
    JwkSet,
    KeySet,
    open_issuer_session,
    usable_keys,
)
from auth.rules import TokenRules
from services.errors import IssuerUnavailable
from tests.security.issuer import Issuer, open_issuer, published
from tests.support.fake_clock import FakeClock, settle

ALGORITHMS = ("RS256", "ES256", "EdDSA")
OLD, NEW = published("RS256", "old"), published("RS256", "new")


def rules(issuer: str = "", jwks_url: str | None = None) -> TokenRules:
    audiences = frozenset({"rendercast"})
    return TokenRules(issuer=issuer, audiences=audiences, algorithms=ALGORITHMS, leeway_s=0, jwks_url=jwks_url)


class FakeIssuer:
    """An issuer's keys, and how often they were read. `keys` is None while the issuer is unavailable."""

    def __init__(self, *keys: dict[str, Any]) -> None:
        self.keys: tuple[dict[str, Any], ...] | None = keys
        self.reads = 0

    async def read(self) -> KeySet:
        self.reads += 1
        await asyncio.sleep(0)
        if self.keys is None:
            raise JwksError("connection refused")
        return usable_keys(JwkSet(keys=list(self.keys)), ALGORITHMS)


@contextlib.asynccontextmanager
async def open_cache(source: FakeIssuer, clock: FakeClock) -> AsyncIterator[JwksCache]:
    keys = JwksCache(source.read, clock)
    loop = asyncio.create_task(keys.run())
    await settle()
    yield keys
    loop.cancel()


async def test_the_first_requests_wait_for_the_first_refresh() -> None:
    keys = JwksCache(FakeIssuer(OLD).read, FakeClock())
    lookup = asyncio.create_task(keys.get_key("old", "RS256"))
    await settle()
    loop = asyncio.create_task(keys.run())
    assert await lookup is not None
    loop.cancel()


async def test_new_keys_are_found_and_withdrawn_keys_are_removed() -> None:
    source, clock = FakeIssuer(OLD), FakeClock()
    async with open_cache(source, clock) as keys:
        source.keys = (OLD, NEW)
        lookup = asyncio.create_task(keys.get_key("new", "RS256"))  # the last refresh is too recent
        await clock.advance(MIN_REFRESH_INTERVAL_S)
        assert await lookup is not None
        source.keys = (NEW,)
        await clock.advance(REFRESH_INTERVAL_S)
        assert keys.known_key("old", "RS256") is None
        assert source.reads == 3


async def test_a_flood_of_unknown_keys_causes_one_refresh_per_minimal_interval() -> None:
    source, clock = FakeIssuer(OLD), FakeClock()
    async with open_cache(source, clock) as keys:
        for reads in range(2, 6):
            lookups = [asyncio.create_task(keys.get_key(f"{n}", "RS256")) for n in range(1000)]
            await clock.advance(MIN_REFRESH_INTERVAL_S)
            results = await asyncio.gather(*lookups, return_exceptions=True)
            assert results[:MAX_WAITING] == [None] * MAX_WAITING
            assert {type(result) for result in results[MAX_WAITING:]} == {IssuerUnavailable}
            assert source.reads == reads


async def test_a_key_published_during_a_refresh_is_found_by_the_next_one() -> None:
    source, clock, started, go_on = FakeIssuer(OLD), FakeClock(), asyncio.Event(), asyncio.Event()

    async def read() -> KeySet:
        found = await source.read()
        started.set()
        await go_on.wait()
        return found

    keys = JwksCache(read, clock)
    loop = asyncio.create_task(keys.run())
    await started.wait()
    source.keys = (OLD, NEW)
    lookup = asyncio.create_task(keys.get_key("new", "RS256"))
    await settle()
    go_on.set()
    await clock.advance(MIN_REFRESH_INTERVAL_S)
    assert await lookup is not None
    loop.cancel()


async def test_an_unknown_key_is_not_refused_while_the_issuer_is_unavailable() -> None:
    source, clock = FakeIssuer(OLD), FakeClock()
    async with open_cache(source, clock) as keys:
        source.keys = None
        lookup = asyncio.create_task(keys.get_key("new", "RS256"))
        await clock.advance(MIN_REFRESH_INTERVAL_S)
        with pytest.raises(IssuerUnavailable):
            await lookup
        assert await keys.get_key("old", "RS256") is not None


async def test_a_request_for_an_unknown_key_does_not_wait_longer_than_the_limit() -> None:
    clock = FakeClock()
    keys = JwksCache(FakeIssuer(OLD).read, clock)  # its loop does not run
    lookup = asyncio.create_task(keys.get_key("new", "RS256"))
    await settle()
    await clock.advance(MIN_REFRESH_INTERVAL_S + 2 * TIMEOUT_S)
    with pytest.raises(IssuerUnavailable):
        await lookup


async def test_known_keys_are_returned_at_once_while_the_issuer_is_unavailable() -> None:
    source, clock = FakeIssuer(OLD), FakeClock()
    async with open_cache(source, clock) as keys:
        source.keys = None
        await clock.advance(10 * REFRESH_INTERVAL_S)
        assert source.reads > 10
        assert await keys.get_key("old", "RS256") is not None
        source.keys = (NEW,)
        await clock.advance(RETRY_INTERVAL_S)
        assert keys.known_key("old", "RS256") is None
        assert await keys.get_key("new", "RS256") is not None


async def test_before_the_first_refresh_the_issuer_is_reported_as_unavailable(caplog: pytest.LogCaptureFixture) -> None:
    source, clock = FakeIssuer(), FakeClock()
    source.keys = None
    async with open_cache(source, clock) as keys:
        for reads in range(2, 5):
            lookup = asyncio.create_task(keys.get_key("old", "RS256"))
            await clock.advance(MIN_REFRESH_INTERVAL_S)
            with pytest.raises(IssuerUnavailable):
                await lookup
            assert source.reads == reads
        source.keys = (OLD,)
        await clock.advance(RETRY_INTERVAL_S)
        assert await keys.get_key("old", "RS256") is not None
    assert "the issuer's keys could not be read: connection refused" in caplog.text


@pytest.mark.parametrize(
    "unusable",
    [
        {"kty": "oct", "k": "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0", "kid": "x", "alg": "HS256"},
        {"kty": "oct", "k": "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0", "kid": "x", "alg": "RS256"},
        published("RS256", "x", use="enc"),
        published("RS256", "x", key_ops=["encrypt"]),
        published("RS256", "x", key_ops="verify"),
        published("RS256", "x", alg="PS256"),
        published("RS256", "x", alg="none"),
        published("RS256", "x", alg=["RS256"]),
        published("RS256", "x", kid=7),
        published("RS256", "x", n=None),
        published("RS256", "x", n="!"),
        published("RS256", "x", n="AQAB"),
        published("RS256", "x", d="AQAB"),
        published("ES256", "x", alg="ES384"),
        published("ES256", "x", crv="P-384", alg=None),
        published("ES256", "x", crv=["P-256"]),
        published("ES256", "x", y="AAAA"),
        published("ES384", "x"),
        published("EdDSA", "x", kty="EC"),
        published("EdDSA", "x", x="AAAA"),
        {"kty": "RSA"},
        {"kty": ["RSA"]},
        {},
    ],
)
def test_an_unusable_key_is_skipped(unusable: dict[str, Any]) -> None:
    assert set(usable_keys(JwkSet(keys=[unusable, OLD]), ALGORITHMS)) == {("old", "RS256")}


def test_a_key_without_alg_is_used_for_the_allowed_algorithms_of_its_type() -> None:
    keys = [published("RS256", "x", alg=None), published("ES256", "y", alg=None, use=None), published("EdDSA", "z")]
    found = usable_keys(JwkSet(keys=keys), ("RS256", "PS384", "ES256"))
    assert set(found) == {("x", "RS256"), ("x", "PS384"), ("y", "ES256")}
    assert {name: key.algorithm_name for (_, name), key in found.items()} == {n: n for _, n in found}


def test_a_key_that_microsoft_publishes_for_another_issuer_is_skipped() -> None:
    pattern, other = (
        "https://login.test/{tenantid}/v2.0",
        "https://login.test/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0",
    )
    keys = [published("RS256", "all", issuer=pattern), published("RS256", "one", issuer=other), OLD]
    by_issuer = {pattern: {"all", "old"}, other: {"all", "one", "old"}, "https://login.test/x/v2.0": {"all", "old"}}
    for issuer, expected in by_issuer.items():
        found = usable_keys(JwkSet(keys=keys), ALGORITHMS, issuer=issuer)
        assert {key_id for key_id, _ in found} == expected


def test_of_two_keys_with_the_same_id_the_first_is_used() -> None:
    first, second = published("RS256", "x"), published("RS256", "y", kid="x")
    (key,) = usable_keys(JwkSet(keys=[first, second]), ALGORITHMS).values()
    assert key._jwk_data == first


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
async def test_a_configuration_of_another_issuer_or_with_an_invalid_url_is_refused(
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
        json.dumps({"keys": [OLD] * (MAX_KEYS + 1)}).encode(),
        b'{"keys": [], "x": "' + b"x" * MAX_RESPONSE_BYTES + b'"}',
    ],
    ids=lambda body: repr(body[:20]),
)
async def test_an_invalid_or_large_response_is_refused(issuer: Issuer, body: bytes) -> None:
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
