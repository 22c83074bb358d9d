"""What the settings require of users' tokens: one `TokenRules` for each issuer."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

from pydantic import SecretStr

from services.errors import StartupError
from services.settings import AuthSettings, variable
from services.settings.issuers import SECRET_ALGORITHM, IssuerSettings, split_secrets
from services.settings.values import TENANT, items

OWN_ISSUER = "rendercast"  # the `iss` of tokens signed with the secret where there is no issuer
TENANT_ID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"  # Microsoft Entra's are UUIDs in lower case


@dataclass(frozen=True, kw_only=True)
class TokenRules:
    """What a valid token of one issuer contains, and what makes its user an operator.

    `issuer` may have the placeholder `TENANT`: it then matches that part of the token's `iss`, which must be the
    token's `tid`. A token needs one of `audiences` in the claim `audience_claim`. Tokens are signed with one of
    `secrets`, or if there is none with the issuer's keys, read from `jwks_url` or found by its OpenID configuration. A
    user is an operator if `operator_scope` is in `operator_claim`, by default `scope` or `scp`. `weight_claim`
    has the user's share of the queue.
    """

    issuer: str
    audiences: frozenset[str]
    algorithms: tuple[str, ...]
    leeway_s: int
    audience_claim: str = "aud"
    jwks_url: str | None = None
    secrets: tuple[SecretStr, ...] = ()
    operator_scope: str | None = None
    operator_claim: str | None = None
    weight_claim: str | None = None

    def tenant_of(self, issuer: str) -> str | None:
        """Return the tenant id in a token's `iss`; None if `iss` is another issuer's, or the issuer has no tenants."""
        found = self._pattern.fullmatch(issuer) if self.has_tenants else None
        return found[1] if found else None

    def matches(self, issuer: str) -> bool:
        """Return whether a token's `iss` is this issuer."""
        return issuer == self.issuer if not self.has_tenants else self.tenant_of(issuer) is not None

    @property
    def has_tenants(self) -> bool:
        """Whether the issuer stands for many tenants, which share their keys."""
        return TENANT in self.issuer

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        before, _, after = self.issuer.partition(TENANT)
        return re.compile(f"{re.escape(before)}({TENANT_ID}){re.escape(after)}")


def read_token_rules(settings: AuthSettings) -> tuple[TokenRules, ...]:
    """Return the rules of all issuers. Raises `StartupError` for settings that don't fit together."""
    _check_sources(settings)
    if settings.jwt_issuers is not None:
        rules = tuple(_rules_of_entry(entry, settings) for entry in settings.issuers)
    elif settings.jwt_issuer is not None:
        rules = tuple(_rules_of_variables(issuer, settings) for issuer in items(settings.jwt_issuer))
    else:
        rules = (_rules_of_variables(OWN_ISSUER, settings),)
    for problem in _problems(rules, settings):
        raise StartupError(problem)
    return rules


def _check_sources(settings: AuthSettings) -> None:
    issuer, issuers, secret = (variable(name) for name in ("jwt_issuer", "jwt_issuers", "jwt_secret"))
    one, many, key = settings.jwt_issuer, settings.jwt_issuers, settings.jwt_secret
    if one is None and many is None and key is None:
        raise StartupError(
            f"`rendercast serve` needs the issuer of its users' tokens: set {issuer}, or {secret} if there is none."
        )
    if many is not None and one is not None:
        raise StartupError(f"{issuer} and {issuers} are both set: unset one of them.")
    if many is not None and key is not None:
        raise StartupError(f"{issuers} and {secret} are both set: move the secret into the entry of its issuer.")
    if many is not None and settings.jwt_jwks_url is not None:
        raise StartupError(f"{issuers} and {variable('jwt_jwks_url')} are both set: move the URL into the entry.")
    if one is not None and key is not None:
        _check_issuer_with_secret(items(one), settings)
    if one is not None and len(items(one)) > 1 and settings.jwt_jwks_url is not None:
        raise StartupError(
            f"{variable('jwt_jwks_url')} is for one issuer, but {issuer} has several: unset it, or use {issuers}."
        )


