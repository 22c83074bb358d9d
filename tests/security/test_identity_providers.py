"""The table of docs/identity.md: each row's settings accept a token of that provider's form, and nothing else."""

import json
import re

import jwt
import pytest

from auth.claims import TokenRejected
from auth.jwks import JwkSet, KeySet, usable_keys
from auth.rules import TokenRules, read_token_rules
from auth.tokens import KeySource, SecretKey, TokenVerifier, TrustedIssuer, VerifiedToken
from services.settings import CHECKOUT, load_settings
from tests.security.forgeries import handmade
from tests.security.providers import PROVIDERS, TENANT, Provider

PAGE = (CHECKOUT / "docs" / "identity.md").read_text(encoding="utf-8")
ROWS = {
    cells[0].strip(): cells
    for cells in (line.strip("|").split("|") for line in PAGE.splitlines() if line.startswith("| ") and "`JWT_" in line)
}
OTHER_TENANT = "9188040d-6c67-4c5b-b112-36a304b66dad"
ANY_TENANT = "Entra ID, any tenant"
WITH_OPERATORS = [name for name, provider in PROVIDERS.items() if provider.operator]


class PublishedKeys:
    """The keys that an issuer has published."""

    def __init__(self, keys: KeySet) -> None:
        self._keys = keys

    def known_key(self, key_id: str | None, algorithm: str) -> jwt.PyJWK | None:
        return self._keys.get((key_id, algorithm))

    async def get_key(self, key_id: str | None, algorithm: str) -> jwt.PyJWK | None:
        return self.known_key(key_id, algorithm)


def settings_of(name: str) -> dict[str, str]:
    """Return the variables in the row of a provider, with their values."""
    found = re.findall(r"`([A-Z_]+)=([^`]+)`", "".join(ROWS[name][1:]))
    assert found
    return {f"RENDERCAST_{variable}": value for variable, value in found}


def keys_of(rules: TokenRules, provider: Provider) -> KeySource:
    for secret in rules.secrets:
        return SecretKey(secret)
    keys = [] if provider.jwk is None else [dict(provider.jwk)]
    return PublishedKeys(usable_keys(JwkSet(keys=keys), rules.algorithms, issuer=rules.issuer))


@pytest.fixture
def verify(monkeypatch: pytest.MonkeyPatch) -> "Verify":
    return Verify(monkeypatch)


class Verify:
    """Verifies tokens with the settings of a provider's row."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch

    async def __call__(self, name: str, token: str, **settings: str) -> VerifiedToken:
        for variable, value in (settings or settings_of(name)).items():
            self._monkeypatch.setenv(variable, value)
        rules = read_token_rules(load_settings().auth)
        trusted = [TrustedIssuer(rules=each, keys=keys_of(each, PROVIDERS[name])) for each in rules]
        return await TokenVerifier(trusted).examine(token)


def test_every_row_has_a_token_and_every_token_a_row() -> None:
    assert list(ROWS) == list(PROVIDERS)


@pytest.mark.parametrize("name", PROVIDERS)
async def test_a_users_token_is_accepted_and_its_user_no_operator(verify: Verify, name: str) -> None:
    provider = PROVIDERS[name]
    caller = (await verify(name, provider.token())).identity.caller
    assert caller.id == f"{provider.claims['iss']} {provider.claims['sub']}"
    assert not caller.is_operator


@pytest.mark.parametrize("name", WITH_OPERATORS)
async def test_an_operators_token_is_recognised(verify: Verify, name: str) -> None:
    provider = PROVIDERS[name]
    assert (await verify(name, provider.token(**provider.operator))).identity.caller.is_operator


@pytest.mark.parametrize("name", PROVIDERS)
@pytest.mark.parametrize("value", [None, "another", ["another"]])
async def test_a_token_of_another_client_is_rejected_with_the_claim(verify: Verify, name: str, value: object) -> None:
    wrong = PROVIDERS[name].wrong
    with pytest.raises(TokenRejected, match=f"its claim {wrong} is {re.escape(repr(value))}, expected '"):
        await verify(name, PROVIDERS[name].token(**{wrong: value}))


@pytest.mark.parametrize("name", PROVIDERS)
async def test_a_token_of_another_issuer_is_rejected_with_the_claim(verify: Verify, name: str) -> None:
    provider = PROVIDERS[name]
    issuer = str(provider.claims["iss"])
    for other in (f"{issuer}/x", issuer[:-1], issuer.upper(), f"https://attacker.test/{issuer}"):
        with pytest.raises(TokenRejected, match=f"its claim iss is {re.escape(repr(other))}, expected '"):
            await verify(name, provider.token(iss=other))


async def test_any_tenant_is_accepted_and_only_with_its_own_id(verify: Verify) -> None:
    entra = PROVIDERS[ANY_TENANT]
    issuer = f"https://login.microsoftonline.com/{OTHER_TENANT}/v2.0"
    caller = (await verify(ANY_TENANT, entra.token(iss=issuer, tid=OTHER_TENANT))).identity.caller
    assert caller.id == f"{issuer} {entra.claims['sub']}"
    for tid in (TENANT, None, 7):
        with pytest.raises(TokenRejected, match="its claim tid is"):
            await verify(ANY_TENANT, entra.token(iss=issuer, tid=tid))
    for tenant in ("common", "{tenantid}", "", f"{OTHER_TENANT}/x", f"x/{OTHER_TENANT}", OTHER_TENANT.upper()):
        token = entra.token(iss=f"https://login.microsoftonline.com/{tenant}/v2.0", tid=tenant)
        with pytest.raises(TokenRejected, match="its claim iss is"):
            await verify(ANY_TENANT, token)


async def test_the_list_of_issuers_on_the_page_accepts_each_form(verify: Verify) -> None:
    [text] = re.findall(r"```json\n(\[.*?)```", PAGE, re.DOTALL)
    settings = {"RENDERCAST_JWT_ISSUERS": json.dumps(json.loads(text))}
    own = PROVIDERS["Entra ID, v2.0 token"]
    assert (await verify(ANY_TENANT, own.token(roles=["Renders.ReadAll"]), **settings)).identity.caller.is_operator
    issuer = f"https://login.microsoftonline.com/{OTHER_TENANT}/v2.0"
    foreign = own.token(iss=issuer, tid=OTHER_TENANT, roles=["Renders.ReadAll"])
    assert not (await verify(ANY_TENANT, foreign, **settings)).identity.caller.is_operator
    cognito = PROVIDERS["Cognito, access token"]
    await verify("Cognito, access token", cognito.token(client_id="IOS"), **settings)
    for name in ("Supabase, signing keys", "Supabase, legacy secret"):
        await verify(name, PROVIDERS[name].token(), **settings)


async def test_a_public_key_is_never_a_secret(verify: Verify) -> None:
    """Both entries have the same issuer: the token's algorithm decides which key verifies it."""
    [text] = re.findall(r"```json\n(\[.*?)```", PAGE, re.DOTALL)
    supabase = PROVIDERS["Supabase, signing keys"]
    assert supabase.jwk is not None
    claims = {**supabase.claims, "exp": 4_000_000_000}
    forged = handmade({"alg": "HS256", "kid": "the key"}, claims, json.dumps(dict(supabase.jwk)).encode())
    with pytest.raises(TokenRejected, match="its signature is not by the key"):
        await verify("Supabase, signing keys", forged, RENDERCAST_JWT_ISSUERS=json.dumps(json.loads(text)))
