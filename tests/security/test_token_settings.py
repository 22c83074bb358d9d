"""Settings of tokens that don't fit together prevent the start, each with one sentence."""

import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path

import jwt
import pytest
from pydantic import SecretStr

from auth.bearer import open_verifier
from auth.claims import weight_of
from auth.rules import TokenRules, read_token_rules
from auth.tokens import SecretKey
from services.errors import StartupError, TokenInvalid
from services.settings import load_settings
from tests.security.forgeries import public_pem
from tests.support import tokens

NEW = "the-new-secret-is-another-one-of-that-length"
ONE, OTHER = "https://one.test", "https://other.test/"
TENANTS = "https://login.test/{tenantid}/v2.0"


def rules(settings: Mapping[str, object]) -> tuple[TokenRules, ...]:
    given = {name: json.dumps(value) if name == "jwt_issuers" else value for name, value in settings.items()}
    return read_token_rules(load_settings(**given).auth)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({}, "set RENDERCAST_JWT_ISSUER, or RENDERCAST_JWT_SECRET if there is none."),
        ({"jwt_issuer": ONE, "jwt_secret": tokens.SECRET}, "set RENDERCAST_JWT_ALGORITHMS=HS256 if the issuer signs"),
        ({"jwt_issuer": ONE, "jwt_issuers": [{"issuer": ONE}]}, "are both set: unset one of them."),
        ({"jwt_secret": tokens.SECRET, "jwt_issuers": [{"issuer": ONE}]}, "move the secret into the entry"),
        ({"jwt_jwks_url": ONE, "jwt_issuers": [{"issuer": ONE}]}, "move the URL into the entry"),
        ({"jwt_issuer": f"{ONE},{OTHER}", "jwt_jwks_url": ONE}, "is for one issuer, but RENDERCAST_JWT_ISSUER has"),
        (
            {"jwt_issuer": f"{ONE},{OTHER}", "jwt_secret": tokens.SECRET, "jwt_algorithms": "HS256"},
            "is of one issuer, but RENDERCAST_JWT_ISSUER has several",
        ),
        (
            {"jwt_issuer": ONE, "jwt_secret": tokens.SECRET, "jwt_algorithms": "HS256", "jwt_jwks_url": ONE},
            "are both set: unset the one that is not used.",
        ),
        (
            {"jwt_issuer": ONE, "jwt_secret": tokens.SECRET, "jwt_algorithms": "HS256,RS256"},
            "is for HS256 only: remove its other algorithms",
        ),
        ({"jwt_issuer": ONE, "jwt_algorithms": "RS256,HS256"}, "needs the issuer's secret"),
        ({"jwt_issuer": f"{ONE}, {ONE}"}, "RENDERCAST_JWT_ISSUER has the issuer https://one.test twice"),
        (
            {"jwt_issuers": [{"issuer": ONE}, {"issuer": ONE, "audience": "other"}]},
            "RENDERCAST_JWT_ISSUERS has the issuer https://one.test twice with the algorithm ES256",
        ),
        (
            {"jwt_issuers": [{"issuer": ONE, "secret": tokens.SECRET, "jwks_url": ONE}]},
            "has a secret and a URL of keys",
        ),
        ({"jwt_issuer": ONE, "operator_claim": "roles"}, "RENDERCAST_OPERATOR_CLAIM needs RENDERCAST_OPERATOR_SCOPE"),
        ({"jwt_issuer": TENANTS, "operator_scope": "x"}, "because each tenant chooses its own operators"),
    ],
)
def test_settings_that_do_not_fit_together_are_one_sentence(settings: Mapping[str, object], words: str) -> None:
    with pytest.raises(StartupError) as caught:
        rules(settings)
    message = str(caught.value)
    assert words in message
    assert message.endswith(".")
    assert "\n" not in message
    assert tokens.SECRET not in message


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ("https://one.test,https://other.test", "is not a JSON list of objects such as"),
        ([], "is not a JSON list of objects"),
        ([ONE], "is not a JSON list of objects"),
        ({"issuer": ONE}, "is not a JSON list of objects"),
        ([{"audience": "x"}], "entry 1 a problem with 'issuer': it is missing."),
        ([{"issuer": ONE}, {"issuer": ONE, "scope": "x"}], "entry 2 a problem with 'scope': the members are issuer,"),
        ([{"issuer": "one.test"}], "problem with 'issuer': it must be the `iss` of its tokens"),
        ([{"issuer": ONE, "audience": []}], "problem with 'audience': it must be a text or a list of texts."),
        ([{"issuer": ONE, "audience": ["x", 7]}], "problem with 'audience'"),
        ([{"issuer": ONE, "audience_claim": "cid"}], "'audience_claim': it must be aud, client_id or azp."),
        ([{"issuer": ONE, "algorithms": ["none"]}], "problem with 'algorithms': it must be one or some of RS256"),
        ([{"issuer": ONE, "jwks_url": "keys"}], "problem with 'jwks_url'"),
        ([{"issuer": ONE, "secret": "hush-4711"}], "problem with 'secret': it must be a text of at least 32"),
        ([{"issuer": ONE, "secret": 4711}], "problem with 'secret'"),
        ([{"issuer": ONE, "operator_scope": "a b"}], "problem with 'operator_scope'"),
        ([{"issuer": ONE, "operator_claim": ""}], "problem with 'operator_claim'"),
    ],
)
def test_a_faulty_list_of_issuers_is_one_sentence_without_its_secrets(entries: object, words: str) -> None:
    text = entries if isinstance(entries, str) else json.dumps(entries)
    with pytest.raises(StartupError) as caught:
        load_settings(jwt_issuers=text)
    message = str(caught.value)
    assert message.startswith("RENDERCAST_JWT_ISSUERS ")
    assert words in message
    assert "4711" not in message


