"""The `rendercast` command. Each of its commands loads what it runs, and nothing else: `list` no server."""

import re
import sys
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from commands.client import render, renders
from commands.doctor import command as doctor
from commands.server import webhooks
from services.errors import StartupError

if TYPE_CHECKING:
    from services.settings import Settings

TIME = re.compile(r"(?P<number>[1-9][0-9]{0,5})(?P<unit>[smhd])")
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
ASKING = "Videos from a server"
SERVING = "Being a server"

Host = Annotated[str | None, typer.Option(help="Address to listen on.")]
Port = Annotated[int | None, typer.Option(help="Port to listen on; 0 takes a free one.")]

cli = typer.Typer(
    help="Turns Render buttons into videos: a GraphQL API with realtime subscriptions.",
    no_args_is_help=True,
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


cli.command(rich_help_panel=ASKING, epilog=render.RENDER_HELP)(render.render)
cli.command(rich_help_panel=ASKING, epilog=render.WATCH_HELP)(render.watch)
cli.command(rich_help_panel=ASKING, epilog=render.DOWNLOAD_HELP)(render.download)
cli.command("list", rich_help_panel=ASKING, epilog=renders.LIST_HELP)(renders.list_renders)
cli.command(rich_help_panel=ASKING, epilog=renders.CANCEL_HELP)(renders.cancel)
cli.command(rich_help_panel=ASKING, epilog=renders.QUOTA_HELP)(renders.quota)
cli.command(rich_help_panel=SERVING, epilog=doctor.HELP)(doctor.doctor)
cli.add_typer(webhooks.webhooks, name="webhooks", rich_help_panel=SERVING)


@cli.command(rich_help_panel=SERVING)
def dev(host: Host = None, port: Port = None) -> None:
    """Run everything in one process, with no account anywhere: API, worker, store, renderer.

    You are its one user, so it listens to this machine only. Data is kept in .rendercast/.
    """
    from commands.server.serve import serve_one_user

    serve_one_user(_settings(host=host, port=port))


@cli.command(rich_help_panel=SERVING)
def serve(
    host: Host = None,
    port: Port = None,
    with_worker: Annotated[bool, typer.Option("--with-worker", help="Carry renders in this process as well.")] = False,
) -> None:
    """Serve the API on the MongoDB of MONGODB_URL and the Redis of REDIS_URL; any number of these may run.

    Its users have tokens of the issuer of RENDERCAST_JWT_ISSUER, or signed with RENDERCAST_JWT_SECRET.
    """
    from commands.server.serve import serve_users

    serve_users(_settings(host=host, port=port), with_worker=with_worker)


@cli.command(rich_help_panel=SERVING)
def worker() -> None:
    """Carry renders on the MongoDB of MONGODB_URL and the Redis of REDIS_URL; any number of these may run."""
    from commands.server.worker import run_worker

    run_worker(_settings())


@cli.command(rich_help_panel=SERVING)
def token(
    subject: Annotated[str, typer.Argument(help="Whom it is for: any name that stays the same.")],
    expires_in: Annotated[
        str, typer.Option(metavar="TIME", help="How long it is good: a number with s, m, h or d behind it.")
    ] = "1h",
    scope: Annotated[str, typer.Option(help="Scopes it has, with spaces between.")] = "",
) -> None:
    """Print a token that RENDERCAST_JWT_SECRET signs, for deployments that have no issuer of their own."""
    from auth.tokens import is_subject, make_token
    from services.settings import variable

    settings = _settings()
    if settings.auth.jwt_secret is None:
        raise StartupError(f"{variable('jwt_secret')} is not set, so tokens are made by the issuer and not here.")
    lifetime = _time(expires_in)
    if not is_subject(subject) or lifetime is None:
        raise StartupError("A token needs a subject of 1 to 255 printable characters, and a time such as 90s or 12h.")
    audience = settings.auth.jwt_audience
    typer.echo(make_token(settings.auth.jwt_secret, subject=subject, audience=audience, lifetime=lifetime, scope=scope))


@cli.command(rich_help_panel=SERVING)
def export_schema(
    path: Annotated[Path | None, typer.Argument(help="File to write; standard output if left out.")] = None,
) -> None:
    """Print the GraphQL schema in its definition language."""
    from resolvers.schema import build_schema

    text = build_schema().as_str() + "\n"
    if path is None:
        typer.echo(text, nl=False)
    else:
        path.write_text(text, encoding="utf-8")


def _settings(**given: object) -> "Settings":
    """Read the settings; what is given and not None goes before the environment."""
    from services.settings import load_settings

    return load_settings(**{name: value for name, value in given.items() if value is not None})


def _time(text: str) -> timedelta | None:
    """Return what a text such as `12h` means; None if it isn't one."""
    found = TIME.fullmatch(text)
    return found and timedelta(seconds=int(found["number"]) * SECONDS[found["unit"]])


if __name__ == "__main__":
    main()
