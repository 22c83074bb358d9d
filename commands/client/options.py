"""Options shared by several commands, and the server that `--url` and `--token` select."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

DEFAULT_URL = "http://127.0.0.1:8000"
SERVER_PANEL = "Server"

Url = Annotated[
    str, typer.Option(envvar="RENDERCAST_URL", rich_help_panel=SERVER_PANEL, help="URL of the server.", metavar="URL")
]
Token = Annotated[
    str | None,
    typer.Option(
        envvar="RENDERCAST_TOKEN",
        rich_help_panel=SERVER_PANEL,
        help="Your token; `rendercast dev` needs none. Prefer the variable: process lists show options.",
        metavar="TOKEN",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Write JSON for scripts, one object per line.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Show errors only, no progress.")]
RenderId = Annotated[str, typer.Argument(help="ID of a render, from `rendercast list`.", metavar="ID")]
Output = Annotated[
    Path | None,
    typer.Option(
        "--output", "-o", metavar="FILE", help="Save the output here: a file, a folder, or `-` for standard output."
    ),
]
Timeout = Annotated[
    float,
    typer.Option(min=1, max=1e6, metavar="SECONDS", help="Maximum time to wait. The render continues after that."),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A server's URL and the user's token."""

    url: str
    token: str | None

    @property
    def sends_token_unencrypted(self) -> bool:
        """Whether the token is sent to another machine without TLS."""
        from rendercast.client.addresses import is_local

        return self.token is not None and self.url.startswith("http:") and not is_local(self.url)


def read_server(url: str, token: str | None) -> Server:
    """Return the server for `--url` and `--token`. Raises `typer.BadParameter` if one is invalid."""
    from rendercast.client.addresses import read_address, read_token

    try:
        name = read_address(url).name
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--url") from error
    try:
        return Server(url=name, token=read_token(token))
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--token") from error


def finite(value: float | None) -> float | None:
    """Return the value of an option. Raises `typer.BadParameter` for infinity and NaN, which JSON can't express."""
    if value is not None and not math.isfinite(value):
        raise typer.BadParameter("It must be a number.")
    return value
