"""Authentication by render tokens, which every server accepts beside its users' tokens."""

from collections.abc import Mapping
from contextlib import suppress

from starlette.requests import HTTPConnection

from auth.authenticator import Authenticator
from auth.credentials import find_token
from services.errors import TokenInvalid
from services.models import Identity
from services.ports import Clock
from services.renders.render_tokens import PREFIX, RenderTokens


class RenderTokenAuthenticator:
    """Identifies callers by a render token. All others are identified by `others`."""

    def __init__(self, tokens: RenderTokens, clock: Clock, *, others: Authenticator) -> None:
        self._tokens = tokens
        self._clock = clock
        self._others = others

    async def __call__(self, connection: HTTPConnection, params: Mapping[str, object]) -> Identity:
        """Return the caller's identity. Raises `Unauthenticated`, or as `others` does."""
        token = None
        with suppress(TokenInvalid):  # malformed: `others` decides whether that matters
            token = find_token(connection, params)
        if token is None or not token.startswith(f"{PREFIX}."):
            return await self._others(connection, params)
        return self._tokens.identify(token, now=self._clock.now())
