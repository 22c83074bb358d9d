"""Options shared by several commands, and the server that `--url` and `--token` select."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated
from urllib.parse import SplitResult, urlsplit

import typer

from services.loopback import is_loopback

DEFAULT_URL = "http://127.0.0.1:8000"
SERVER_PANEL = "Server"
PATH = "/graphql"
WEBSOCKET_SCHEMES = {"http": "ws", "https": "wss"}

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
    """A server's URLs and the user's token. `name` is the URL in messages."""

    endpoint: str
    websocket: str
    name: str
    token: str | None

    @property
    def sends_token_unencrypted(self) -> bool:
        """Whether the token is sent to another machine without TLS."""
        return self.token is not None and self.endpoint.startswith("http:") and not is_local(self.endpoint)


def read_server(url: str, token: str | None) -> Server:
    """Return the server for `--url` and `--token`. Raises `typer.BadParameter` if one is invalid."""
    parts = _split(url.strip())
    if parts is None:
        raise typer.BadParameter("It must look like http://127.0.0.1:8000 or https://host.", param_hint="--url")
    token = token and token.strip()
    if token and not (token.isascii() and token.isprintable() and " " not in token):
        raise typer.BadParameter("A token has no spaces, and no characters outside ASCII.", param_hint="--token")
    path = parts.path.rstrip("/").removesuffix(PATH)
    return Server(
        endpoint=f"{parts.scheme}://{parts.netloc}{path}{PATH}",
        websocket=f"{WEBSOCKET_SCHEMES[parts.scheme]}://{parts.netloc}{path}{PATH}",
        name=f"{parts.scheme}://{parts.netloc}{path}",
        token=token or None,
    )


def _split(url: str) -> SplitResult | None:
    """Return the parts of a URL; None if it can't be the URL of a server."""
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises ValueError if it is invalid
    except ValueError:
        return None
    is_plain = not (parts.query or parts.fragment or "@" in parts.netloc)
    return parts if parts.scheme in WEBSOCKET_SCHEMES and parts.hostname and is_plain else None


def finite(value: float | None) -> float | None:
    """Return the value of an option. Raises `typer.BadParameter` for infinity and NaN, which JSON can't express."""
    if value is not None and not math.isfinite(value):
        raise typer.BadParameter("It must be a number.")
    return value


def is_local(url: str) -> bool:
    """Return whether the URL's host is loopback."""
    return is_loopback(urlsplit(url).hostname or "")
