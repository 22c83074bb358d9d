"""What every resolver gets: the services, and who calls."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from starlette.requests import HTTPConnection
from strawberry.types import Info as StrawberryInfo

from resolvers.auth import Authenticate, Identity
from services.errors import RendercastError, TokenExpired, Unauthenticated
from services.models import Caller
from services.runtime import Services


@dataclass(slots=True, kw_only=True)
class Context:
    """One HTTP request, or one WebSocket connection with all its operations.

    Strawberry fills `connection_params` from the WebSocket's `connection_init` message. `refusal` says why nobody is
    known to be calling, if that is so; what needs no caller works all the same.
    """

    services: Services
    connection: HTTPConnection
    identity: Identity | None = None
    refusal: RendercastError = field(default_factory=Unauthenticated)
    connection_params: dict[str, object] = field(default_factory=dict)

    @property
    def caller(self) -> Caller:
        """Who calls. Raises `Unauthenticated`, or `IssuerUnavailable` if that could not be found out."""
        if self.identity is None:
            raise self.refusal
        if self.identity.expires_at is not None and self.identity.expires_at <= self.services.clock.now():
            raise TokenExpired
        return self.identity.caller

    async def identify(self, authenticate: Authenticate, params: Mapping[str, object]) -> None:
        """Find out who calls. Raises what `authenticate` does, and remembers it as the refusal."""
        try:
            self.identity = await authenticate(self.connection, params)
        except RendercastError as refusal:
            self.refusal = refusal
            raise


Info = StrawberryInfo[Context, None]
