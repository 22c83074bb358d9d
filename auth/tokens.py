"""Users' tokens: JSON Web Tokens (RFC 7519), verified as RFC 8725 recommends. With a secret, they are issued here too.

A key is looked up by the token's issuer, key id and algorithm, and is bound to that algorithm: a token can neither
choose how it is verified nor contain or refer to a key (`jwk`, `jku`, `x5c` and `x5u` are never read).
"""

import json
import logging
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, Protocol

import jwt
from pydantic import SecretStr

from auth.claims import Claims, TokenHasExpired, TokenRejected, check_claims, expiry_s, is_operator, shown, weight_of
from auth.rejection_log import RejectionLog
from auth.rules import OWN_ISSUER, TokenRules
from services.errors import StartupError, TokenExpired, TokenInvalid
from services.models import Caller, Identity
from services.settings.issuers import SECRET_ALGORITHM

MAX_CACHED_TOKENS = 10_000
UNSUPPORTED_HEADERS = frozenset({"crit", "b64"})  # extensions that a verifier must support to accept the token

log = logging.getLogger(__name__)


class KeySource(Protocol):
    """The keys that may sign tokens of one issuer."""

    def known_key(self, key_id: str | None, algorithm: str) -> jwt.PyJWK | None:
        """Return the key for this algorithm if it is known now."""
        ...

    async def get_key(self, key_id: str | None, algorithm: str) -> jwt.PyJWK | None:
        """Return the key for this algorithm, None if the issuer has none. Raises `IssuerUnavailable`."""
        ...


class SecretKey:
    """The only key of an issuer that signs with a secret, for any key id. Raises `StartupError` for a public key."""

    def __init__(self, secret: SecretStr) -> None:
        text = urlsafe_b64encode(secret.get_secret_value().encode()).decode().rstrip("=")
        self._key = jwt.PyJWK({"kty": "oct", "k": text}, SECRET_ALGORITHM)
        try:
            self._key.Algorithm.prepare_key(self._key.key)
        except jwt.InvalidKeyError as error:
            raise StartupError("The secret of tokens is a public key or certificate, which anyone may know.") from error

    def known_key(self, key_id: str | None, algorithm: str) -> jwt.PyJWK | None:  # noqa: ARG002
        """Return the key; None unless the algorithm is `SECRET_ALGORITHM`."""
        return self._key if algorithm == SECRET_ALGORITHM else None

    async def get_key(self, key_id: str | None, algorithm: str) -> jwt.PyJWK | None:
        """Return the key, as `known_key` does."""
        return self.known_key(key_id, algorithm)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustedIssuer:
    """An issuer of tokens: what they must contain, and the keys that sign them."""

    rules: TokenRules
    keys: KeySource


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedToken:
    """The identity of a valid token, with the key that verified it."""

    issuer: TrustedIssuer
    key_id: str | None
    algorithm: str
    key: jwt.PyJWK
    identity: Identity

    def is_valid(self, now: datetime) -> bool:
        """Return whether the token has not expired and its key is still the issuer's."""
        is_current = self.issuer.keys.known_key(self.key_id, self.algorithm) is self.key
        return is_current and self.identity.is_valid(now)


