"""`rendercast dev` and `rendercast serve`: the application behind uvicorn."""

import asyncio
import contextlib
import gc
import logging
import math
import resource
import signal
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
from auth.bearer import open_bearer_tokens, read_token_rules
from auth.local_developer import LocalDeveloper
from commands.server.logs import log_to_stderr
from commands.server.metrics_server import listen_for_metrics, serve_metrics
from services.errors import StartupError
from services.loopback import is_loopback
from services.runtime.adapters import open_embedded, open_production
from services.runtime.services import Services
from services.settings import ConnectionSettings, ServerSettings, Settings
from transport.connection_limits import ConnectionLimiter
from transport.trusted_proxies import trusted_proxies
from transport.uvicorn_http import http_protocol
from transport.uvicorn_websockets import WebSocketProtocol

MAX_WEBSOCKET_MESSAGE_BYTES = 256 * 1024
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)
KEEP_ALIVE_S = 75  # longer than load balancers keep idle connections, who else send requests into a closing one
FILES_FOR_CONNECTIONS = 0.75  # of those that the process may open; the others are for the store, Redis and videos
MAX_PENDING = 2048  # connections that the kernel keeps until they are accepted
GRACE_S = 5  # for requests under way when the process is asked to stop

log = logging.getLogger(__name__)

OpenServices = Callable[[Settings], AbstractAsyncContextManager[Services]]
OpenAuthentication = Callable[[Settings], AbstractAsyncContextManager[Authenticator]]


def serve_one_user(settings: Settings) -> None:
    """Serve the one user of this machine until SIGINT or SIGTERM. Raises `StartupError`."""
    if not is_loopback(settings.server.host):
        raise StartupError(
            "`rendercast dev` has no authentication, so it listens on loopback addresses only: "
            f"{settings.server.host} is not loopback."
        )
    log_to_stderr(settings.logging, usual="text")
    _run_server(settings, open_embedded, lambda settings: contextlib.nullcontext(LocalDeveloper(settings.server)))


def serve_users(settings: Settings, *, with_worker: bool) -> None:
    """Serve whoever has a token until SIGINT or SIGTERM. Raises `StartupError`."""
    read_token_rules(settings.auth)
    log_to_stderr(settings.logging, usual="json")
    _run_server(
        settings, partial(open_production, with_worker=with_worker), lambda settings: open_bearer_tokens(settings.auth)
    )


class Server(uvicorn.Server):
    """uvicorn that ends its application's lifespan however it is stopped, so that what is open can be closed."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Handle the signals while the server runs, and don't raise them again afterwards."""
        loop = asyncio.get_running_loop()
        for number in STOP_SIGNALS:
            loop.add_signal_handler(number, self.handle_exit, number, None)
        try:
            yield
        finally:
            for number in STOP_SIGNALS:
                loop.remove_signal_handler(number)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop; a second signal cuts short what is under way, and uvicorn alone would skip the lifespan then."""
        await super().shutdown(sockets)
        if self.force_exit:
            await self.lifespan.shutdown()


def _run_server(settings: Settings, open_services: OpenServices, open_authentication: OpenAuthentication) -> None:
    with listen(settings.server) as listener, listen_for_metrics(settings.metrics) as metrics_listener:
        found = {"port": listener.getsockname()[1], "max_connections": most_connections(settings.connections)}
        settings = settings.replace(**found)
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
        gc.freeze()  # what there is now stays: looking through it again and again takes a tenth of a small query's time
        await Server(server_config(app, settings)).serve(sockets=[listener])


def server_config(app: ASGIApp, settings: Settings) -> uvicorn.Config:
    """Return how the application is served."""
    limiter = ConnectionLimiter(
        max_connections=settings.connections.max_connections,
        max_per_network=settings.connections.max_connections_per_address,
        is_trusted=trusted_proxies(settings.server.trusted_proxies),
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
        backlog=MAX_PENDING,
        http=http_protocol(request_timeout_s=settings.server.request_timeout_s, connection_limiter=limiter),
        ws=WebSocketProtocol,
        ws_ping_interval=settings.connections.ping_interval_s,
        ws_ping_timeout=settings.connections.ping_interval_s,
        ws_max_size=MAX_WEBSOCKET_MESSAGE_BYTES,
        ws_per_message_deflate=False,
    )


def most_connections(settings: ConnectionSettings) -> int:
    """Return how many connections there may be, after asking the system for as many files as they take."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = math.ceil(settings.max_connections / FILES_FOR_CONNECTIONS)
    if soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    most = min(settings.max_connections, int(soft * FILES_FOR_CONNECTIONS))
    if most < settings.max_connections:
        log.warning("There may be %d connections at once, because this process may open %d files.", most, soft)
    return most


def listen(settings: ServerSettings) -> socket.socket:
    """Return a socket that listens on the settings' address. Raises `StartupError`."""
    try:
        listener = socket.create_server((settings.host, settings.port), family=_family(settings.host))
    except OSError as error:
        raise StartupError(
            f"Can't listen on {settings.host}:{settings.port}: {error.strerror}. "
            "Stop what uses the port, or choose another: make run PORT=8001."
        ) from error
    # Inherited by connections. asyncio sets it on those of sockets it made itself only; without, each answer waits
    # 40 ms for the client's delayed acknowledgement.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET
