"""The WebSocket endpoint of `/graphql`: origin check and connection limit per address."""

import logging
from collections import Counter
from http import HTTPStatus
from urllib.parse import urlsplit

from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket

from auth.authenticator import Authenticator
from resolvers.context import Context
from services.runtime.services import Services
from services.settings.origins import origin_pattern
from transport.connection_limits import KeyedSlot, client_network
from transport.graphql_ws.connection import Connection
from transport.graphql_ws.messages import SUBPROTOCOL, CloseCode
from transport.operations import OperationRunner
from transport.rejections import Rejection

PATHS = ("/graphql", "/graphql/")
FOREIGN_ORIGIN = Rejection(
    HTTPStatus.FORBIDDEN, "Pages of this origin can't open WebSockets to this server.", code="FORBIDDEN"
)
TOO_MANY_CONNECTIONS = Rejection(
    HTTPStatus.TOO_MANY_REQUESTS,
    "There are too many WebSockets from your network. Close some, or try again later.",
    ((b"retry-after", b"10"),),
    code="LIMIT_EXCEEDED",
)
UNKNOWN_PATH = Rejection(HTTPStatus.FORBIDDEN, "There are no WebSockets at this path. Use /graphql.", code="NOT_FOUND")

log = logging.getLogger(__name__)


class WebSocketEndpoint:
    """An ASGI application for WebSockets: serves those of `/graphql`, within the limits per address and per user.

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
        self._allowed_origins = origin_pattern(self._server.origins)
        self._max_per_address = services.settings.connections.max_connections_per_address
        self._connections_per_address: Counter[str] = Counter()
        self._connections_per_user = connections_per_user

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the client until it disconnects, or deny the handshake: 403 (path, origin), 429 (connections)."""
        websocket = WebSocket(scope, receive, send)
        if scope["path"] not in PATHS:
            log.warning("rejected a WebSocket for the path %.200r: only /graphql has WebSockets", scope["path"])
            await _deny(websocket, UNKNOWN_PATH)
            return
        if not self._is_origin_allowed(websocket):
            self._log_origin(websocket)
            await _deny(websocket, FOREIGN_ORIGIN)
            return
        address = client_network(websocket.client.host if websocket.client else "")
        with KeyedSlot(self._connections_per_address, address, self._max_per_address) as admitted:
            if admitted:
                with self._services.metrics.connected():
                    await self._accept(websocket)
            else:
                log.warning(
                    "rejected a WebSocket: %s has %d, the maximum (RENDERCAST_MAX_CONNECTIONS_PER_ADDRESS); if that is "
                    "a proxy, add it to RENDERCAST_TRUSTED_PROXIES",
                    address,
                    self._max_per_address,
                )
                await _deny(websocket, TOO_MANY_CONNECTIONS)

    async def _accept(self, websocket: WebSocket) -> None:
        offered = websocket.scope["subprotocols"]
        if SUBPROTOCOL not in offered:
            log.warning("rejected a WebSocket: it offers the subprotocols %.200r and not %s", offered, SUBPROTOCOL)
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
        return origin.partition("://")[2] in own or self._allowed_origins.fullmatch(origin) is not None

    def _log_origin(self, websocket: WebSocket) -> None:
        log.warning(
            "rejected a WebSocket: its Origin %.200r is neither that of its Host %.200r, nor that of %s, nor one of "
            "RENDERCAST_ALLOWED_ORIGINS",
            websocket.headers.get("origin"),
            websocket.headers.get("host"),
            self._server.base_url,
        )


async def _deny(websocket: WebSocket, rejection: Rejection) -> None:
    headers = {name.decode(): value.decode() for name, value in rejection.headers}
    response = Response(rejection.body(), rejection.status, headers, "application/json")
    await websocket.send_denial_response(response)
