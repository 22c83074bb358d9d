"""Whose tokens are good, and what becomes of everybody else. Each attack meets the running server, twice over."""

import json

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from auth.tokens import SecretKey, TokenRules, TokenVerifier
from services.errors import TokenInvalid
from services.settings import load_settings
from tests.security.closing import refused
from tests.security.conftest import Site
from tests.security.forgeries import FORGERIES, RSA_KEY, encoded
from tests.security.issuer import Issuer, key_of, long_ago
from tests.support import tokens
from tests.support.api_client import LIST, Client, open_stream

pytestmark = pytest.mark.asyncio(loop_scope="module")

EXPIRED = "Your session has expired. Sign in again."
INVALID = "Your sign-in is not valid here. Sign in again."


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
async def test_a_good_token_opens_both_doors(site: Site, issuer: Issuer, algorithm: str) -> None:
    client = site.client(issuer.token(algorithm, algorithm=algorithm))
    render_id = await client.started()
    assert await site.services.store.get(render_id, owner=f"{issuer.url} {algorithm}") is not None
    token = client.websocket_params.pop("Authorization")
    for name in ("Authorization", "authorization"):
        client.websocket_params = {name: token}
        async with open_stream(client) as stream:
            await stream.subscribe(LIST)
            (edge,) = (await stream.next())["edges"]
            assert edge["node"]["id"] == render_id


@pytest.mark.parametrize("name", FORGERIES)
async def test_a_forged_token_opens_neither_door_and_nobody_is_told_why(site: Site, issuer: Issuer, name: str) -> None:
    forged = site.client(FORGERIES[name](issuer))
    error = await forged.error(LIST)
    assert (error["message"], error["extensions"]) == (INVALID, {"code": "UNAUTHENTICATED"})
    assert await refused(forged) == (4403, INVALID)
    assert await site.client(issuer.token("carol")).listed() == []


async def test_an_expired_token_opens_neither_door_and_says_so(site: Site, issuer: Issuer) -> None:
    client = site.client(issuer.token(exp=long_ago()))
    error = await client.error(LIST)
    assert (error["message"], error["extensions"]) == (EXPIRED, {"code": "UNAUTHENTICATED"})
    assert await refused(client) == (4403, EXPIRED)


async def test_whether_a_token_has_expired_is_told_to_nobody_who_made_it_up(site: Site, issuer: Issuer) -> None:
    claims = issuer.claims(exp=long_ago())
    token = jwt.encode(claims, key_of("RS256", "attacker"), "RS256", headers={"kid": RSA_KEY})
    assert (await site.client(token).error(LIST))["message"] == INVALID


async def test_one_of_several_audiences_and_the_end_of_time_are_good(site: Site, issuer: Issuer) -> None:
    for exp in (253_402_300_799, 10**30):
        assert await site.client(issuer.token("dave", aud=["another API", "rendercast"], exp=exp)).listed() == []


async def test_a_token_without_a_key_id_is_by_the_only_key_for_its_algorithm(site: Site, issuer: Issuer) -> None:
    token = jwt.encode(issuer.claims("erin"), key_of("RS256", RSA_KEY), "RS256")
    assert await site.client(token).listed() == []


@pytest.mark.parametrize("scheme", ["bearer", "BEARER", "Bearer   "])
async def test_the_scheme_is_known_however_it_is_written(site: Site, issuer: Issuer, scheme: str) -> None:
    assert await answer(site, ("Authorization", f"{scheme} {issuer.token()}")) is None


@pytest.mark.parametrize("scheme", ["Basic", "Token", "JWT", "Bearer,", "Bearer\t", "Bearer Bearer"])
async def test_other_schemes_are_refused(site: Site, issuer: Issuer, scheme: str) -> None:
    assert await answer(site, ("Authorization", f"{scheme} {issuer.token()}")) == INVALID


async def test_two_tokens_are_as_good_as_none(site: Site, issuer: Issuer) -> None:
    ann, bob = (("Authorization", f"Bearer {issuer.token(name)}") for name in ("ann", "bob"))
    assert await answer(site, ann, bob) == INVALID
    client = site.client(issuer.token("ann"))
    client.websocket_params["authorization"] = f"Bearer {issuer.token('bob')}"
    assert await refused(client) == (4403, INVALID)


async def test_a_token_is_read_nowhere_else(site: Site, issuer: Issuer) -> None:
    token = issuer.token()
    for header in (("Cookie", f"Authorization=Bearer {token}"), ("X-Authorization", f"Bearer {token}")):
        assert await answer(site, header) == "Sign in to do this."
    url = f"/graphql?access_token={token}"
    response = await site.http.post(url, json={"query": "{ renderQuota { limit } }"})
    assert response.json()["errors"][0]["message"] == "Sign in to do this."


async def test_a_header_of_the_handshake_lets_nobody_in(site: Site, issuer: Issuer) -> None:
    header = {"Authorization": f"Bearer {issuer.token()}"}
    assert await refused(site.client(None), additional_headers=header) == (4403, "Sign in to do this.")


@pytest.mark.parametrize("value", [7, ["Bearer x.y.z"], {"Bearer": "x"}, True, "", "x.y.z"])
async def test_a_parameter_that_is_no_bearer_token_is_refused(site: Site, value: object) -> None:
    client = Client(site.http)
    client.websocket_params = {"Authorization": value}
    assert await refused(client) == (4403, INVALID)


async def test_what_needs_no_caller_is_told_to_everybody(site: Site) -> None:
    for token in (None, "not.a.token"):
        assert await site.client(token).ask("{ renderLimits { fps } }") == {"fps": 30}


async def answer(site: Site, *headers: tuple[str, str]) -> str | None:
    """Return the message of the one error that a request with these headers gets; None if it gets none."""
    response = await site.http.post("/graphql", json={"query": "{ renderQuota { limit } }"}, headers=list(headers))
    errors = response.json().get("errors", [])
    return errors[0]["message"] if errors else None


def verifier() -> TokenVerifier:
    settings = load_settings(jwt_secret=tokens.SECRET)
    assert settings.auth.jwt_secret is not None
    return TokenVerifier(TokenRules.from_settings(settings.auth), SecretKey(settings.auth.jwt_secret))


@given(header=st.binary() | st.recursive(st.none() | st.integers() | st.text(), st.lists), rest=st.binary())
async def test_nonsense_is_never_more_than_invalid(header: object, rest: bytes) -> None:
    first = header if isinstance(header, bytes) else json.dumps({"alg": "HS256", "kid": header}).encode()
    with pytest.raises(TokenInvalid):
        await verifier().verify(f"{encoded(first)}.{encoded(rest)}.{encoded(rest[:32])}")


async def test_the_secret_signs_hs256_and_nothing_else() -> None:
    assert (await verifier().verify(tokens.token_of("ann"))).caller.id.endswith(" ann")
    for algorithm in ("HS384", "HS512"):
        with pytest.raises(TokenInvalid):
            await verifier().verify(jwt.encode(tokens.claims("ann"), tokens.SECRET * 2, algorithm))
