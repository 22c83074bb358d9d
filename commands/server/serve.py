"""`rendercast dev` and `rendercast serve`: the application on uvicorn."""

import contextlib
import gc
import logging
import math
import resource
import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from functools import partial

import typer
import uvicorn
import uvloop
from starlette.types import ASGIApp

from app import create_app
from auth.authenticator import Authenticator
from auth.local_developer import LocalDeveloper
from commands.server.listening import listen
from commands.server.logs import log_setting_warnings, log_to_stderr
from commands.server.metrics_server import listen_for_metrics, serve_metrics
from commands.server.stop_signals import handled_stop_signals
from services.errors import StartupError
from services.loopback import is_loopback
from services.runtime.adapters import open_embedded, open_production
from services.runtime.services import Services
from services.settings import ConnectionSettings, ServerSettings, Settings
from services.settings.origins import LOOPBACK_ORIGINS
from transport.connection_limits import ConnectionLimiter
from transport.trusted_proxies import ForwardedForCheck, trusted_proxies
from transport.uvicorn_http import http_protocol

MAX_WEBSOCKET_MESSAGE_BYTES = 256 * 1024
KEEP_ALIVE_S = 75  # longer than load balancers keep idle connections; else they send requests on closing ones
FILES_FOR_CONNECTIONS = 0.75  # share of the files that the process may open; the store, Redis and videos use the rest
BACKLOG = 2048  # connections that the kernel queues until they are accepted
PONG_TIMEOUT_INTERVALS = 3  # of pings: 21 s by default, since mobile networks stall for seconds
GRACE_S = 5  # for requests in progress when the process receives a stop signal

log = logging.getLogger(__name__)

OpenServices = Callable[[Settings], AbstractAsyncContextManager[Services]]
OpenAuthentication = Callable[[Settings], AbstractAsyncContextManager[Authenticator]]


def serve_one_user(settings: Settings) -> None:
    """Serve the single local user until SIGINT or SIGTERM. Raises `StartupError`."""
    if not is_loopback(settings.server.host):
        raise StartupError(
            "`rendercast dev` has no authentication, so it listens on loopback addresses only: "
            f"{settings.server.host} is not loopback."
        )
    log_to_stderr(settings.logging, default_format="text")
    # The development servers of frontends, such as Vite on http://localhost:5173.
    settings = settings.replace(allowed_origins=f"{settings.server.allowed_origins},{LOOPBACK_ORIGINS}")
    _run_server(settings, open_embedded, lambda settings: contextlib.nullcontext(LocalDeveloper(settings.server)))


def serve_users(settings: Settings, *, with_worker: bool) -> None:
    """Serve users with bearer tokens until SIGINT or SIGTERM. Raises `StartupError`."""
    # Loads aiohttp and cryptography, which take 190 ms of CPU time and which `rendercast dev` does not need.
    from auth.bearer import open_bearer_tokens
    from auth.rules import read_token_rules

    read_token_rules(settings.auth)
    log_to_stderr(settings.logging, default_format="json")
    _run_server(
        settings, partial(open_production, with_worker=with_worker), lambda settings: open_bearer_tokens(settings.auth)
    )


