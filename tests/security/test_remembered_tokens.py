"""A token that was good is not good for ever: what is remembered of it ends with its time and with its key."""

import asyncio
import time

import jwt
import pytest
from pydantic import SecretStr

from auth.jwks import JwkSet, usable_keys
from auth.tokens import SecretKey, TokenRules, TokenVerifier
from services.errors import TokenExpired, TokenInvalid
from tests.security.issuer import key_of, published
from tests.support import tokens
from tests.support.api_client import PATIENCE_S, RETRY_S


class Published:
    """An issuer's keys, all of one name."""

    def __init__(self, *names: str) -> None:
        self.publish(*names)

    def publish(self, *names: str) -> None:
        keys = [published("RS256", name, kid="the key") for name in names]
        self._keys = usable_keys(JwkSet(keys=keys), ("RS256",))

    async def find(self, key_id: str | None, algorithm: str) -> jwt.PyJWK | None:
        return self._keys.get((key_id, algorithm))


def by(name: str) -> str:
    return jwt.encode(tokens.claims("ann"), key_of("RS256", name), "RS256", headers={"kid": "the key"})


def rules(algorithm: str, *, leeway_s: int = 0) -> TokenRules:
    return TokenRules(algorithms=(algorithm,), issuer="rendercast", audience="rendercast", leeway_s=leeway_s)


def signed_by_secret() -> SecretKey:
    return SecretKey(SecretStr(tokens.SECRET))


async def test_a_token_is_good_as_long_as_its_key_is() -> None:
    keys = Published("old")
    verifier = TokenVerifier(rules("RS256"), keys)
    for _ in range(3):
        assert (await verifier.verify(by("old"))).caller.id == "rendercast ann"
    keys.publish("old")  # read again, unchanged
    assert (await verifier.verify(by("old"))).caller.id == "rendercast ann"
    keys.publish("new")
    with pytest.raises(TokenInvalid):
        await verifier.verify(by("old"))
    assert (await verifier.verify(by("new"))).caller.id == "rendercast ann"
    keys.publish()
    with pytest.raises(TokenInvalid):
        await verifier.verify(by("new"))


async def test_a_remembered_token_expires() -> None:
    verifier = TokenVerifier(rules("HS256", leeway_s=1), signed_by_secret())
    token = tokens.token_of("ann", exp=int(time.time()) + 1)
    with pytest.raises(TokenExpired):
        await _use_for_ever(verifier, token)


async def _use_for_ever(verifier: TokenVerifier, token: str) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while True:
            await verifier.verify(token)
            await asyncio.sleep(RETRY_S)


async def test_a_token_that_differs_in_anything_is_verified_anew() -> None:
    verifier, token = TokenVerifier(rules("RS256"), Published("old")), by("old")
    assert (await verifier.verify(token)).caller.id == "rendercast ann"
    for place in range(len(token)):
        other = "A" if token[place] != "A" else "B"
        with pytest.raises(TokenInvalid):
            await verifier.verify(token[:place] + other + token[place + 1 :])


async def test_what_is_remembered_is_bounded() -> None:
    verifier = TokenVerifier(rules("HS256"), signed_by_secret(), most_remembered=10)
    for n in range(30):
        assert (await verifier.verify(tokens.token_of(f"user-{n}"))).caller.id == f"rendercast user-{n}"
    assert len(verifier._remembered) == 10
