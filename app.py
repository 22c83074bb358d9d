"""The ASGI application: its routes, middleware and background loops."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp

from auth.authenticator import Authenticator
from auth.render_tokens import RenderTokenAuthenticator
from pages.fonts import PATH as FONT_PATH
from pages.fonts import FontFiles
from pages.graphiql import LazyGraphiQL
from pages.share import PATH as SHARE_PATH
from pages.share import load_share_page
from pages.studio import load_studio
from resolvers.schema import build_schema
from services.backends.remotion_lambda.webhooks import PATH as WEBHOOK_PATH
from services.background.supervision import supervise
from services.runtime.services import Services
from transport.downloads import DownloadEndpoint
from transport.graphql_http import METHODS, GraphQLHttpEndpoint
from transport.graphql_stream import GraphQLStreams
from transport.graphql_ws.endpoint import PATHS, WebSocketEndpoint
from transport.health import HealthEndpoints
from transport.middleware import ResponseHeadersMiddleware, cors_middleware
from transport.operations import OperationRunner
from transport.path_prefix import with_path_prefix
from transport.remotion_webhooks import RemotionWebhookEndpoint
from transport.tracing import tracing_middleware
from transport.websocket_routing import WebSocketRouting


def create_app(services: Services, *, authenticate: Authenticator) -> ASGIApp:
    """Return the application, which runs the services' background loops during its lifespan."""

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with asyncio.TaskGroup() as tasks:
            loops = [tasks.create_task(supervise(name, loop.run)) for name, loop in services.loops.items()]
            yield
            for loop in loops:
                loop.cancel()

    settings = services.settings
    if (tokens := services.renders.tokens) is not None:
        authenticate = RenderTokenAuthenticator(tokens, services.clock, others=authenticate)
    graphiql = LazyGraphiQL(settings.pages.web_dir) if settings.pages.graphiql else None
    graphql_routes, websockets = _graphql(services, authenticate, graphiql)
    routes = [  # matched in this order: the most frequent requests come first
        *graphql_routes,
        *_page_routes(services, graphiql),
        *_service_routes(services),
    ]
    app = Starlette(lifespan=lifespan, routes=routes, middleware=[cors_middleware(settings.server.origins)])
    app.router.redirect_slashes = False  # Starlette would redirect to the host in the request's Host header
    by_type = WebSocketRouting(app, websockets)
    return ResponseHeadersMiddleware(with_path_prefix(by_type, settings.server.path_prefix))


def _graphql(
    services: Services, authenticate: Authenticator, graphiql: LazyGraphiQL | None
) -> tuple[list[BaseRoute], WebSocketEndpoint]:
    """Return the routes of GraphQL over HTTP, which include GraphiQL's page, and the application for WebSockets."""
    schema = build_schema(services.settings.graphql, tracing=services.tracing)
    runner = OperationRunner(schema, max_result_bytes=services.settings.graphql.max_result_bytes)
    connections_per_user: Counter[str] = Counter()
    streams = GraphQLStreams(services.settings.connections, runner=runner, connections_per_user=connections_per_user)
    over_http = GraphQLHttpEndpoint(
        services, schema=schema, authenticate=authenticate, graphiql=graphiql, streams=streams
    )
    over_websocket = WebSocketEndpoint(
        services, runner=runner, authenticate=authenticate, connections_per_user=connections_per_user
    )
    tracing = tracing_middleware(services.tracing)
    routes = [Route(path, over_http, methods=METHODS, middleware=tracing) for path in PATHS]
    return [*routes], over_websocket


def _page_routes(services: Services, graphiql: LazyGraphiQL | None) -> list[BaseRoute]:
    """Return the routes of the pages' files and of `/`: the studio, or a redirect to GraphiQL if it is switched off."""
    routes: list[BaseRoute] = []
    settings = services.settings
    if settings.pages.studio:
        routes += _studio_routes(services)
    elif graphiql is not None:
        routes.append(Route("/", _redirect_to(f"{settings.server.path_prefix}/graphql")))
    if graphiql is not None:  # relative to `/graphql` and to `/graphql/`
        routes.append(Route("/assets/{name:path}", graphiql.serve_file))
        routes.append(Route("/graphql/assets/{name:path}", graphiql.serve_file))
    return routes


def _studio_routes(services: Services) -> list[BaseRoute]:
    """Return the routes of the studio, and of the pages that its users share if there are render tokens."""
    pages, base_url = services.settings.pages, services.settings.server.base_url
    studio = load_studio(pages, base_url)
    routes: list[BaseRoute] = [Route("/", studio.serve_page)]
    if services.fonts is not None:
        routes.append(Route(FONT_PATH, FontFiles(services.fonts).serve))
    routes.append(Route("/assets/studio/{name:path}", studio.serve_file))
    if (tokens := services.renders.tokens) is not None:
        share = load_share_page(
            studio,
            base_url=base_url,
            renders=services.renders,
            tokens=tokens,
            limits=services.settings.graphql,
        )
        routes.append(Route(SHARE_PATH, share.serve))
    return routes


def _redirect_to(path: str) -> Callable[[Request], Awaitable[Response]]:
    async def redirect(request: Request) -> Response:  # noqa: ARG001
        return RedirectResponse(path)

    return redirect


def _service_routes(services: Services) -> list[BaseRoute]:
    """Return the routes of health checks, of downloads from this server's folder and of Remotion's webhooks."""
    health = HealthEndpoints(services)
    routes: list[BaseRoute] = [Route("/healthz", health.alive), Route("/readyz", health.ready)]
    if services.file_storage is not None:
        routes.append(Route("/files/{name}", DownloadEndpoint(services.file_storage).serve))
    if services.settings.remotion.remotion_webhook_secret is not None:
        webhooks = RemotionWebhookEndpoint(services.hub, services.settings.remotion.remotion_webhook_secret)
        routes.append(Route(WEBHOOK_PATH, webhooks.receive, methods=["POST"]))
    return routes