class Server(uvicorn.Server):
    """uvicorn's server, which always runs the end of the application's lifespan, so that its resources are closed."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Handle the stop signals while the server runs. uvicorn's method would raise them again afterwards."""
        with handled_stop_signals(self._stop, self._hurry):
            yield

    def _stop(self) -> None:
        self.should_exit = True

    def _hurry(self) -> None:
        self.force_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop. A second signal aborts requests in progress; uvicorn would then skip the end of the lifespan."""
        await super().shutdown(sockets)
        if self.force_exit:
            await self.lifespan.shutdown()


def _run_server(settings: Settings, open_services: OpenServices, open_authentication: OpenAuthentication) -> None:
    with listen_for_clients(settings.server) as listener, listen_for_metrics(settings.metrics) as metrics_listener:
        port, limit = listener.getsockname()[1], connection_limit(settings.connections)
        settings = settings.replace(port=port, max_connections=limit)
        log_setting_warnings(settings, serves=open_services is not open_embedded)
        uvloop.run(_serve(settings, open_services, open_authentication, listener, metrics_listener))


async def _serve(
    settings: Settings,
    open_services: OpenServices,
    open_authentication: OpenAuthentication,
    listener: socket.socket,
    metrics_listener: socket.socket | None,
) -> None:
    async with (
        open_services(settings) as services,
        open_authentication(settings) as authenticate,
        serve_metrics(metrics_listener, services),
    ):
        app = create_app(services, authenticate=authenticate)
        page = services.settings.server.base_url + ("/" if services.settings.pages.studio else "/graphql")
        typer.echo(f"Open {page} in a browser. Ctrl-C stops Rendercast.")
        start_garbage_collection()
        await Server(server_config(app, settings)).serve(sockets=[listener])


def start_garbage_collection() -> None:
    """Enable garbage collection, which cli.py disables for the start.

    The objects of the start live as long as the process: scanning them took a tenth of a small query's time. A new
    connection creates some 2,000 objects; with Python's threshold of 700, a third of its time was garbage collection.
    It keeps 100 of these. The second generation is collected after two collections of the first instead of ten, when
    they are still in the CPU's cache: scanning them takes half as long. The third is as frequent as by default.
    """
    gc.freeze()
    gc.set_threshold(5000, 1, 50)
    gc.enable()


def server_config(app: ASGIApp, settings: Settings) -> uvicorn.Config:
    """Return uvicorn's configuration for the application."""
    is_trusted = trusted_proxies(settings.server.trusted_proxies)
    limiter = ConnectionLimiter(
        max_connections=settings.connections.max_connections,
        max_per_network=settings.connections.max_connections_per_address,
        is_trusted=is_trusted,
    )
    return uvicorn.Config(
        app,
        lifespan="on",
        log_config=None,
        access_log=settings.logging.log_level == "debug",
        server_header=False,
        forwarded_allow_ips=settings.server.trusted_proxies,
        timeout_graceful_shutdown=GRACE_S,
        timeout_keep_alive=KEEP_ALIVE_S,
        backlog=BACKLOG,
        http=http_protocol(
            request_timeout_s=settings.server.request_timeout_s,
            connection_limiter=limiter,
            forwarded_for_check=ForwardedForCheck(is_trusted),
        ),
        ws="none",  # `http_protocol` opens them
        ws_ping_interval=settings.connections.ping_interval_s,
        ws_ping_timeout=PONG_TIMEOUT_INTERVALS * settings.connections.ping_interval_s,
        ws_max_size=MAX_WEBSOCKET_MESSAGE_BYTES,
        ws_per_message_deflate=False,
    )


def connection_limit(settings: ConnectionSettings) -> int:
    """Raise the limit of open files as needed and allowed, and return the maximum number of connections within it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = math.ceil(settings.max_connections / FILES_FOR_CONNECTIONS)
    if soft < needed:
        soft = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    limit = min(settings.max_connections, int(soft * FILES_FOR_CONNECTIONS))
    if limit < settings.max_connections:
        log.warning("Connections are limited to %d, because this process may open %d files.", limit, soft)
    return limit


def listen_for_clients(settings: ServerSettings) -> socket.socket:
    """Return a socket that listens on the configured address. Raises `StartupError`."""
    remedy = "Stop the process that uses the port, or choose another: make run PORT=8001."
    listener = listen(settings.host, settings.port, purpose="listen", setting="RENDERCAST_HOST", remedy=remedy)
    # Connections inherit it. asyncio sets it only on connections of sockets that it created itself; without it, each
    # response waits 40 ms for the client's delayed acknowledgement.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener
