"""Tokens of users, made without a line of the code that verifies them."""

import time
from typing import Any

import jwt

SECRET = "a secret of nobody, long enough to be one"  # noqa: S105
GOOD_FOR_S = 3600


def claims(subject: str, **changes: object) -> dict[str, Any]:
    """Return what a good token of a deployment without an issuer says; None takes a claim away."""
    now = int(time.time())
    given = {"iss": "rendercast", "aud": "rendercast", "sub": subject, "iat": now, "exp": now + GOOD_FOR_S, **changes}
    return {name: value for name, value in given.items() if value is not None}


def token_of(subject: str, **changes: object) -> str:
    """Return a good token of a deployment whose secret is `SECRET`, unless the changes say otherwise."""
    return jwt.encode(claims(subject, **changes), SECRET, "HS256")