def _check_issuer_with_secret(issuers: list[str], settings: AuthSettings) -> None:
    issuer, secret, algorithms = (variable(name) for name in ("jwt_issuer", "jwt_secret", "jwt_algorithms"))
    if SECRET_ALGORITHM not in items(settings.jwt_algorithms):
        raise StartupError(
            f"{issuer} and {secret} are both set, but tokens are signed by only one: unset the other, or set "
            f"{algorithms}={SECRET_ALGORITHM} if the issuer signs with the secret."
        )
    if len(issuers) > 1:
        raise StartupError(f"{secret} is of one issuer, but {issuer} has several: use {variable('jwt_issuers')}.")
    if settings.jwt_jwks_url is not None:
        raise StartupError(f"{variable('jwt_jwks_url')} and {secret} are both set: unset the one that is not used.")


def _rules_of_variables(issuer: str, settings: AuthSettings) -> TokenRules:
    is_own = issuer == OWN_ISSUER
    return TokenRules(
        issuer=issuer,
        audiences=frozenset(items(settings.jwt_audience)),
        audience_claim="aud" if is_own else settings.jwt_audience_claim,
        algorithms=(SECRET_ALGORITHM,) if is_own else tuple(items(settings.jwt_algorithms)),
        leeway_s=settings.jwt_leeway_s,
        jwks_url=None if is_own else settings.jwt_jwks_url,
        secrets=split_secrets(settings.jwt_secret),
        operator_scope=settings.operator_scope,
        operator_claim=settings.operator_claim,
        weight_claim=settings.weight_claim,
    )


def _rules_of_entry(entry: IssuerSettings, settings: AuthSettings) -> TokenRules:
    default_algorithms = SECRET_ALGORITHM if entry.secret else settings.jwt_algorithms
    return TokenRules(
        issuer=entry.issuer,
        audiences=frozenset(items(entry.audience or settings.jwt_audience)),
        audience_claim=entry.audience_claim or settings.jwt_audience_claim,
        algorithms=tuple(items(entry.algorithms or default_algorithms)),
        leeway_s=settings.jwt_leeway_s,
        jwks_url=entry.jwks_url,
        secrets=split_secrets(entry.secret),
        operator_scope=entry.operator_scope or settings.operator_scope,
        operator_claim=entry.operator_claim or settings.operator_claim,
        weight_claim=settings.weight_claim,
    )


def _problems(rules: tuple[TokenRules, ...], settings: AuthSettings) -> Iterator[str]:
    """Yield a sentence for each combination that can't be meant."""
    for each in rules:
        yield from _algorithm_problems(each)
        if each.has_tenants and each.operator_scope:
            yield (
                f"{variable('operator_scope')} can't be used with {each.issuer}, because each tenant chooses its own "
                f"operators: name your own tenant in {variable('jwt_issuers')}, and set `operator_scope` there."
            )
        if each.operator_claim and not each.operator_scope:
            scope = variable("operator_scope")
            yield f"{variable('operator_claim')} needs {scope}, the value in this claim that makes a user an operator."
    for one, other in combinations(rules, 2):
        if one.issuer == other.issuer and (shared := set(one.algorithms) & set(other.algorithms)):
            where = variable("jwt_issuers" if settings.jwt_issuers else "jwt_issuer")
            yield f"{where} has the issuer {one.issuer} twice with the algorithm {min(shared)}: remove one of them."


def _algorithm_problems(rules: TokenRules) -> Iterator[str]:
    if not rules.secrets and SECRET_ALGORITHM in rules.algorithms:
        yield (
            f"The algorithm {SECRET_ALGORITHM} of {rules.issuer} needs the issuer's secret: set "
            f"{variable('jwt_secret')}, or `secret` in {variable('jwt_issuers')}."
        )
    if rules.secrets and rules.jwks_url is not None:
        yield f"The issuer {rules.issuer} has a secret and a URL of keys: remove the one that is not used."
    if rules.secrets and rules.algorithms != (SECRET_ALGORITHM,):
        yield (
            f"The secret of {rules.issuer} is for {SECRET_ALGORITHM} only: remove its other algorithms, or list the "
            f"issuer a second time in {variable('jwt_issuers')} if it has keys too."
        )
