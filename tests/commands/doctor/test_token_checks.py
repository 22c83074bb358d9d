"""`rendercast doctor --token -` explains one token with the server's settings."""

import json

import jwt
import pytest
from typer.testing import CliRunner, Result

import cli
from tests.support import tokens


@pytest.fixture(autouse=True)
def with_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RENDERCAST_JWT_SECRET", tokens.SECRET)


def explained(text: str, *options: str) -> Result:
    return CliRunner().invoke(cli.cli, ["doctor", "--token", "-", *options], input=text)


@pytest.mark.parametrize("form", ["{}", "{}\n", "  Bearer {}\r\n"])
def test_a_valid_token_is_explained_by_its_user(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RENDERCAST_OPERATOR_SCOPE", "all")
    for claims, role in (({}, "no operator"), ({"scope": "all"}, "an operator")):
        result = explained(form.format(tokens.token_of("ann", **claims)))
        assert f"Its user is 'rendercast ann', {role}." in result.output
        assert result.exit_code == 0


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        (tokens.token_of("ann", aud="web"), "its claim aud is 'web', expected 'rendercast'."),
        (
            tokens.token_of("ann", exp=1_700_000_000),
            "its claim exp is 1700000000 (2023-11-14T22:13:20+00:00), expect",
        ),
        (
            jwt.encode(tokens.claims("ann"), 2 * tokens.SECRET, "HS256"),
            "its signature is not by a secret or key of rendercast.",
        ),
        ("nonsense", "it is not a JSON Web Token."),
        ("", "A token has 1 to 32768 characters; 0 were given."),
        ("x" * 40_000, "A token has 1 to 32768 characters; 40000 were given."),
    ],
)
def test_an_invalid_token_is_explained_by_the_claim_and_not_repeated(token: str, reason: str) -> None:
    result = explained(token, "--json")
    last = json.loads(result.stdout.splitlines()[-1])
    assert (last["check"], last["result"]) == ("token", "WRONG")
    assert reason in last["message"]
    assert result.exit_code == 1
    assert not token or token not in result.output


def test_an_unavailable_issuer_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RENDERCAST_JWT_SECRET")
    monkeypatch.setenv("RENDERCAST_JWT_ISSUER", "http://127.0.0.1:9")
    monkeypatch.setenv("RENDERCAST_JWT_ALGORITHMS", "RS256,ES256,PS256")
    header = "eyJhbGciOiJSUzI1NiIsImtpZCI6ImtleSJ9"
    claims = "eyJpc3MiOiJodHRwOi8vMTI3LjAuMC4xOjkifQ"
    result = explained(f"{header}.{claims}.AAAA")
    assert "The issuer's keys can't be read" in result.output
    assert result.exit_code == 1


def test_a_token_among_the_arguments_is_rejected() -> None:
    result = CliRunner().invoke(cli.cli, ["doctor", "--token", tokens.token_of("ann")])
    assert result.exit_code == 2
    assert "visible to others" in result.output
