"""The `rendercast` command."""

import asyncio
import contextlib
import ipaddress
import logging
import re
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
import uvicorn
from starlette.applications import Starlette

from app import create_app
from resolvers.auth import Authenticate, local_developer, open_bearer_tokens, read_token_rules
from resolvers.graphql_schema import build_schema
from resolvers.punctual import PunctualWebSockets, http_within
from resolvers.tokens import is_subject, make_token
from services.errors import StartupError
from services.runtime import Services, open_embedded, open_production
from services.settings import Settings, load_settings, variable
from services.supervision import keep_running

MAX_WEBSOCKET_MESSAGE_BYTES = 256 * 1024
TIME = re.compile(r"(?P<number>[1-9][0-9]{0,5})(?P<unit>[smhd])")
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)
KEEP_ALIVE_S = 75  # longer than load balancers keep idle connections, who else send requests into a closing one
GRACE_S = 5  # for requests under way when the process is asked to stop

Host = Annotated[str | None, typer.Option(help="Address to listen on.")]
Port = Annotated[int | None, typer.Option(help="Port to listen on; 0 takes a free one.")]
OpenServices = Callable[[Settings], AbstractAsyncContextManager[Services]]
OpenAuthentication = Callable[[Settings], AbstractAsyncContextManager[Authenticate]]