@pytest.mark.parametrize(
    "issuer",
    ["https://{tenantid}.x.test/", "https://x.test/a{tenantid}", "https://x.test/{tenant}", "https://x/{a}{b}"],
)
def test_braces_in_an_issuer_are_rejected_unless_they_are_the_placeholder(issuer: str) -> None:
    with pytest.raises(StartupError, match=r"RENDERCAST_JWT_ISSUER may have \{tenantid\} as one part of its path"):
        load_settings(jwt_issuer=issuer)


def audiences(found: Iterable[TokenRules]) -> list[set[str]]:
    return [set(each.audiences) for each in found]


def test_lists_are_separated_by_commas() -> None:
    found = rules({"jwt_issuer": f"{ONE}, {OTHER}", "jwt_audience": "web, ios"})
    assert [each.issuer for each in found] == [ONE, OTHER]
    assert audiences(found) == [{"web", "ios"}] * 2


def test_an_entry_takes_what_it_leaves_out_from_the_other_variables() -> None:
    entries = [
        {"issuer": ONE},
        {"issuer": OTHER, "audience": ["a", "b"], "audience_claim": "azp", "operator_scope": "x"},
        {"issuer": OTHER, "secret": tokens.SECRET},
    ]
    shared = {"jwt_audience": "web,ios", "jwt_algorithms": "RS256", "operator_scope": "all", "operator_claim": "roles"}
    found = rules({"jwt_issuers": entries, **shared})
    assert audiences(found) == [{"web", "ios"}, {"a", "b"}, {"web", "ios"}]
    assert [each.audience_claim for each in found] == ["aud", "azp", "aud"]
    assert [each.algorithms for each in found] == [("RS256",), ("RS256",), ("HS256",)]
    assert [(each.operator_scope, each.operator_claim) for each in found] == [
        ("all", "roles"),
        ("x", "roles"),
        ("all", "roles"),
    ]


def test_the_list_can_be_read_from_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "issuers.json").write_text(json.dumps([{"issuer": ONE}], indent=2), encoding="utf-8")
    monkeypatch.setenv("RENDERCAST_JWT_ISSUERS_FILE", str(tmp_path / "issuers.json"))
    assert [each.issuer for each in rules({})] == [ONE]


def test_a_public_key_is_no_secret() -> None:
    with pytest.raises(StartupError, match="public key"):
        SecretKey(SecretStr(public_pem().decode()))


@pytest.mark.parametrize(
    "settings",
    [
        {"jwt_secret": f"{tokens.SECRET} {NEW}"},
        {"jwt_secret": f"{NEW} {tokens.SECRET}"},
        {"jwt_issuers": [{"issuer": ONE, "secret": f"{NEW} {tokens.SECRET}"}]},
    ],
)
async def test_during_a_rotation_tokens_of_both_secrets_are_accepted(settings: Mapping[str, object]) -> None:
    given = {name: json.dumps(value) if name == "jwt_issuers" else value for name, value in settings.items()}
    issuer = ONE if "jwt_issuers" in settings else "rendercast"
    claims = tokens.claims("ann", iss=issuer)
    async with open_verifier(load_settings(**given).auth) as verifier:
        for secret in (tokens.SECRET, NEW):
            for _ in range(2):  # the second one is cached
                identity = await verifier.verify(jwt.encode(claims, secret, "HS256"))
                assert identity.caller.id == f"{issuer} ann"
        with pytest.raises(TokenInvalid):
            await verifier.verify(jwt.encode(claims, f"{tokens.SECRET} {NEW}", "HS256"))


def test_each_secret_of_a_rotation_must_be_long_enough() -> None:
    with pytest.raises(StartupError, match=r"JWT_SECRET is too short: 5 characters in a part between spaces"):
        load_settings(jwt_secret=f"short {tokens.SECRET}")


@pytest.mark.parametrize(
    ("claims", "weight"),
    [({"plan": {"share": 2}}, 2.0), ({"plan": {"share": 0.5}}, 0.5), ({"plan": {"share": 10**400}}, 100.0)]
    + [({"plan": {"share": wrong}}, 1.0) for wrong in (0, -1, "4", True, math.nan, math.inf, None)]
    + [({}, 1.0)],
)
def test_a_share_of_the_queue_is_a_positive_number_of_a_claim(claims: Mapping[str, object], weight: float) -> None:
    (with_claim,) = rules({"jwt_issuer": ONE, "weight_claim": "plan.share"})
    (without,) = rules({"jwt_issuer": ONE})
    assert weight_of(claims, with_claim) == weight
    assert weight_of(claims, without) == 1.0