class TokenVerifier:
    """Verifies tokens. Why a token is rejected is logged, without the token, and not sent to clients.

    Verification takes longer than a small query, so valid tokens are cached by their digest until they expire or their
    key is no longer the issuer's.
    """

    def __init__(self, issuers: Sequence[TrustedIssuer], *, max_cached: int = MAX_CACHED_TOKENS) -> None:
        self._issuers = tuple(issuers)
        self._max_cached = max_cached
        self._cache: OrderedDict[bytes, VerifiedToken] = OrderedDict()
        self._rejections = RejectionLog()

    async def verify(self, token: str) -> Identity:
        """Return the token's identity. Raises `TokenExpired`, `TokenInvalid` or `IssuerUnavailable`."""
        digest = sha256(token.encode()).digest()
        if identity := self._from_cache(digest):
            return identity
        try:
            verified = await self.examine(token)
        except TokenHasExpired as rejected:
            log.debug("a token was rejected: %s", rejected)
            raise TokenExpired from None
        except TokenRejected as rejected:
            self._rejections.add(str(rejected))
            raise TokenInvalid from None
        self._cache[digest] = verified
        if len(self._cache) > self._max_cached:
            self._cache.popitem(last=False)
        return verified.identity

    async def examine(self, token: str) -> VerifiedToken:
        """Verify a token without the cache. Raises `TokenRejected` with the reason, or `IssuerUnavailable`."""
        header, claims, signature = _parse(token)
        key_id, algorithm = header.get("kid"), str(header.get("alg"))
        if not isinstance(key_id, str | None):
            raise TokenRejected(f"its key id is {shown(key_id)}, which is not a text")
        signed, reason = token.rpartition(".")[0].encode(), ""
        for issuer in self._find_issuers(claims.get("iss"), algorithm):
            key, name = await issuer.keys.get_key(key_id, algorithm), issuer.rules.issuer
            if key is None:
                reason = f"its key id is {shown(key_id)}, which no {algorithm} key of {name} has"
            elif key.algorithm_name != algorithm or not key.Algorithm.verify(signed, key.key, signature):
                signer = "a secret or key" if key_id is None else f"the key {shown(key_id)}"
                reason = f"its signature is not by {signer} of {name}"
            else:
                identity = _identify(claims, issuer.rules)
                return VerifiedToken(issuer=issuer, key_id=key_id, algorithm=algorithm, key=key, identity=identity)
        raise TokenRejected(reason)

    def _from_cache(self, digest: bytes) -> Identity | None:
        """Return the identity of a cached token; None if it isn't cached or no longer valid."""
        cached = self._cache.get(digest)
        if cached is None:
            return None
        if cached.is_valid(datetime.now(UTC)):
            return cached.identity
        del self._cache[digest]
        return None

    def _find_issuers(self, issuer: object, algorithm: str) -> list[TrustedIssuer]:
        """Return the issuers whose keys may verify the token: one, or one per secret.

        An issuer with exactly this URL excludes those with a placeholder for the tenant. Raises `TokenRejected` if no
        issuer matches.
        """
        found = [each for each in self._issuers if isinstance(issuer, str) and each.rules.matches(issuer)]
        found = [each for each in found if not each.rules.has_tenants] or found
        if not found:
            expected = " or ".join(dict.fromkeys(repr(each.rules.issuer) for each in self._issuers))
            raise TokenRejected(f"its claim iss is {shown(issuer)}, expected {expected}")
        if accepting := [each for each in found if algorithm in each.rules.algorithms]:
            return accepting
        expected = " or ".join(dict.fromkeys(name for each in found for name in each.rules.algorithms))
        raise TokenRejected(f"its algorithm is {shown(algorithm)}, expected {expected} of {issuer}")


def _parse(token: str) -> tuple[dict[str, Any], Claims, bytes]:
    """Return the header, the claims and the signature, which are not verified yet. Raises `TokenRejected`."""
    try:
        header_part, payload, signature_part = token.split(".")
        header, claims = (json.loads(_decode(part)) for part in (header_part, payload))
        signature = _decode(signature_part)
    except (ValueError, RecursionError) as error:
        raise TokenRejected("it is not a JSON Web Token") from error
    if not isinstance(header, dict) or not isinstance(claims, dict):
        raise TokenRejected("its header and claims are not JSON objects")
    if unsupported := UNSUPPORTED_HEADERS.intersection(header):
        raise TokenRejected(f"its header has {min(unsupported)}, which is not supported")
    return header, claims, signature


def _decode(part: str) -> bytes:
    """Return the bytes of a part of a token: RFC 7515, section 2. Raises `ValueError` unless it is their only form."""
    decoded = urlsafe_b64decode(part + "=" * (-len(part) % 4))
    if urlsafe_b64encode(decoded).rstrip(b"=") != part.encode():
        raise ValueError("not canonical")
    return decoded


def _identify(claims: Claims, rules: TokenRules) -> Identity:
    """Check the claims and return the identity. Raises `TokenRejected`."""
    check_claims(claims, rules, now_s=datetime.now(UTC).timestamp())
    expires_at = datetime.fromtimestamp(expiry_s(claims, rules), UTC)
    caller = Caller(
        id=f"{claims['iss']} {claims['sub']}", is_operator=is_operator(claims, rules), weight=weight_of(claims, rules)
    )
    return Identity(caller=caller, expires_at=expires_at)


def make_token(secret: SecretStr, *, subject: str, audience: str, lifetime: timedelta, scope: str = "") -> str:
    """Return a token for this subject, signed with the secret and valid for `lifetime` from now."""
    now = datetime.now(UTC)
    claims = {"iss": OWN_ISSUER, "sub": subject, "aud": audience, "iat": now, "exp": now + lifetime, "scope": scope}
    return jwt.encode(claims, secret.get_secret_value(), SECRET_ALGORITHM)
