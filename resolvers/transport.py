"""GraphQL over HTTP and over WebSockets, on one route."""

from datetime import timedelta

from starlette.requests import Request
from starlette.responses import Response
from starlette.websockets import WebSocket
from strawberry.asgi import GraphQL
from strawberry.exceptions import ConnectionRejectionError
from strawberry.http.exceptions import WebSocketDisconnected
from strawberry.subscriptions import GRAPHQL_TRANSPORT_WS_PROTOCOL
from strawberry.subscriptions.protocols.graphql_transport_ws.handlers import BaseGraphQLTransportWSHandler
from strawberry.types.unset import UNSET, UnsetType

from resolvers.auth import Authenticate
from resolvers.context import Context
from resolvers.graphiql import GraphiQL
from resolvers.graphql_schema import build_schema
from services.runtime import Services

_NO_PAYLOAD: UnsetType = UNSET
INIT_TIMEOUT = timedelta(seconds=5)


class Operations(BaseGraphQLTransportWSHandler[Context, None]):
    """The operations of one WebSocket. A client that vanishes in the middle of one is nobody's mistake."""

    async def handle_task_exception(self, error: Exception) -> None:
        """Log what went wrong in an operation, unless there is nobody left to tell."""
        if not isinstance(error, WebSocketDisconnected):
            await super().handle_task_exception(error)


class GraphQLApp(GraphQL[Context, None]):
    """The ASGI application of `/graphql`. A browser's GET without a query gets GraphiQL."""

    graphql_transport_ws_handler_class = Operations

    def __init__(self, services: Services, *, authenticate: Authenticate, graphiql: GraphiQL) -> None:
        super().__init__(
            build_schema(),
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
            context.known_caller = await self._authenticate(request, {})
        return context

    async def on_ws_connect(self, context: Context) -> UnsetType | dict[str, object] | None:
        """Find the caller of a WebSocket, or refuse it with 4403."""
        context.known_caller = await self._authenticate(context.connection, context.connection_params)
        if context.known_caller is None:
            raise ConnectionRejectionError
        return _NO_PAYLOAD

    async def render_graphql_ide(self, request: Request) -> Response:  # noqa: ARG002
        """Return the page for people."""
        return self._graphiql.page()
