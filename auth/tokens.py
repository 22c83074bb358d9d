"""Users' tokens: JSON Web Tokens (RFC 7519), verified as RFC 8725 advises, and made where we hold the secret.

A key is found by the token's key id and algorithm, and is bound to that algorithm: a token can neither choose how it
is verified nor bring or point to a key (`jwk`, `jku`, `x5c`, `x5u` are never read).
"""

import logging
from base64 import urlsafe_b64encode
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, Protocol

import jwt
from pydantic import SecretStr

from services.errors import TokenExpired, TokenInvalid
from services.identity import Identity
from services.models import Caller
from services.settings import AuthSettings

SECRET_ALGORITHM = "HS256"  # noqa: S105  # a name
OWN_ISSUER = "rendercast"  # of tokens signed with the secret
MAX_SUBJECT = 255  # characters; OpenID Connect Core 1.0, section 2
LATEST_EXPIRY = 253_402_300_000  # the last seconds of the year 9999, which Python's times end with
MAX_CACHED = 10_000  # tokens
REFUSED_HEADERS = frozenset({"crit", "b64"})  # extensions that must be understood; we have none

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRules:
    """What a token must hold to be good here, and what makes its bearer an operator."""

    issuer: str
    audience: str
    algorithms: tuple[str, ...]
    leeway_s: int
    operator_scope: str | None = None

    @classmethod
    def from_settings(cls, settings: AuthSettings) -> "TokenRules":
        """Return the rules for the issuer's tokens, or for our own if there is no issuer."""
        return cls(
            issuer=settings.jwt_issuer or OWN_ISSUER,
            audience=settings.jwt_audience,
            algorithms=tuple(settings.jwt_algorithms.split(",")) if settings.jwt_issuer else (SECRET_ALGORITHM,),
            leeway_s=settings.jwt_leeway_s,
            operator_scope=settings.operator_scope,
        )


class Keys(Protocol):
    """The keys that tokens may be signed with."""

    async def find(self, key_id: str | None, algorithm: str) -> jwt.PyJWK | None:
        """Return the key for this algorithm; None if there is none. Raises `IssuerUnavailable`."""
        ...


class SecretKey:
    """The one key of a deployment without an issuer."""

    def __init__(self, secret: SecretStr) -> None:
        text = urlsafe_b64encode(secret.get_secret_value().encode()).decode().rstrip("=")
        self._key = jwt.PyJWK({"kty": "oct", "k": text}, SECRET_ALGORITHM)

    async def find(self, key_id: str | None, algorithm: str) -> jwt.PyJWK | None:  # noqa: ARG002
        """Return the key, whatever it is called."""
        return self._key if algorithm == SECRET_ALGORITHM else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """A good token, by the name of the key that verified it."""

    key_id: str | None
    algorithm: str
    key: jwt.PyJWK
    identity: Identity


class TokenVerifier:
    """Tells whose a token is. Why one is not good is logged for debugging, without a word of it, and never told.

    Verifying takes longer than a small query, so good tokens are remembered by their digest until they expire or
    their key is no longer the issuer's.
    """

    def __init__(self, rules: TokenRules, keys: Keys, *, most_remembered: int = MAX_CACHED) -> None:
        self._rules = rules
        self._keys = keys
        self._most_remembered = most_remembered
        self._decoder = jwt.PyJWT(
            {"require": ["iss", "aud", "exp", "sub"], "enforce_minimum_key_length": True},
        )
        self._remembered: OrderedDict[bytes, Verified] = OrderedDict()

    async def verify(self, token: str) -> Identity:
        """Return whose the token is. Raises `TokenExpired`, `TokenInvalid` or `IssuerUnavailable`."""
        digest = sha256(token.encode()).digest()
        if identity := await self._recall(digest):
            return identity
        try:
            verified = await self._verify(token)
        except jwt.ExpiredSignatureError:
            raise TokenExpired from None
        except (jwt.PyJWTError, ValueError) as error:
            log.debug("a token was refused: %s", type(error).__name__)
            raise TokenInvalid from None
        self._remembered[digest] = verified
        if len(self._remembered) > self._most_remembered:
            self._remembered.popitem(last=False)
        return verified.identity

    async def _recall(self, digest: bytes) -> Identity | None:
        """Return whose a token is that was good before, if it still is."""
        known = self._remembered.get(digest)
        if known is None:
            return None
        is_good = known.identity.is_valid(datetime.now(UTC))
        if is_good and await self._keys.find(known.key_id, known.algorithm) is known.key:
            return known.identity
        self._remembered.pop(digest, None)
        return None

    async def _verify(self, token: str) -> Verified:
        header = jwt.get_unverified_header(token)
        key_id, algorithm = header.get("kid"), header.get("alg")
        if algorithm not in self._rules.algorithms:
            raise jwt.InvalidAlgorithmError
        if not REFUSED_HEADERS.isdisjoint(header):
            raise jwt.InvalidTokenError
        key = await self._keys.find(key_id, algorithm)
        if key is None:
            raise jwt.InvalidKeyError
        return Verified(key_id=key_id, algorithm=algorithm, key=key, identity=self._identity(token, key))

    def _identity(self, token: str, key: jwt.PyJWK) -> Identity:
        rules = self._rules
        claims = self._decoder.decode(
            token, key, rules.algorithms, audience=rules.audience, issuer=rules.issuer, leeway=rules.leeway_s
        )
        subject = claims["sub"]
        if not is_subject(subject):
            raise jwt.InvalidTokenError
        expires_at = datetime.fromtimestamp(min(int(claims["exp"]) + rules.leeway_s, LATEST_EXPIRY), UTC)
        caller = Caller(id=f"{rules.issuer} {subject}", is_operator=rules.operator_scope in _scopes(claims))
        return Identity(caller=caller, expires_at=expires_at)


def is_subject(text: str) -> bool:
    """Return whether the text can name a user."""
    return 0 < len(text) <= MAX_SUBJECT and text.isprintable()


def _scopes(claims: Mapping[str, Any]) -> frozenset[str]:
    """Return a token's scopes: RFC 8693, section 4.2, or as Okta and Microsoft's issuers name them."""
    match claims.get("scope", claims.get("scp")):
        case str(text):
            return frozenset(text.split())
        case [*texts]:
            return frozenset(text for text in texts if isinstance(text, str))
        case _:
            return frozenset()


def make_token(secret: SecretStr, *, subject: str, audience: str, lifetime: timedelta, scope: str = "") -> str:
    """Return a token of ours for this subject, good from now on for `lifetime`."""
    now = datetime.now(UTC)
    claims = {"iss": OWN_ISSUER, "sub": subject, "aud": audience, "iat": now, "exp": now + lifetime, "scope": scope}
    return jwt.encode(claims, secret.get_secret_value(), SECRET_ALGORITHM)
