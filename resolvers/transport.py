"""GraphQL over HTTP and over WebSockets, on one route."""

import asyncio
import contextlib
from datetime import timedelta

from starlette.requests import Request
from starlette.responses import Response
from starlette.websockets import WebSocket
from strawberry.asgi import GraphQL
from strawberry.http.exceptions import WebSocketDisconnected
from strawberry.subscriptions import GRAPHQL_TRANSPORT_WS_PROTOCOL
from strawberry.subscriptions.protocols.graphql_transport_ws.handlers import BaseGraphQLTransportWSHandler
from strawberry.subscriptions.protocols.graphql_transport_ws.types import ConnectionInitMessage
from strawberry.types.unset import UNSET, UnsetType

from resolvers.auth import Authenticate
from resolvers.context import Context
from resolvers.graphiql import GraphiQL
from resolvers.graphql_schema import build_schema
from services.errors import IssuerUnavailable, RendercastError, TokenExpired, Unauthenticated
from services.runtime import Services

_NO_PAYLOAD: UnsetType = UNSET
INIT_TIMEOUT = timedelta(seconds=5)
FORBIDDEN = 4403  # graphql-transport-ws
TRY_AGAIN_LATER = 1013  # https://www.iana.org/assignments/websocket/websocket.xml


class Operations(BaseGraphQLTransportWSHandler[Context, None]):
    """The operations of one WebSocket. A client that vanishes in the middle of one is nobody's mistake.

    They end when the caller's identity does.
    """

    _expiry: asyncio.Task[None] | None = None

    async def handle_connection_init(self, message: ConnectionInitMessage) -> None:
        """Let the caller in, or close with 4403 and say why; 1013 if it can't be told now who calls."""
        try:
            await super().handle_connection_init(message)
        except Unauthenticated as refusal:
            await self.websocket.close(code=FORBIDDEN, reason=str(refusal))
        except IssuerUnavailable:
            await self.websocket.close(code=TRY_AGAIN_LATER, reason="Please try again later.")
        if self.connection_acknowledged and self._expiry is None:
            self._expiry = asyncio.create_task(self._expire())

    async def shutdown(self) -> None:
        """End what is left of the connection."""
        if self._expiry is not None:
            self._expiry.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._expiry
        await super().shutdown()

    async def _expire(self) -> None:
        """Wait for the caller's identity to expire, then end all operations and close with 4403."""
        clock, identity = self.context.services.clock, self.context.identity
        if identity is None or identity.expires_at is None:
            return
        await clock.sleep(max(0.0, (identity.expires_at - clock.now()).total_seconds()))
        for operation_id in list(self.operations):
            await self.cleanup_operation(operation_id)
        await self.websocket.close(code=FORBIDDEN, reason=str(TokenExpired()))

    async def handle_task_exception(self, error: Exception) -> None:
        """Log what went wrong in an operation, unless there is nobody left to tell."""
        if not isinstance(error, WebSocketDisconnected):
            await super().handle_task_exception(error)


class GraphQLApp(GraphQL[Context, None]):
    """The ASGI application of `/graphql`. A browser's GET without a query gets GraphiQL."""

    graphql_transport_ws_handler_class = Operations

    def __init__(self, services: Services, *, authenticate: Authenticate, graphiql: GraphiQL) -> None:
        super().__init__(
            build_schema(services.settings),
            subscription_protocols=[GRAPHQL_TRANSPORT_WS_PROTOCOL],
            connection_init_wait_timeout=INIT_TIMEOUT,
        )
        self._services = services
        self._authenticate = authenticate
        self._graphiql = graphiql

    async def get_context(self, request: Request | WebSocket, response: Response | WebSocket) -> Context:  # noqa: ARG002
        """Return the context; a WebSocket's caller is found later, when it is initialised."""
        context = Context(services=self._services, connection=request)
        if isinstance(request, Request):
            with contextlib.suppress(RendercastError):  # the context raises it for what needs a caller
                await context.identify(self._authenticate, {})
        return context

    async def on_ws_connect(self, context: Context) -> UnsetType | dict[str, object] | None:
        """Find the caller of a WebSocket; `Operations` closes it if there is none."""
        await context.identify(self._authenticate, context.connection_params)
        return _NO_PAYLOAD

    async def render_graphql_ide(self, request: Request) -> Response:  # noqa: ARG002
        """Return the page for people."""
        return self._graphiql.page()
