"""Where Redis is, how connections to it are made, and why they fail, in words without anything secret."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from redis.asyncio.connection import AbstractConnection, Connection, parse_url
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, InvalidResponse, NoPermissionError, RedisError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from services.errors import StartupError

LIMIT_S = 3.0  # for connecting, and for one command
URL_OPTIONS = {"connection_class", "host", "port", "path", "db", "username", "password", "client_name"}  # and ssl_*
FAULTS = (RedisError, OSError, ValueError)  # the last is what redis-py raises for a number that is none
REASONS = (
    (AuthenticationError, "it doesn't accept the user or password"),
    (NoPermissionError, "it doesn't permit the user to publish and subscribe"),
    ((InvalidResponse, ValueError), "it doesn't speak the protocol of Redis"),
    (ResponseError, "it refused"),
    ((TimeoutError, RedisTimeoutError), "no answer in time"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Broker:
    """Where Redis is. `name` is fit to be shown: it has no password in it."""

    name: str
    prefix: bytes
    connection_class: type[AbstractConnection]
    options: dict[str, Any]

    def new_connection(self) -> AbstractConnection:
        """Return a connection that is not connected yet and waits for answers as long as it is told to."""
        return self.connection_class(socket_timeout=None, **self.options)


def read_url(url: str) -> Broker:
    """Return what a URL says: `redis://[[user]:password@]host[:port][/db]`, `rediss://` for TLS, or `unix://`.

    Certificates are given as redis-py names them, such as `?ssl_ca_certs=/path`. What else redis-py takes from a
    URL is refused, above all its timeouts. Raises `StartupError` without a word of the URL, which may be secret.
    """
    try:
        options = _options(url)
        connection_class = options.pop("connection_class", Connection)
        connection_class(**options)
    except (ValueError, TypeError, RedisError):
        raise StartupError(
            "The URL of Redis can't be used: it must look like redis://:password@host:6379/0, rediss://… or unix://…, "
            "without options other than those of TLS, and with special characters percent-encoded."
        ) from None
    host = options.get("host", "localhost")
    return Broker(
        name=options.get("path") or f"{f'[{host}]' if ':' in host else host}:{options.get('port', 6379)}",
        prefix=f"rendercast:{options.get('db', 0)}:".encode(),
        connection_class=connection_class,
        options=options,
    )


def reason(error: BaseException) -> str:
    """Say why Redis is away in a few words, without what a server might have echoed."""
    for kind, words in REASONS:
        if isinstance(error, kind):
            return words
    cause = error if isinstance(error, OSError) else error.__context__
    if isinstance(cause, OSError):
        return cause.strerror or type(cause).__name__
    return str(error).rstrip(".")


def _options(url: str) -> dict[str, Any]:
    parts = urlsplit(url)
    options: dict[str, Any] = dict(parse_url(url))
    unknown = [name for name in options if name not in URL_OPTIONS and not name.startswith("ssl_")]
    if unknown or "@" in parts.path + parts.query + parts.fragment:  # the latter is the end of a password with a /?#
        raise ValueError
    return options | {"protocol": 2, "retry": Retry(NoBackoff(), 0), "socket_connect_timeout": LIMIT_S}
