"""The WebSocket endpoint without a server, for tests in bare ASGI."""

from collections import Counter

from auth.local_developer import LocalDeveloper
from resolvers.schema import build_schema
from services.runtime.services import Services
from transport.graphql_ws.endpoint import WebSocketEndpoint
from transport.operations import OperationRunner


def websocket_endpoint(services: Services) -> WebSocketEndpoint:
    """Return the endpoint of `rendercast dev`."""
    settings = services.settings
    runner = OperationRunner(build_schema(settings.graphql), max_result_bytes=settings.graphql.max_result_bytes)
    return WebSocketEndpoint(
        services, runner=runner, authenticate=LocalDeveloper(settings.server), connections_per_user=Counter()
    )
