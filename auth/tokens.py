"""Users' tokens: JSON Web Tokens (RFC 7519), verified as RFC 8725 recommends. With a secret, they are issued here too.

A key is looked up by the token's key id and algorithm, and is bound to that algorithm: a token can neither choose how
it is verified nor contain or refer to a key (`jwk`, `jku`, `x5c` and `x5u` are never read).
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
from services.models import Caller, Identity
from services.settings import AuthSettings

SECRET_ALGORITHM = "HS256"  # noqa: S105  # a name
OWN_ISSUER = "rendercast"  # the `iss` of tokens signed with the secret
MAX_SUBJECT_LENGTH = 255  # characters; OpenID Connect Core 1.0, section 2
MAX_EXPIRES_AT_S = 253_402_300_000  # Unix time just before the year 10000, the end of Python's datetime
MAX_CACHED_TOKENS = 10_000
UNSUPPORTED_HEADERS = frozenset({"crit", "b64"})  # extensions that a verifier must support to accept the token

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRules:
    """What a valid token must contain, and the scope that makes its user an operator."""

    issuer: str
    audience: str
    algorithms: tuple[str, ...]
    leeway_s: int
    operator_scope: str | None = None

    @classmethod
    def from_settings(cls, settings: AuthSettings) -> "TokenRules":
        """Return the rules for the issuer's tokens, or for tokens signed with the secret if no issuer is set."""
        return cls(
            issuer=settings.jwt_issuer or OWN_ISSUER,
            audience=settings.jwt_audience,
            algorithms=tuple(settings.jwt_algorithms.split(",")) if settings.jwt_issuer else (SECRET_ALGORITHM,),
            leeway_s=settings.jwt_leeway_s,
            operator_scope=settings.operator_scope,
        )


class KeySource(Protocol):
    """The keys that may sign tokens."""

    async def get_key(self, key_id: str | None, algorithm: str) -> jwt.PyJWK | None:
        """Return the key for this algorithm, None if there is none. Raises `IssuerUnavailable`."""
        ...


class SecretKey:
    """The only key of a deployment without an issuer."""

    def __init__(self, secret: SecretStr) -> None:
        text = urlsafe_b64encode(secret.get_secret_value().encode()).decode().rstrip("=")
        self._key = jwt.PyJWK({"kty": "oct", "k": text}, SECRET_ALGORITHM)

    async def get_key(self, key_id: str | None, algorithm: str) -> jwt.PyJWK | None:  # noqa: ARG002
        """Return the key, for any key id."""
        return self._key if algorithm == SECRET_ALGORITHM else None


@dataclass(frozen=True, slots=True, kw_only=True)
class CachedToken:
    """The identity of a valid token, with the key that verified it."""

    key_id: str | None
    algorithm: str
    key: jwt.PyJWK
    identity: Identity


class TokenVerifier:
    """Verifies tokens. Why a token is rejected is logged at level debug, without the token, and not sent to clients.

    Verification takes longer than a small query, so valid tokens are cached by their digest until they expire or their
    key is no longer the issuer's.
    """

    def __init__(self, rules: TokenRules, keys: KeySource, *, max_cached: int = MAX_CACHED_TOKENS) -> None:
        self._rules = rules
        self._keys = keys
        self._max_cached = max_cached
        self._decoder = jwt.PyJWT(
            {"require": ["iss", "aud", "exp", "sub"], "enforce_minimum_key_length": True},
        )
        self._cache: OrderedDict[bytes, CachedToken] = OrderedDict()

    async def verify(self, token: str) -> Identity:
        """Return the token's identity. Raises `TokenExpired`, `TokenInvalid` or `IssuerUnavailable`."""
        digest = sha256(token.encode()).digest()
        if identity := await self._from_cache(digest):
            return identity
        try:
            verified = await self._verify(token)
        except jwt.ExpiredSignatureError:
            raise TokenExpired from None
        except (jwt.PyJWTError, ValueError) as error:
            log.debug("token rejected: %s", type(error).__name__)
            raise TokenInvalid from None
        self._cache[digest] = verified
        if len(self._cache) > self._max_cached:
            self._cache.popitem(last=False)
        return verified.identity

    async def _from_cache(self, digest: bytes) -> Identity | None:
        """Return the identity of a cached token; None if it isn't cached or no longer valid."""
        cached = self._cache.get(digest)
        if cached is None:
            return None
        is_valid = cached.identity.is_valid(datetime.now(UTC))
        if is_valid and await self._keys.get_key(cached.key_id, cached.algorithm) is cached.key:
            return cached.identity
        self._cache.pop(digest, None)
        return None

    async def _verify(self, token: str) -> CachedToken:
        header = jwt.get_unverified_header(token)
        key_id, algorithm = header.get("kid"), header.get("alg")
        if algorithm not in self._rules.algorithms:
            raise jwt.InvalidAlgorithmError
        if not UNSUPPORTED_HEADERS.isdisjoint(header):
            raise jwt.InvalidTokenError
        key = await self._keys.get_key(key_id, algorithm)
        if key is None:
            raise jwt.InvalidKeyError
        return CachedToken(
            key_id=key_id, algorithm=algorithm, key=key, identity=self._verify_signature_and_claims(token, key)
        )

    def _verify_signature_and_claims(self, token: str, key: jwt.PyJWK) -> Identity:
        rules = self._rules
        claims = self._decoder.decode(
            token, key, rules.algorithms, audience=rules.audience, issuer=rules.issuer, leeway=rules.leeway_s
        )
        subject = claims["sub"]
        if not is_subject(subject):
            raise jwt.InvalidTokenError
        expires_at = datetime.fromtimestamp(min(int(claims["exp"]) + rules.leeway_s, MAX_EXPIRES_AT_S), UTC)
        caller = Caller(id=f"{rules.issuer} {subject}", is_operator=rules.operator_scope in _scopes(claims))
        return Identity(caller=caller, expires_at=expires_at)


def is_subject(text: str) -> bool:
    """Return whether the text is valid as the `sub` claim of a token."""
    return 0 < len(text) <= MAX_SUBJECT_LENGTH and text.isprintable()


def _scopes(claims: Mapping[str, Any]) -> frozenset[str]:
    """Return a token's scopes: from `scope` (RFC 8693, section 4.2), or from `scp`, which Okta and Microsoft use."""
    match claims.get("scope", claims.get("scp")):
        case str(text):
            return frozenset(text.split())
        case [*texts]:
            return frozenset(text for text in texts if isinstance(text, str))
        case _:
            return frozenset()


def make_token(secret: SecretStr, *, subject: str, audience: str, lifetime: timedelta, scope: str = "") -> str:
    """Return a token for this subject, signed with the secret and valid for `lifetime` from now."""
    now = datetime.now(UTC)
    claims = {"iss": OWN_ISSUER, "sub": subject, "aud": audience, "iat": now, "exp": now + lifetime, "scope": scope}
    return jwt.encode(claims, secret.get_secret_value(), SECRET_ALGORITHM)
