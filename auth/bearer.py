"""Who calls: found once for each HTTP request, and once for each WebSocket when it is initialised."""

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Protocol
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection

from auth.jwks import open_issuer_keys
from auth.tokens import SecretKey, TokenRules, TokenVerifier
from services.errors import StartupError, TokenInvalid, Unauthenticated
from services.identity import Identity
from services.loopback import is_loopback
from services.models import Caller
from services.settings import AuthSettings, ServerSettings, variable

MAX_TOKEN = 8192  # characters
BEARER = re.compile(r"bearer +(?P<token>[\w-]+\.[\w-]+\.[\w-]+)", re.ASCII | re.IGNORECASE)
PARAMETERS = ("Authorization", "authorization")  # of `connection_init`


class Authenticate(Protocol):
    """Finds the caller in a request's headers or in the parameters of a WebSocket's `connection_init`."""

    async def __call__(self, connection: HTTPConnection, params: Mapping[str, object]) -> Identity:
        """Return who calls. Raises `Unauthenticated`, or `IssuerUnavailable` if that can't be found out now."""
        ...


class LocalDeveloper:
    """Takes everybody for the one user of a server that only this machine can reach, and that nobody else may name.

    A page of any site can have its own name mean this machine (DNS rebinding), and then asks as one of our pages.
    """

    def __init__(self, settings: ServerSettings) -> None:
        self._hosts = {"localhost", urlsplit(settings.base_url).hostname}

    async def __call__(self, connection: HTTPConnection, params: Mapping[str, object]) -> Identity:  # noqa: ARG002
        """Return who calls. Raises `Unauthenticated` if the server was called by a name of others."""
        hosts = map(_hostname, connection.headers.getlist("host"))
        if not all(host in self._hosts or is_loopback(host) for host in hosts):
            raise Unauthenticated("Call this server localhost; another name needs RENDERCAST_PUBLIC_URL.")
        return Identity(caller=Caller(id="local-developer"))


def _hostname(authority: str) -> str:
    with suppress(ValueError):
        return urlsplit(f"//{authority}").hostname or ""
    return ""


class BearerTokens:
    """Finds the caller in a bearer token (RFC 6750): in `Authorization` over HTTP, in `connection_init` otherwise.

    A WebSocket's own headers are not read: a browser sends those of its choice to whatever page asked for it.
    """

    def __init__(self, verifier: TokenVerifier) -> None:
        self._verifier = verifier

    async def __call__(self, connection: HTTPConnection, params: Mapping[str, object]) -> Identity:
        """Return who calls. Raises `Unauthenticated` or `IssuerUnavailable`."""
        if connection.scope["type"] == "websocket":
            given = [params[name] for name in PARAMETERS if params.get(name) is not None]
        else:
            headers = connection.scope["headers"]
            given = [value.decode("latin-1") for name, value in headers if name == b"authorization"]
        return await self._verifier.verify(_token(given))


def _token(given: list[object]) -> str:
    """Return the one token that was given."""
    match given:
        case []:
            raise Unauthenticated
        case [str(value)] if len(value) <= MAX_TOKEN and (found := BEARER.fullmatch(value)):
            return found["token"]
        case _:
            raise TokenInvalid


def read_token_rules(settings: AuthSettings) -> TokenRules:
    """Return what tokens must hold. Raises `StartupError` unless there is either an issuer or a secret."""
    issuer, secret = variable("jwt_issuer"), variable("jwt_secret")
    if settings.jwt_issuer is None and settings.jwt_secret is None:
        raise StartupError(
            f"`rendercast serve` must know who signs its users' tokens: set {issuer}, or {secret} where there is none."
        )
    if settings.jwt_issuer is not None and settings.jwt_secret is not None:
        raise StartupError(
            f"{issuer} and {secret} are both set, but users' tokens are signed by one of them: unset the other."
        )
    return TokenRules.from_settings(settings)


@asynccontextmanager
async def open_bearer_tokens(settings: AuthSettings) -> AsyncIterator[Authenticate]:
    """Open what verifies tokens; while it is open, the issuer's keys are kept up to date. Raises `StartupError`."""
    rules = read_token_rules(settings)
    if settings.jwt_secret is not None:
        yield BearerTokens(TokenVerifier(rules, SecretKey(settings.jwt_secret)))
        return
    async with open_issuer_keys(rules, jwks_url=settings.jwt_jwks_url) as keys:
        yield BearerTokens(TokenVerifier(rules, keys))
