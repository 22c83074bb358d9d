"""The cache of valid tokens: a token is removed when it expires or its key is withdrawn."""

import asyncio
import time

import jwt
import pytest
from pydantic import SecretStr

from auth.jwks import JwkSet, usable_keys
from auth.rules import TokenRules
from auth.tokens import KeySource, SecretKey, TokenVerifier, TrustedIssuer
from services.errors import TokenExpired, TokenInvalid
from tests.security.issuer import key_of, published
from tests.support import tokens
from tests.support.api_client import RETRY_S, TEST_TIMEOUT_S


class ChangingKeys:
    """An issuer's keys, all with the same key id, which a test can replace."""

    def __init__(self, *names: str) -> None:
        self.publish(*names)

    def publish(self, *names: str) -> None:
        keys = [published("RS256", name, kid="the key") for name in names]
        self._keys = usable_keys(JwkSet(keys=keys), ("RS256",))

    def known_key(self, key_id: str | None, algorithm: str) -> jwt.PyJWK | None:
        return self._keys.get((key_id, algorithm))

    async def get_key(self, key_id: str | None, algorithm: str) -> jwt.PyJWK | None:
        return self.known_key(key_id, algorithm)


def signed_by(name: str) -> str:
    return jwt.encode(tokens.claims("ann"), key_of("RS256", name), "RS256", headers={"kid": "the key"})


def rules(algorithm: str, *, leeway_s: int = 0) -> TokenRules:
    audiences = frozenset({"rendercast"})
    return TokenRules(algorithms=(algorithm,), issuer="rendercast", audiences=audiences, leeway_s=leeway_s)


def verifier_of(rules: TokenRules, keys: KeySource, *, max_cached: int = 100) -> TokenVerifier:
    return TokenVerifier([TrustedIssuer(rules=rules, keys=keys)], max_cached=max_cached)


def secret_key() -> SecretKey:
    return SecretKey(SecretStr(tokens.SECRET))


async def test_a_token_is_valid_while_its_key_is_published() -> None:
    keys = ChangingKeys("old")
    verifier = verifier_of(rules("RS256"), keys)
    for _ in range(3):
        assert (await verifier.verify(signed_by("old"))).caller.id == "rendercast ann"
    keys.publish("old")  # the same key, read again
    assert (await verifier.verify(signed_by("old"))).caller.id == "rendercast ann"
    keys.publish("new")
    with pytest.raises(TokenInvalid):
        await verifier.verify(signed_by("old"))
    assert (await verifier.verify(signed_by("new"))).caller.id == "rendercast ann"
    keys.publish()
    with pytest.raises(TokenInvalid):
        await verifier.verify(signed_by("new"))


async def test_a_cached_token_expires() -> None:
    verifier = verifier_of(rules("HS256", leeway_s=1), secret_key())
    token = tokens.token_of("ann", exp=int(time.time()) + 1)
    with pytest.raises(TokenExpired):
        await _verify_until_rejected(verifier, token)


async def _verify_until_rejected(verifier: TokenVerifier, token: str) -> None:
    async with asyncio.timeout(TEST_TIMEOUT_S):
        while True:
            await verifier.verify(token)
            await asyncio.sleep(RETRY_S)


async def test_a_token_that_differs_in_one_character_is_not_found_in_the_cache() -> None:
    verifier, token = verifier_of(rules("RS256"), ChangingKeys("old")), signed_by("old")
    assert (await verifier.verify(token)).caller.id == "rendercast ann"
    for index in range(len(token)):
        other = "A" if token[index] != "A" else "B"
        with pytest.raises(TokenInvalid):
            await verifier.verify(token[:index] + other + token[index + 1 :])


async def test_the_cache_is_bounded() -> None:
    verifier = verifier_of(rules("HS256"), secret_key(), max_cached=10)
    for n in range(30):
        assert (await verifier.verify(tokens.token_of(f"user-{n}"))).caller.id == f"rendercast user-{n}"
    assert len(verifier._cache) == 10
