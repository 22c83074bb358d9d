"""The web application: every route, and what runs beside them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp

from auth.bearer import Authenticate
from pages.graphiql import load_graphiql
from pages.studio import load_studio
from resolvers.schema import build_schema
from services.backends.remotion_lambda.webhooks import PATH as WEBHOOK_PATH
from services.runtime.services import Services
from services.settings import Settings
from services.supervision import supervise
from transport.downloads import Downloads
from transport.graphql_http import METHODS, GraphQLOverHttp
from transport.graphql_ws.endpoint import WebSocketEndpoint
from transport.health import Health
from transport.middleware import ResponseHeadersMiddleware, cors_middleware
from transport.remotion_webhooks import RemotionWebhooks
from transport.tracing import tracing_middleware


def create_app(services: Services, *, authenticate: Authenticate) -> ASGIApp:
    """Return the application. While its lifespan is open, the hub runs, and the worker too if the services have one."""
    graphiql = load_graphiql(services.settings.pages.web_dir)
    schema = build_schema(services.settings.graphql, tracing=services.tracing)
    over_http = GraphQLOverHttp(services, schema=schema, authenticate=authenticate, graphiql=graphiql)
    over_websockets = WebSocketEndpoint(services, schema=schema, authenticate=authenticate)
    health = Health(services)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with asyncio.TaskGroup() as tasks:
            loops = [tasks.create_task(supervise(name, loop.run)) for name, loop in services.loops.items()]
            yield
            for loop in loops:
                loop.cancel()

    routes = [
        Route("/graphql", over_http, methods=METHODS, middleware=tracing_middleware(services.tracing)),
        *_home(services.settings),
        WebSocketRoute("/graphql", over_websockets.serve),
        Route("/assets/{name:path}", graphiql.serve_file),
        Route("/healthz", health.alive),
        Route("/readyz", health.ready),
    ]
    if services.local is not None:
        routes.append(Route("/files/{name}", Downloads(services.local).serve))
    if services.settings.remotion.remotion_webhook_secret is not None:
        webhooks = RemotionWebhooks(services.hub, services.settings.remotion.remotion_webhook_secret)
        routes.append(Route(WEBHOOK_PATH, webhooks.receive, methods=["POST"]))
    app = Starlette(lifespan=lifespan, routes=routes, middleware=cors_middleware(services.settings.server.origins))
    app.router.redirect_slashes = False  # to wherever the header Host says
    return ResponseHeadersMiddleware(app)


def _home(settings: Settings) -> list[Route]:
    """Return what `/` has: the studio if it is wanted."""
    if not settings.pages.studio:
        return [Route("/", _to_graphiql)]
    studio = load_studio(settings)
    return [Route("/", studio.serve_page), Route("/assets/studio/{name:path}", studio.serve_file)]


async def _to_graphiql(request: Request) -> Response:  # noqa: ARG001
    return RedirectResponse("/graphql")
