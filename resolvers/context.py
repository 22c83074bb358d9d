"""What every resolver gets: the services, and who calls."""

from dataclasses import dataclass, field

from starlette.requests import HTTPConnection
from strawberry.types import Info as StrawberryInfo

from services.errors import Unauthenticated
from services.models import Caller
from services.runtime import Services


@dataclass(slots=True, kw_only=True)
class Context:
    """One HTTP request, or one WebSocket connection with all its operations.

    Strawberry fills `connection_params` from the WebSocket's `connection_init` message.
    """

    services: Services
    connection: HTTPConnection
    known_caller: Caller | None = None
    connection_params: dict[str, object] = field(default_factory=dict)

    @property
    def caller(self) -> Caller:
        """Who calls. Raises `Unauthenticated`."""
        if self.known_caller is None:
            raise Unauthenticated
        return self.known_caller


Info = StrawberryInfo[Context, None]
