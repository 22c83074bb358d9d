"""The `rendercast` command line. Each command imports only the modules that it runs, for a short start time."""

import gc
import os
import re
import sys
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from commands.client import batch, compositions, render, renders
from commands.codegen import command as codegen
from commands.doctor import command as doctor
from commands.help_texts import MAX_WIDTH, App, Group
from commands.server import compositions as server_compositions
from commands.server import forget, migrate, webhooks
from commands.server.stop_signals import exit_on_stop_signals
from services.errors import StartupError

if TYPE_CHECKING:
    from services.settings import Settings

VERSION = "0.4.0"  # pyproject.toml reads it from here
DURATION_PATTERN = re.compile(r"(?P<number>[1-9][0-9]{0,5})(?P<unit>[smhd])")
SECONDS_PER_UNIT = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
CLIENT_PANEL = "Client commands"
SERVER_PANEL = "Server commands"

Host = Annotated[str | None, typer.Option(help="Address to listen on.")]
Port = Annotated[int | None, typer.Option(help="Port to listen on; 0 selects a free one.")]

cli = App(
    cls=Group,
    context_settings={"color": False if "NO_COLOR" in os.environ else None, "max_content_width": MAX_WIDTH},
    help="A GraphQL API that renders videos, with realtime subscriptions, and its command line client.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


def main() -> None:
    """Run the command. A `StartupError` is printed without a traceback; the exit code is 1.

    Its message may contain what a renderer or a site has sent.
    """
    try:
        cli()
    except StartupError as error:
        from commands.client.views import printable  # it takes time to import

        sys.exit(printable(f"rendercast: {error}"))


def _print_version(value: bool) -> None:  # noqa: FBT001  # the value of a flag, passed by typer
    if value:
        typer.echo(f"rendercast {VERSION}")
        raise typer.Exit


@cli.callback()
def _root(
    version: Annotated[  # handled by its callback
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Run a command. Settings are read from RENDERCAST_… in the environment and in the file .env."""


cli.command(rich_help_panel=CLIENT_PANEL, epilog=render.RENDER_HELP)(render.render)
cli.command(rich_help_panel=CLIENT_PANEL, epilog=batch.HELP)(batch.batch)
cli.command(rich_help_panel=CLIENT_PANEL, epilog=render.RETRY_HELP)(render.retry)
cli.command(rich_help_panel=CLIENT_PANEL, epilog=render.WATCH_HELP)(render.watch)
cli.command(rich_help_panel=CLIENT_PANEL, epilog=render.DOWNLOAD_HELP)(render.download)
cli.command("list", rich_help_panel=CLIENT_PANEL, epilog=renders.LIST_HELP)(renders.list_renders)
cli.command("open", rich_help_panel=CLIENT_PANEL, epilog=renders.OPEN_HELP)(renders.open_output)
cli.command(rich_help_panel=CLIENT_PANEL, epilog=renders.CANCEL_HELP)(renders.cancel)
cli.command(rich_help_panel=CLIENT_PANEL, epilog=renders.DELETE_HELP)(renders.delete)
cli.command(rich_help_panel=CLIENT_PANEL, epilog=renders.QUOTA_HELP)(renders.quota)
cli.add_typer(compositions.compositions, name="compositions", rich_help_panel=CLIENT_PANEL)
cli.command(rich_help_panel=CLIENT_PANEL, epilog=codegen.HELP)(codegen.codegen)
compositions.compositions.command(rich_help_panel=SERVER_PANEL, epilog=server_compositions.HELP)(
    server_compositions.refresh
)
cli.command(rich_help_panel=SERVER_PANEL, epilog=doctor.HELP)(doctor.doctor)
cli.command(rich_help_panel=SERVER_PANEL, epilog=migrate.HELP)(migrate.migrate)
cli.command(rich_help_panel=SERVER_PANEL, epilog=forget.HELP)(forget.forget)
cli.add_typer(webhooks.webhooks, name="webhooks", rich_help_panel=SERVER_PANEL)


def _begin_start() -> None:
    """Handle stop signals, and disable the garbage collector until the server has started.

    Scanning what is imported takes a tenth of the start.
    """
    exit_on_stop_signals(code=0)
    gc.disable()


@cli.command(rich_help_panel=SERVER_PANEL)
def dev(
    host: Host = None,
    port: Port = None,
    project: Annotated[
        Path | None,
        typer.Option(help="Render the compositions of the Remotion project in this folder, or with this entry point."),
    ] = None,
) -> None:
    """Run the API, a worker, the store and the renderer in one process, without external services.

    It has one user and needs no token, so it listens on loopback only. Data is stored in .rendercast/.
    """
    _begin_start()
    from commands.server.serve import serve_one_user

    renderer = None if project is None else "node"
    serve_one_user(_settings(host=host, port=port, renderer=renderer, remotion_project=project))


@cli.command(rich_help_panel=SERVER_PANEL)
def serve(
    host: Host = None,
    port: Port = None,
    with_worker: Annotated[bool, typer.Option("--with-worker", help="Run a worker in this process too.")] = False,
) -> None:
    """Serve the API, using the MongoDB at MONGODB_URL and the Redis at REDIS_URL. Any number of processes can run.

    Users need tokens from the issuer RENDERCAST_JWT_ISSUER, or signed with RENDERCAST_JWT_SECRET.
    """
    _begin_start()
    from commands.server.serve import serve_users
    from services.settings import PLATFORM_VARIABLES

    settings = _settings(PLATFORM_VARIABLES, host=host, port=port)
    serve_users(settings, with_worker=with_worker)


@cli.command(rich_help_panel=SERVER_PANEL)
def worker() -> None:
    """Run queued renders, using the MongoDB at MONGODB_URL and the Redis at REDIS_URL. Any number can run."""
    _begin_start()
    from commands.server.worker import run_worker

    run_worker(_settings())


@cli.command(rich_help_panel=SERVER_PANEL)
def token(
    subject: Annotated[str, typer.Argument(help="ID of the user; any text that never changes.")],
    expires_in: Annotated[
        str, typer.Option(metavar="TIME", help="Lifetime: a number followed by s, m, h or d.")
    ] = "1h",
    scope: Annotated[str, typer.Option(help="Scopes, separated by spaces.")] = "",
) -> None:
    """Print a token signed with RENDERCAST_JWT_SECRET, for deployments without an issuer."""
    from auth.claims import is_subject
    from auth.tokens import make_token
    from services.settings import variable
    from services.settings.issuers import split_secrets
    from services.settings.values import items

    settings = _settings()
    if settings.auth.jwt_secret is None or settings.auth.jwt_issuer is not None:
        raise StartupError(f"{variable('jwt_secret')} is not set, or an issuer's. Only that can create tokens.")
    lifetime = _parse_duration(expires_in)
    if not is_subject(subject) or lifetime is None:
        raise StartupError(
            "A token needs a subject of 1 to 255 printable characters, and a lifetime such as 90s or 12h."
        )
    audience, secret = items(settings.auth.jwt_audience)[0], split_secrets(settings.auth.jwt_secret)[0]
    typer.echo(make_token(secret, subject=subject, audience=audience, lifetime=lifetime, scope=scope))


@cli.command(rich_help_panel=SERVER_PANEL)
def export_schema(
    path: Annotated[Path | None, typer.Argument(help="File to write; default: standard output.")] = None,
) -> None:
    """Print the GraphQL schema in the schema definition language."""
    from resolvers.schema import build_schema

    text = build_schema().as_str() + "\n"
    if path is None:
        typer.echo(text, nl=False)
    else:
        path.write_text(text, encoding="utf-8")


def _settings(fallbacks: Mapping[str, str] | None = None, /, **overrides: object) -> "Settings":
    """Load the settings. Each of `overrides` that is not None takes precedence over the environment."""
    from services.settings import load_settings

    return load_settings(fallbacks or {}, **{name: value for name, value in overrides.items() if value is not None})


def _parse_duration(text: str) -> timedelta | None:
    """Parse a duration such as `12h`; return None if it is invalid."""
    match = DURATION_PATTERN.fullmatch(text)
    return match and timedelta(seconds=int(match["number"]) * SECONDS_PER_UNIT[match["unit"]])


if __name__ == "__main__":
    main()
