"""Who calls: found once for each HTTP request, and once for each WebSocket when it is initialised."""

from collections.abc import Mapping
from typing import Protocol

from starlette.requests import HTTPConnection

from services.models import Caller


class Authenticate(Protocol):
    """Finds the caller in a request's headers or in the parameters of a WebSocket's `connection_init`."""

    async def __call__(self, connection: HTTPConnection, params: Mapping[str, object]) -> Caller | None:
        """Return the caller; None if nobody is known to be calling."""
        ...


async def local_developer(connection: HTTPConnection, params: Mapping[str, object]) -> Caller | None:  # noqa: ARG001
    """Return the one user of a server that only this machine can reach."""
    return Caller(id="local-developer")
