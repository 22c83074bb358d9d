"""Checks of a token's claims: RFC 7519, section 4.1, and what identity providers add to them."""

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TypeGuard

from auth.rules import TokenRules

MAX_SUBJECT_LENGTH = 255  # characters; OpenID Connect Core 1.0, section 2
MAX_SHOWN_CHARACTERS = 200
MAX_WEIGHT = 100.0  # of a share of the queue, as of `services.renders.fair_queue`
MAX_DATE_S = 253_402_300_000  # Unix time just before the year 10000, the end of Python's datetime

Claims = Mapping[str, object]


class TokenRejected(Exception):  # noqa: N818  # named for what happened, like the services' errors
    """A token is not accepted. The message says what was found and what was expected; it is not for clients."""


class TokenHasExpired(TokenRejected):
    """A token that was valid has expired."""


def check_claims(claims: Claims, rules: TokenRules, *, now_s: float) -> None:
    """Check the claims of a token whose signature and issuer are verified. Raises `TokenRejected`."""
    _check_tenant(claims, rules)
    _check_audience(claims, rules)
    _check_subject(claims)
    _check_times(claims, rules.leeway_s, now_s)


def expiry_s(claims: Claims, rules: TokenRules) -> int:
    """Return the Unix time until which a token with checked claims is accepted, at most `MAX_DATE_S`."""
    expires_s = claims["exp"]
    return int(min(expires_s, MAX_DATE_S)) + rules.leeway_s if _is_time(expires_s) else 0


def is_operator(claims: Claims, rules: TokenRules) -> bool:
    """Return whether the claims make the user an operator."""
    if rules.operator_scope is None:
        return False
    if rules.operator_claim is None:  # RFC 8693, section 4.2; Okta and Microsoft call it `scp`
        return rules.operator_scope in _words(claims.get("scope", claims.get("scp")))
    found = find_claim(claims, rules.operator_claim)
    return rules.operator_scope in (found if isinstance(found, Mapping) else _words(found))


def weight_of(claims: Claims, rules: TokenRules) -> float:
    """Return the user's share of the queue; 1 unless the claim has a positive number."""
    found = None if rules.weight_claim is None else find_claim(claims, rules.weight_claim)
    if isinstance(found, bool) or not isinstance(found, int | float) or not 0 < found < math.inf:
        return 1.0
    return float(min(found, MAX_WEIGHT))


def find_claim(claims: Claims, path: str) -> object:
    """Return the claim of this name, or the one that its parts between dots lead to; None if there is none.

    Names may contain dots, as URLs do: `https://x.example/roles` is found as a name, `realm_access.roles` as a path.
    """
    if path in claims:
        return claims[path]
    parts = path.split(".")
    for length in range(1, len(parts)):
        inner = claims.get(".".join(parts[:length]))
        if isinstance(inner, Mapping) and (found := find_claim(inner, ".".join(parts[length:]))) is not None:
            return found
    return None


def is_subject(text: str) -> bool:
    """Return whether the text is valid as the `sub` claim of a token."""
    return 0 < len(text) <= MAX_SUBJECT_LENGTH and text.isprintable()


def shown(value: object) -> str:
    """Return a value of a token on one line, shortened if it is long."""
    text = repr(value)
    return text if len(text) <= MAX_SHOWN_CHARACTERS else f"{text[:MAX_SHOWN_CHARACTERS]}…"


def _check_tenant(claims: Claims, rules: TokenRules) -> None:
    """Check that the tenant in `iss` is the claim `tid`, as Microsoft requires of services for several tenants."""
    tenant = rules.tenant_of(str(claims.get("iss")))
    if tenant is not None and claims.get("tid") != tenant:
        raise TokenRejected(f"its claim tid is {shown(claims.get('tid'))}, but the tenant in iss is {tenant!r}")


def _check_audience(claims: Claims, rules: TokenRules) -> None:
    name, value = rules.audience_claim, claims.get(rules.audience_claim)
    found = value if isinstance(value, list) and name == "aud" else [value]
    if rules.audiences.isdisjoint(each for each in found if isinstance(each, str)):
        expected = " or ".join(repr(each) for each in sorted(rules.audiences))
        raise TokenRejected(f"its claim {name} is {shown(value)}, expected {expected}{_audience_hint(claims, rules)}")


def _audience_hint(claims: Claims, rules: TokenRules) -> str:
    others = [name for name in ("aud", "client_id", "azp") if name != rules.audience_claim]
    others = [name for name in others if not rules.audiences.isdisjoint(_words(claims.get(name)))]
    return f"; its claim {others[0]} has that value" if others else ""


def _check_subject(claims: Claims) -> None:
    subject = claims.get("sub")
    if not isinstance(subject, str) or not is_subject(subject):
        raise TokenRejected(
            f"its claim sub is {shown(subject)}, expected 1 to {MAX_SUBJECT_LENGTH} printable characters"
        )


def _check_times(claims: Claims, leeway_s: int, now_s: float) -> None:
    for name in ("nbf", "iat"):
        value = claims.get(name)
        if value is not None and (not _is_time(value) or value > now_s + leeway_s):
            raise TokenRejected(f"its claim {name} is {_shown_time(value)}, expected a time before {_date(now_s)}")
    expires_s = claims.get("exp")
    if not _is_time(expires_s):
        raise TokenRejected(f"its claim exp is {shown(expires_s)}, expected a number")
    if expires_s <= now_s - leeway_s:
        raise TokenHasExpired(f"its claim exp is {_shown_time(expires_s)}, expected a time after {_date(now_s)}")


def _is_time(value: object) -> TypeGuard[int | float]:
    """Return whether the value is a NumericDate: RFC 7519, section 2."""
    is_integer = isinstance(value, int) and not isinstance(value, bool)
    return is_integer or (isinstance(value, float) and math.isfinite(value))


def _shown_time(value: object) -> str:
    return f"{shown(value)} ({_date(value)})" if _is_time(value) else shown(value)


def _date(seconds: float) -> str:
    return datetime.fromtimestamp(max(0, min(seconds, MAX_DATE_S)), UTC).isoformat(timespec="seconds")


def _words(value: object) -> frozenset[str]:
    """Return the words of a text, or the texts of a list."""
    match value:
        case str(text):
            return frozenset(text.split())
        case [*texts]:
            return frozenset(text for text in texts if isinstance(text, str))
        case _:
            return frozenset()
