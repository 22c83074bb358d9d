"""Valid and invalid tokens, each sent to the running server over HTTP and in a WebSocket."""

import json

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from auth.credentials import MAX_TOKEN_LENGTH
from auth.rules import read_token_rules
from auth.tokens import SecretKey, TokenVerifier, TrustedIssuer
from services.errors import TokenInvalid
from services.settings import load_settings
from tests.security.closing import rejected_init
from tests.security.conftest import Site
from tests.security.forgeries import FORGERIES, RSA_KEY, encoded
from tests.security.issuer import Issuer, key_of, long_ago
from tests.support import tokens
from tests.support.api_client import LIST, Client
from tests.support.api_stream import open_stream

pytestmark = pytest.mark.asyncio(loop_scope="module")

EXPIRED = "Your session has expired. Sign in again."
INVALID = "Your sign-in is not valid here. Sign in again."


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
async def test_a_valid_token_is_accepted_over_http_and_websocket(site: Site, issuer: Issuer, algorithm: str) -> None:
    client = site.client(issuer.token(algorithm, algorithm=algorithm))
    render_id = await client.start_render()
    assert await site.services.store.get(render_id, owner=f"{issuer.url} {algorithm}") is not None
    token = client.websocket_params.pop("Authorization")
    for name in ("Authorization", "authorization"):
        client.websocket_params = {name: token}
        async with open_stream(client) as stream:
            await stream.subscribe(LIST)
            (edge,) = (await stream.next())["edges"]
            assert edge["node"]["id"] == render_id


@pytest.mark.parametrize("name", FORGERIES)
async def test_a_forged_token_is_rejected_over_http_and_websocket_without_a_reason(
    site: Site, issuer: Issuer, name: str
) -> None:
    forged = site.client(FORGERIES[name](issuer))
    error = await forged.error(LIST)
    assert (error["message"], error["extensions"]) == (INVALID, {"code": "UNAUTHENTICATED"})
    assert await rejected_init(forged) == (4403, INVALID)
    assert await site.client(issuer.token("carol")).list_renders() == []


async def test_an_expired_token_is_rejected_over_http_and_websocket_as_expired(site: Site, issuer: Issuer) -> None:
    client = site.client(issuer.token(exp=long_ago()))
    error = await client.error(LIST)
    assert (error["message"], error["extensions"]) == (EXPIRED, {"code": "UNAUTHENTICATED"})
    assert await rejected_init(client) == (4403, EXPIRED)


async def test_an_expired_token_with_a_wrong_signature_is_not_reported_as_expired(site: Site, issuer: Issuer) -> None:
    claims = issuer.claims(exp=long_ago())
    token = jwt.encode(claims, key_of("RS256", "attacker"), "RS256", headers={"kid": RSA_KEY})
    assert (await site.client(token).error(LIST))["message"] == INVALID


async def test_several_audiences_and_expiries_beyond_the_year_9999_are_accepted(site: Site, issuer: Issuer) -> None:
    for exp in (253_402_300_799, 10**30):
        assert await site.client(issuer.token("dave", aud=["another API", "rendercast"], exp=exp)).list_renders() == []


async def test_a_token_without_a_key_id_is_verified_by_the_only_key_for_its_algorithm(
    site: Site, issuer: Issuer
) -> None:
    token = jwt.encode(issuer.claims("erin"), key_of("RS256", RSA_KEY), "RS256")
    assert await site.client(token).list_renders() == []


@pytest.mark.parametrize("scheme", ["bearer", "BEARER", "Bearer   "])
async def test_the_scheme_bearer_is_case_insensitive(site: Site, issuer: Issuer, scheme: str) -> None:
    assert await error_message(site, ("Authorization", f"{scheme} {issuer.token()}")) is None


@pytest.mark.parametrize("scheme", ["Basic", "Token", "JWT", "Bearer,", "Bearer\t", "Bearer Bearer"])
async def test_other_schemes_are_rejected(site: Site, issuer: Issuer, scheme: str) -> None:
    assert await error_message(site, ("Authorization", f"{scheme} {issuer.token()}")) == INVALID


async def test_two_tokens_are_rejected(site: Site, issuer: Issuer) -> None:
    ann, bob = (("Authorization", f"Bearer {issuer.token(name)}") for name in ("ann", "bob"))
    assert await error_message(site, ann, bob) == INVALID
    client = site.client(issuer.token("ann"))
    client.websocket_params["authorization"] = f"Bearer {issuer.token('bob')}"
    assert await rejected_init(client) == (4403, INVALID)


