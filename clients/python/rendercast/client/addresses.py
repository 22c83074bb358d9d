"""The addresses of a server, and its user's token."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit

Token = str | Callable[[], str | Awaitable[str | None] | None] | None

PATH = "/graphql"
WEBSOCKET_SCHEMES = {"http": "ws", "https": "wss"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """The URLs of a server. `name` is the URL in messages."""

    endpoint: str
    websocket: str
    name: str


def read_address(url: str) -> Address:
    """Return the addresses of the server with this URL, or with this URL of its `/graphql`. Raises `ValueError`."""
    parts = _split(url.strip())
    if parts is None:
        raise ValueError("It must look like http://127.0.0.1:8000 or https://host.")
    path = parts.path.rstrip("/").removesuffix(PATH)
    return Address(
        endpoint=f"{parts.scheme}://{parts.netloc}{path}{PATH}",
        websocket=f"{WEBSOCKET_SCHEMES[parts.scheme]}://{parts.netloc}{path}{PATH}",
        name=f"{parts.scheme}://{parts.netloc}{path}",
    )


def read_token(token: str | None) -> str | None:
    """Return the token without spaces around it; None if it is empty. Raises `ValueError`."""
    token = token and token.strip()
    if token and not (token.isascii() and token.isprintable() and " " not in token):
        raise ValueError("A token has no spaces, and no characters outside ASCII.")
    return token or None


def is_local(url: str) -> bool:
    """Return whether the URL's host is loopback."""
    host = urlsplit(url).hostname or ""
    with suppress(ValueError):
        return host == "localhost" or ip_address(host).is_loopback
    return False


def _split(url: str) -> SplitResult | None:
    """Return the parts of a URL; None if it can't be the URL of a server."""
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises ValueError if it is invalid, as the next line for a host that can't be looked up
        (parts.hostname or "").encode("idna")
    except ValueError:
        return None
    is_plain = not (parts.query or parts.fragment or "@" in parts.netloc)
    return parts if parts.scheme in WEBSOCKET_SCHEMES and parts.hostname and is_plain else None
