"""Authentication of `rendercast serve`: bearer tokens (RFC 6750)."""

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from starlette.requests import HTTPConnection

from auth.authenticator import Authenticator
from auth.jwks import open_jwks_cache
from auth.tokens import SecretKey, TokenRules, TokenVerifier
from services.errors import StartupError, TokenInvalid, Unauthenticated
from services.models import Identity
from services.settings import AuthSettings, variable

MAX_TOKEN_LENGTH = 8192  # characters
BEARER = re.compile(r"bearer +(?P<token>[\w-]+\.[\w-]+\.[\w-]+)", re.ASCII | re.IGNORECASE)
PARAMETERS = ("Authorization", "authorization")  # of `connection_init`


class BearerTokens:
    """Identifies the caller by the bearer token in the `Authorization` header, or in `connection_init`.

    The headers of a WebSocket handshake are not read: a browser sends its credentials with handshakes from any site.
    """

    def __init__(self, verifier: TokenVerifier) -> None:
        self._verifier = verifier

    async def __call__(self, connection: HTTPConnection, params: Mapping[str, object]) -> Identity:
        """Return the caller's identity. Raises `Unauthenticated` or `IssuerUnavailable`."""
        if connection.scope["type"] == "websocket":
            values = [params[name] for name in PARAMETERS if params.get(name) is not None]
        else:
            headers = connection.scope["headers"]
            values = [value.decode("latin-1") for name, value in headers if name == b"authorization"]
        return await self._verifier.verify(_parse_token(values))


def _parse_token(values: list[object]) -> str:
    """Return the only token. Raises `Unauthenticated` if there is none, `TokenInvalid` if malformed or several."""
    match values:
        case []:
            raise Unauthenticated
        case [str(value)] if len(value) <= MAX_TOKEN_LENGTH and (found := BEARER.fullmatch(value)):
            return found["token"]
        case _:
            raise TokenInvalid


def read_token_rules(settings: AuthSettings) -> TokenRules:
    """Return the rules for tokens. Raises `StartupError` unless exactly one of issuer and secret is set."""
    issuer, secret = variable("jwt_issuer"), variable("jwt_secret")
    if settings.jwt_issuer is None and settings.jwt_secret is None:
        raise StartupError(
            f"`rendercast serve` needs the issuer of its users' tokens: set {issuer}, or {secret} if there is none."
        )
    if settings.jwt_issuer is not None and settings.jwt_secret is not None:
        raise StartupError(f"{issuer} and {secret} are both set, but tokens are signed by only one: unset the other.")
    return TokenRules.from_settings(settings)


@asynccontextmanager
async def open_bearer_tokens(settings: AuthSettings) -> AsyncIterator[Authenticator]:
    """Yield the authenticator. While it is open, the issuer's keys are refreshed. Raises `StartupError`."""
    rules = read_token_rules(settings)
    if settings.jwt_secret is not None:
        yield BearerTokens(TokenVerifier(rules, SecretKey(settings.jwt_secret)))
        return
    async with open_jwks_cache(rules, jwks_url=settings.jwt_jwks_url) as keys:
        yield BearerTokens(TokenVerifier(rules, keys))
