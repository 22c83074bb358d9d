"""The issuer's keys: the cache, and the selection of usable keys."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from auth.jwks import (
    MAX_WAITING,
    MIN_REFRESH_INTERVAL_S,
    REFRESH_INTERVAL_S,
    RETRY_INTERVAL_S,
    TIMEOUT_S,
    JwksCache,
    JwksError,
    JwkSet,
    KeySet,
    usable_keys,
)
from services.errors import IssuerUnavailable
from tests.security.issuer import published
from tests.support.fake_clock import FakeClock, settle

ALGORITHMS = ("RS256", "ES256", "EdDSA")
OLD, NEW = published("RS256", "old"), published("RS256", "new")


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


async def test_an_unknown_key_is_not_rejected_while_the_issuer_is_unavailable() -> None:
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
