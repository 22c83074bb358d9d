"""Who may hold a WebSocket, and how many."""

from collections import Counter
from http import HTTPStatus
from urllib.parse import urlsplit

from starlette.responses import Response
from starlette.websockets import WebSocket
from strawberry import Schema

from auth.bearer import Authenticate
from resolvers.context import Context
from services.runtime.services import Services
from transport.connection_limits import counted, subscriber_of
from transport.graphql_ws.connection import Connection
from transport.graphql_ws.messages import SUBPROTOCOL, CloseCode


class WebSockets:
    """Serves every WebSocket of `/graphql`."""

    def __init__(self, services: Services, *, schema: Schema, authenticate: Authenticate) -> None:
        self._services = services
        self._schema = schema
        self._authenticate = authenticate
        self._settings = services.settings
        self._of_address: Counter[str] = Counter()
        self._of_user: Counter[str] = Counter()

    async def serve(self, websocket: WebSocket) -> None:
        """Let the client in if it may, and return when it has left."""
        if not self._is_welcome(websocket):
            await websocket.send_denial_response(Response(status_code=HTTPStatus.FORBIDDEN))
            return
        address = subscriber_of(websocket.client.host if websocket.client else "")
        with counted(self._of_address, address, self._settings.max_connections_per_address) as admitted:
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
        context = Context(services=self._services)
        await Connection(
            websocket,
            context=context,
            schema=self._schema,
            authenticate=self._authenticate,
            of_user=self._of_user,
        ).run()

    def _is_welcome(self, websocket: WebSocket) -> bool:
        """Return whether no browser asks, or one that shows a site that may ask."""
        origin = websocket.headers.get("origin")
        if origin is None:
            return True
        own = {websocket.headers.get("host"), urlsplit(self._settings.base_url).netloc} - {""}
        return origin.partition("://")[2] in own or origin in self._settings.origins
