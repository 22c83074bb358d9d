"""Render tokens: each gives access to one render, to watch and download it, and to nothing else.

A token is `PREFIX.PAYLOAD.SIGNATURE`, each in base64url. It is verified without stored state: deleting the render or
changing the secret revokes it.
"""

import hmac
import json
import logging
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from services.errors import (
    InvalidArgument,
    RenderTokenForbidden,
    RenderTokensNotConfigured,
    TokenExpired,
    TokenInvalid,
)
from services.models import Caller, Identity, Render

PREFIX = "rcr1"  # Rendercast, render, version 1; the first part of a JSON Web Token begins with `ey`
MAX_LIFETIME_S = 7 * 86_400
PURPOSE = b"rendercast render tokens"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderToken:
    """A render token, and when it expires."""

    render: Render
    token: str
    expires_at: datetime


class RenderTokens:
    """Signs tokens with HMAC-SHA256, with a key derived from the first secret, and verifies those of all secrets."""

    def __init__(self, secret: str, *former_secrets: str) -> None:
        self._keys = [hmac.digest(each.encode(), PURPOSE, "sha256") for each in (secret, *former_secrets)]

    def sign(self, render: Render, expires_at: datetime) -> RenderToken:
        """Return a token for the render that is valid until `expires_at`, to the second."""
        expires_s = int(expires_at.timestamp())
        payload = _encode(json.dumps([render.id, render.owner, expires_s]).encode())
        token = f"{PREFIX}.{payload}.{_signature(self._keys[0], payload)}"
        return RenderToken(render=render, token=token, expires_at=datetime.fromtimestamp(expires_s, UTC))

    def identify(self, token: str, *, now: datetime) -> Identity:
        """Return the identity of a token's holder. Raises `TokenInvalid` or `TokenExpired`."""
        prefix, _, rest = token.partition(".")
        payload, _, signature = rest.partition(".")
        if prefix != PREFIX or not self._is_signed(payload, signature):
            raise TokenInvalid
        render_id, owner, expires_s = json.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        identity = Identity(
            caller=Caller(id=owner, render_id=render_id), expires_at=datetime.fromtimestamp(expires_s, UTC)
        )
        if not identity.is_valid(now):
            raise TokenExpired
        return identity

    def _is_signed(self, payload: str, signature: str) -> bool:
        return any(hmac.compare_digest(_signature(key, payload).encode(), signature.encode()) for key in self._keys)


def check_lifetime(seconds: int) -> timedelta:
    """Return the lifetime of a token. Raises `InvalidArgument` if it is out of range."""
    if not 1 <= seconds <= MAX_LIFETIME_S:
        raise InvalidArgument("expiresInSeconds", f"`expiresInSeconds` must be from 1 to {MAX_LIFETIME_S}.")
    return timedelta(seconds=seconds)


def issue_token(tokens: RenderTokens | None, render: Render, *, expires_at: datetime) -> RenderToken:
    """Return a token for the render. Raises `RenderTokensNotConfigured` if there is no secret."""
    if tokens is None:
        log.warning("a token for a render was requested, but RENDERCAST_RENDER_TOKEN_SECRET is not set")
        raise RenderTokensNotConfigured
    return tokens.sign(render, expires_at)


def _signature(key: bytes, payload: str) -> str:
    return _encode(hmac.digest(key, f"{PREFIX}.{payload}".encode(), "sha256"))


def _encode(content: bytes) -> str:
    return urlsafe_b64encode(content).decode().rstrip("=")


def require_user_token(caller: Caller) -> None:
    """Raise `RenderTokenForbidden` unless the caller has a user's token."""
    if not caller.has_user_token:
        raise RenderTokenForbidden