cli = typer.Typer(
    help="Turns Render buttons into videos: a GraphQL API with realtime subscriptions.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def main() -> None:
    """Run the command. A start that can't succeed ends with one sentence and exit code 1."""
    try:
        cli()
    except StartupError as error:
        sys.exit(f"rendercast: {error}")


@cli.callback()
def _about() -> None:
    """Read the settings of RENDERCAST_… from the environment and from a file .env, then do as told."""


@cli.command()
def dev(host: Host = None, port: Port = None) -> None:
    """Run everything in one process, with no account anywhere: API, worker, store, renderer.

    You are its one user, so it listens to this machine only. Data is kept in .rendercast/.
    """
    settings = _settings(host=host, port=port)
    if not _is_loopback(settings.host):
        raise StartupError(
            f"`rendercast dev` knows no users, so it only listens to this machine; {settings.host} is not loopback."
        )
    _run_server(settings, open_embedded, lambda _: contextlib.nullcontext(local_developer))


@cli.command()
def serve(
    host: Host = None,
    port: Port = None,
    with_worker: Annotated[bool, typer.Option("--with-worker", help="Carry renders in this process as well.")] = False,
) -> None:
    """Serve the API on the MongoDB of MONGODB_URL and the Redis of REDIS_URL; any number of these may run.

    Its users have tokens of the issuer of RENDERCAST_JWT_ISSUER, or signed with RENDERCAST_JWT_SECRET.
    """
    settings = _settings(host=host, port=port)
    read_token_rules(settings)
    _run_server(settings, partial(open_production, with_worker=with_worker), open_bearer_tokens)


@cli.command()
def worker() -> None:
    """Carry renders on the MongoDB of MONGODB_URL and the Redis of REDIS_URL; any number of these may run."""
    settings = _settings()
    _log_to_stderr(settings)
    asyncio.run(_work(settings))


@cli.command()
def token(
    subject: Annotated[str, typer.Argument(help="Whom it is for: any name that stays the same.")],
    expires_in: Annotated[
        str, typer.Option(metavar="TIME", help="How long it is good: a number with s, m, h or d behind it.")
    ] = "1h",
    scope: Annotated[str, typer.Option(help="Scopes it has, with spaces between.")] = "",
) -> None:
    """Print a token that RENDERCAST_JWT_SECRET signs, for deployments that have no issuer of their own."""
    settings = _settings()
    if settings.jwt_secret is None:
        raise StartupError(f"{variable('jwt_secret')} is not set, so tokens are made by the issuer and not here.")
    lifetime = _time(expires_in)
    if not is_subject(subject) or lifetime is None:
        raise StartupError("A token needs a subject of 1 to 255 printable characters, and a time such as 90s or 12h.")
    audience = settings.jwt_audience
    typer.echo(make_token(settings.jwt_secret, subject=subject, audience=audience, lifetime=lifetime, scope=scope))


@cli.command()
def export_schema(
    path: Annotated[Path | None, typer.Argument(help="File to write; standard output if left out.")] = None,
) -> None:
    """Print the GraphQL schema in its definition language."""
    text = build_schema().as_str() + "\n"
    if path is None:
        typer.echo(text, nl=False)
    else:
        path.write_text(text, encoding="utf-8")


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


def _settings(**given: object) -> Settings:
    """Read the settings; what is given and not None goes before the environment."""
    return load_settings(**{name: value for name, value in given.items() if value is not None})


def _time(text: str) -> timedelta | None:
    """Return what a text such as `12h` means; None if it isn't one."""
    found = TIME.fullmatch(text)
    return found and timedelta(seconds=int(found["number"]) * SECONDS[found["unit"]])


class WithoutQueries(logging.Filter):
    """Cuts the query off each path that uvicorn logs: it may hold the signature of a URL, or a text of a user's."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let the record through, with less in it."""
        if isinstance(record.args, tuple):
            record.args = tuple(arg.partition("?")[0] if isinstance(arg, str) else arg for arg in record.args)
        return True


def _log_to_stderr(settings: Settings) -> None:
    logging.basicConfig(level=settings.log_level.upper(), format="%(asctime)s %(levelname)-7s %(name)s: %(message)s")
    for driver in ("boto3", "botocore", "pymongo"):  # which else tell of each command
        logging.getLogger(driver).setLevel(logging.WARNING)
    logging.getLogger("uvicorn.error").setLevel(logging.INFO)  # which else repeats all that is said on a WebSocket
    for name in ("uvicorn.access", "uvicorn.error"):
        logging.getLogger(name).addFilter(WithoutQueries())


def _run_server(settings: Settings, open_services: OpenServices, open_authentication: OpenAuthentication) -> None:
    with listen(settings) as listener:
        settings = settings.model_copy(update={"port": listener.getsockname()[1]})
        _log_to_stderr(settings)
        asyncio.run(_serve(settings, open_services, open_authentication, listener))


async def _serve(
    settings: Settings,
    open_services: OpenServices,
    open_authentication: OpenAuthentication,
    listener: socket.socket,
) -> None:
    async with open_services(settings) as services, open_authentication(settings) as authenticate:
        app = create_app(services, authenticate=authenticate)
        typer.echo(f"Open {settings.base_url}/graphql in a browser. Ctrl-C stops Rendercast.")
        await Server(server_config(app, settings)).serve(sockets=[listener])


async def _work(settings: Settings) -> None:
    async with open_production(settings, with_worker=True) as services:
        if services.tracker is None:
            raise AssertionError  # a production with a worker has one, or doesn't open
        working = asyncio.ensure_future(keep_running("worker", services.tracker.run))
        loop = asyncio.get_running_loop()
        for number in STOP_SIGNALS:
            loop.add_signal_handler(number, working.cancel)
        typer.echo(f"Worker {services.tracker.worker} carries renders. Ctrl-C stops it.")
        with contextlib.suppress(asyncio.CancelledError):
            await working


def server_config(app: Starlette, settings: Settings) -> uvicorn.Config:
    """Return how the application is served."""
    return uvicorn.Config(
        app,
        lifespan="on",
        log_config=None,
        access_log=settings.log_level == "debug",
        server_header=False,
        forwarded_allow_ips=settings.trusted_proxies,
        timeout_graceful_shutdown=GRACE_S,
        timeout_keep_alive=KEEP_ALIVE_S,
        http=http_within(settings.request_timeout_s),
        ws=PunctualWebSockets,
        ws_ping_interval=settings.ping_interval_s,
        ws_ping_timeout=settings.ping_interval_s,
        ws_max_size=MAX_WEBSOCKET_MESSAGE_BYTES,
        ws_per_message_deflate=False,
    )


def _is_loopback(host: str) -> bool:
    with contextlib.suppress(ValueError):
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    return False


def listen(settings: Settings) -> socket.socket:
    """Return a socket that listens on the settings' address. Raises `StartupError`."""
    try:
        listener = socket.create_server((settings.host, settings.port), family=_family(settings.host), backlog=2048)
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


if __name__ == "__main__":
    main()
