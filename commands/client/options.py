"""Options that several commands have, and the server that they name."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated
from urllib.parse import SplitResult, urlsplit

import typer

from services.loopback import is_loopback

DEFAULT_URL = "http://127.0.0.1:8000"
SERVER = "Which server"
PATH = "/graphql"
WEBSOCKET_SCHEMES = {"http": "ws", "https": "wss"}

Url = Annotated[
    str, typer.Option(envvar="RENDERCAST_URL", rich_help_panel=SERVER, help="Where the server is.", metavar="URL")
]
Token = Annotated[
    str | None,
    typer.Option(
        envvar="RENDERCAST_TOKEN",
        rich_help_panel=SERVER,
        help="Your token there; `rendercast dev` needs none. Set the variable, so that no list of processes has it.",
        metavar="TOKEN",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Write JSON for scripts, an object a line.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress; errors only.")]
RenderId = Annotated[str, typer.Argument(help="Id of a render, as `rendercast list` shows it.", metavar="ID")]
Output = Annotated[
    Path | None,
    typer.Option(
        "--output", "-o", metavar="FILE", help="Save the video here; `-` is standard output, a folder names it by id."
    ),
]
Timeout = Annotated[
    float, typer.Option(min=1, max=1e6, metavar="SECONDS", help="How long to wait for the end; the render goes on.")
]


class Role(StrEnum):
    """The command that is to run with these settings."""

    DEV = "dev"
    SERVE = "serve"
    WORKER = "worker"


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A server, and the token its user has there. `name` is how to speak of it."""

    endpoint: str
    websocket: str
    name: str
    token: str | None

    @property
    def is_careless(self) -> bool:
        """Whether the token can be read by whoever is on the way."""
        return self.token is not None and self.endpoint.startswith("http:") and not is_local(self.endpoint)


def read_server(url: str, token: str | None) -> Server:
    """Return the server that the options name. Wrong ones end the command as wrong usage."""
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
    """Return the parts of a URL; None if it is none that a server can have."""
    try:
        parts = urlsplit(url)
        _ = parts.port  # which raises if it is none
    except ValueError:
        return None
    is_plain = not (parts.query or parts.fragment or "@" in parts.netloc)
    return parts if parts.scheme in WEBSOCKET_SCHEMES and parts.hostname and is_plain else None


def is_local(url: str) -> bool:
    """Return whether the URL is of this machine."""
    return is_loopback(urlsplit(url).hostname or "")
