"""Token rules follow the settings."""

import time
from collections.abc import Mapping

import jwt
import pytest

from auth.jwks import JwkSet, KeySet, usable_keys
from auth.rules import TokenRules, read_token_rules
from auth.tokens import TokenVerifier, TrustedIssuer
from services.errors import TokenExpired, TokenInvalid
from services.settings import load_settings
from tests.security.issuer import key_of, published
from tests.support import tokens

ISSUER = "https://issuer.test"
LEEWAY_S = 300
DEFAULTS: Mapping[str, object] = {}
WITHIN_S, BEYOND_S = 100, 1000  # differ from the leeway by more than a test's duration


class IssuerKeys:
    """An issuer's keys: one for each of two algorithms, if the rules allow it."""

    def __init__(self, rules: TokenRules) -> None:
        both = [published(algorithm, algorithm) for algorithm in ("RS256", "ES256")]
        self._keys: KeySet = usable_keys(JwkSet(keys=both), rules.algorithms)

    def known_key(self, key_id: str | None, algorithm: str) -> jwt.PyJWK | None:
        return self._keys.get((key_id, algorithm))

    async def get_key(self, key_id: str | None, algorithm: str) -> jwt.PyJWK | None:
        return self.known_key(key_id, algorithm)


async def subject(
    algorithm: str = "RS256", *, settings: Mapping[str, object] = DEFAULTS, claims: Mapping[str, object] = DEFAULTS
) -> str:
    """Return the subject of a token with these claims, verified with these settings."""
    given = {"jwt_issuer": ISSUER, "jwt_leeway_s": LEEWAY_S, **settings}
    [rules] = read_token_rules(load_settings(**given).auth)
    token_claims = tokens.claims("ann", **{"iss": ISSUER, **claims})
    token = jwt.encode(token_claims, key_of(algorithm, algorithm), algorithm, headers={"kid": algorithm})
    verifier = TokenVerifier([TrustedIssuer(rules=rules, keys=IssuerKeys(rules))])
    return (await verifier.verify(token)).caller.id.removeprefix(f"{rules.issuer} ")


@pytest.mark.parametrize("allowed", ["RS256", "ES256", "RS256,ES256"])
async def test_a_token_must_be_signed_by_an_allowed_algorithm(allowed: str) -> None:
    for algorithm in ("RS256", "ES256"):
        if algorithm in allowed.split(","):
            assert await subject(algorithm, settings={"jwt_algorithms": allowed}) == "ann"
        else:
            with pytest.raises(TokenInvalid):
                await subject(algorithm, settings={"jwt_algorithms": allowed})


async def test_a_token_must_be_for_the_configured_audience() -> None:
    assert await subject(settings={"jwt_audience": "videos"}, claims={"aud": ["videos", "mail"]}) == "ann"
    with pytest.raises(TokenInvalid):
        await subject(settings={"jwt_audience": "videos"})


async def test_a_token_must_be_from_the_configured_issuer() -> None:
    with pytest.raises(TokenInvalid):
        await subject(settings={"jwt_issuer": "https://another.test"})


@pytest.mark.parametrize("claim", ["nbf", "iat"])
async def test_the_issuers_clock_may_be_ahead_by_the_leeway(claim: str) -> None:
    now = int(time.time())
    assert await subject(claims={claim: now + WITHIN_S}) == "ann"
    with pytest.raises(TokenInvalid):
        await subject(claims={claim: now + BEYOND_S})
    with pytest.raises(TokenInvalid):
        await subject(settings={"jwt_leeway_s": 0}, claims={claim: now + WITHIN_S})


async def test_a_token_is_valid_for_the_leeway_after_its_expiry() -> None:
    now = int(time.time())
    assert await subject(claims={"exp": now - WITHIN_S}) == "ann"
    with pytest.raises(TokenExpired):
        await subject(claims={"exp": now - BEYOND_S})
    with pytest.raises(TokenExpired):
        await subject(settings={"jwt_leeway_s": 0}, claims={"exp": now - WITHIN_S})
