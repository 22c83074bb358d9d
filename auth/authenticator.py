"""The interface of authentication. Each server command has its own implementation."""

from collections.abc import Mapping
from typing import Protocol

from starlette.requests import HTTPConnection

from services.models import Identity


class Authenticator(Protocol):
    """Identifies the caller of an HTTP request, or of a WebSocket by the parameters of its `connection_init`."""

    async def __call__(self, connection: HTTPConnection, params: Mapping[str, object]) -> Identity:
        """Return the caller's identity. Raises `Unauthenticated`, or `IssuerUnavailable` if keys are unavailable."""
        ...