async def test_a_token_elsewhere_is_ignored(site: Site, issuer: Issuer) -> None:
    token = issuer.token()
    for header in (("Cookie", f"Authorization=Bearer {token}"), ("X-Authorization", f"Bearer {token}")):
        assert await error_message(site, header) == "Sign in to do this."
    url = f"/graphql?access_token={token}"
    response = await site.http.post(url, json={"query": "{ renderQuota { limit } }"})
    assert response.json()["errors"][0]["message"] == "Sign in to do this."


async def test_the_authorization_header_of_a_handshake_is_used_unless_a_browser_sends_it(
    site: Site, issuer: Issuer
) -> None:
    header = {"Authorization": f"Bearer {issuer.token('frank')}"}
    async with open_stream(site.client(None), additional_headers=header) as stream:
        await stream.subscribe("{ renderQuota { limit } }")
        assert (await stream.next())["limit"] > 0
    from_browser = {**header, "Origin": str(site.http.base_url)}
    assert await rejected_init(site.client(None), additional_headers=from_browser) == (4403, "Sign in to do this.")


async def test_the_parameter_of_a_websocket_precedes_the_header_of_its_handshake(site: Site, issuer: Issuer) -> None:
    valid, forged = (f"Bearer {token}" for token in (issuer.token(), issuer.forged()))
    assert await rejected_init(site.client(issuer.forged()), additional_headers={"Authorization": valid}) == (
        4403,
        INVALID,
    )
    async with open_stream(site.client(issuer.token()), additional_headers={"Authorization": forged}) as stream:
        await stream.subscribe("{ renderQuota { limit } }")
        assert (await stream.next())["limit"] > 0


async def test_a_token_of_32_kib_is_accepted_over_http_and_websocket(site: Site, issuer: Issuer) -> None:
    groups = [f"{number:036}" for number in range(610)]
    token = issuer.token("gina", groups=groups)
    assert 31_000 < len(token) <= MAX_TOKEN_LENGTH
    client = site.client(token)
    assert await client.list_renders() == []
    header = {"Authorization": f"Bearer {token}"}
    for each, headers in ((client, {}), (site.client(None), header)):
        async with open_stream(each, additional_headers=headers) as stream:
            await stream.subscribe(LIST)
            assert (await stream.next())["edges"] == []


@pytest.mark.parametrize("value", [7, ["Bearer x.y.z"], {"Bearer": "x"}, True, "", "x.y.z"])
async def test_a_parameter_that_is_not_a_bearer_token_is_rejected(site: Site, value: object) -> None:
    client = Client(site.http)
    client.websocket_params = {"Authorization": value}
    assert await rejected_init(client) == (4403, INVALID)


async def test_public_fields_need_no_valid_token(site: Site) -> None:
    for token in (None, "not.a.token"):
        assert await site.client(token).execute("{ renderLimits { fps } }") == {"fps": 30}


async def error_message(site: Site, *headers: tuple[str, str]) -> str | None:
    """Return the error message of a query with these headers, None if it succeeds."""
    response = await site.http.post("/graphql", json={"query": "{ renderQuota { limit } }"}, headers=list(headers))
    errors = response.json().get("errors", [])
    return errors[0]["message"] if errors else None


def verifier() -> TokenVerifier:
    settings = load_settings(jwt_secret=tokens.SECRET)
    assert settings.auth.jwt_secret is not None
    [rules] = read_token_rules(settings.auth)
    return TokenVerifier([TrustedIssuer(rules=rules, keys=SecretKey(settings.auth.jwt_secret))])


@given(header=st.binary() | st.recursive(st.none() | st.integers() | st.text(), st.lists), rest=st.binary())
async def test_random_tokens_are_invalid(header: object, rest: bytes) -> None:
    first = header if isinstance(header, bytes) else json.dumps({"alg": "HS256", "kid": header}).encode()
    with pytest.raises(TokenInvalid):
        await verifier().verify(f"{encoded(first)}.{encoded(rest)}.{encoded(rest[:32])}")


async def test_the_secret_verifies_hs256_only() -> None:
    assert (await verifier().verify(tokens.token_of("ann"))).caller.id.endswith(" ann")
    for algorithm in ("HS384", "HS512"):
        with pytest.raises(TokenInvalid):
            await verifier().verify(jwt.encode(tokens.claims("ann"), tokens.SECRET * 2, algorithm))
