"""Users' tokens, created without the code under test."""

import time
from typing import Any

import jwt

SECRET = "a-secret-for-tests-only-of-sufficient-length"  # noqa: S105
GOOD_FOR_S = 3600


def claims(subject: str, **changes: object) -> dict[str, Any]:
    """Return the claims of a valid token of a deployment without an issuer. None removes a claim."""
    now = int(time.time())
    given = {"iss": "rendercast", "aud": "rendercast", "sub": subject, "iat": now, "exp": now + GOOD_FOR_S, **changes}
    return {name: value for name, value in given.items() if value is not None}


def token_of(subject: str, **changes: object) -> str:
    """Return a token signed with `SECRET`, valid unless the changes make it invalid."""
    return jwt.encode(claims(subject, **changes), SECRET, "HS256")
