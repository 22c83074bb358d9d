"""The WebSocket endpoint of `/graphql`: origin check and connection limit per address."""

from collections import Counter
from http import HTTPStatus
from urllib.parse import urlsplit

from starlette.responses import Response
from starlette.websockets import WebSocket

from auth.authenticator import Authenticator
from resolvers.context import Context
from services.runtime.services import Services
from transport.connection_limits import client_network, count_within_limit
from transport.graphql_ws.connection import Connection
from transport.graphql_ws.messages import SUBPROTOCOL, CloseCode
from transport.operations import OperationRunner


class WebSocketEndpoint:
    """Serves the WebSockets of `/graphql`, within the limits per address and per user.

    `connections_per_user` is shared with the other transport that keeps connections open.
    """

    def __init__(
        self,
        services: Services,
        *,
        runner: OperationRunner,
        authenticate: Authenticator,
        connections_per_user: Counter[str],
    ) -> None:
        self._services = services
        self._runner = runner
        self._authenticate = authenticate
        self._server = services.settings.server
        self._max_per_address = services.settings.connections.max_connections_per_address
        self._connections_per_address: Counter[str] = Counter()
        self._connections_per_user = connections_per_user

    async def serve(self, websocket: WebSocket) -> None:
        """Serve the client until it disconnects, or deny the handshake: 403 (origin), 429 (connections)."""
        if not self._is_origin_allowed(websocket):
            await websocket.send_denial_response(Response(status_code=HTTPStatus.FORBIDDEN))
            return
        address = client_network(websocket.client.host if websocket.client else "")
        with count_within_limit(self._connections_per_address, address, self._max_per_address) as admitted:
            if admitted:
                with self._services.metrics.connected():
                    await self._accept(websocket)
            else:
                await websocket.send_denial_response(Response(status_code=HTTPStatus.TOO_MANY_REQUESTS))

    async def _accept(self, websocket: WebSocket) -> None:
        if SUBPROTOCOL not in websocket.scope["subprotocols"]:
            await websocket.accept()
            await websocket.close(CloseCode.SUBPROTOCOL_NOT_ACCEPTABLE, "Subprotocol not acceptable")
            return
        await websocket.accept(SUBPROTOCOL)
        await Connection(
            websocket,
            context=Context(services=self._services),
            runner=self._runner,
            authenticate=self._authenticate,
            connections_per_user=self._connections_per_user,
        ).run()

    def _is_origin_allowed(self, websocket: WebSocket) -> bool:
        """Return whether the `Origin` header is absent, this site's own, or an allowed one.

        Browsers don't apply the same-origin policy to WebSockets, but always send `Origin`; other clients need not.
        """
        origin = websocket.headers.get("origin")
        if origin is None:
            return True
        own = {websocket.headers.get("host"), urlsplit(self._server.base_url).netloc} - {""}
        return origin.partition("://")[2] in own or origin in self._server.origins
