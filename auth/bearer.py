"""Authentication of `rendercast serve`: bearer tokens of the issuers (RFC 6750)."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from starlette.requests import HTTPConnection

from auth.authenticator import Authenticator
from auth.credentials import find_token
from auth.jwks import MIN_REFRESH_INTERVAL_S, open_jwks_caches
from auth.rules import read_token_rules
from auth.tokens import SecretKey, TokenVerifier, TrustedIssuer
from services.errors import Unauthenticated
from services.models import Identity
from services.settings import AuthSettings


class BearerTokens:
    """Identifies the caller by the bearer token of an HTTP request or a WebSocket."""

    def __init__(self, verifier: TokenVerifier) -> None:
        self._verifier = verifier

    async def __call__(self, connection: HTTPConnection, params: Mapping[str, object]) -> Identity:
        """Return the caller's identity. Raises `Unauthenticated` or `IssuerUnavailable`."""
        token = find_token(connection, params)
        if token is None:
            raise Unauthenticated
        return await self._verifier.verify(token)


@asynccontextmanager
async def open_verifier(
    settings: AuthSettings, *, min_interval_s: float = MIN_REFRESH_INTERVAL_S
) -> AsyncIterator[TokenVerifier]:
    """Yield the verifier of the issuers' tokens. While it is open, their keys are refreshed. Raises `StartupError`."""
    rules = read_token_rules(settings)
    issuers = [TrustedIssuer(rules=each, keys=SecretKey(secret)) for each in rules for secret in each.secrets]
    with_keys = [each for each in rules if not each.secrets]
    if not with_keys:
        yield TokenVerifier(issuers)
        return
    async with open_jwks_caches(with_keys, min_interval_s=min_interval_s) as caches:
        pairs = zip(with_keys, caches, strict=True)
        yield TokenVerifier([*issuers, *(TrustedIssuer(rules=each, keys=cache) for each, cache in pairs)])


@asynccontextmanager
async def open_bearer_tokens(
    settings: AuthSettings, *, min_interval_s: float = MIN_REFRESH_INTERVAL_S
) -> AsyncIterator[Authenticator]:
    """Yield the authenticator. While it is open, the issuers' keys are refreshed. Raises `StartupError`."""
    async with open_verifier(settings, min_interval_s=min_interval_s) as verifier:
        yield BearerTokens(verifier)
