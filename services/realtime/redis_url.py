"""Parses the URL of Redis, creates connections, and describes their errors without secrets."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from redis.asyncio.connection import AbstractConnection, Connection, parse_url
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, InvalidResponse, NoPermissionError, RedisError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from services.errors import StartupError

TIMEOUT_S = 3.0  # for connecting, and for one command
URL_OPTIONS = {"connection_class", "host", "port", "path", "db", "username", "password", "client_name"}  # and ssl_*
CONNECTION_ERRORS = (RedisError, OSError, ValueError)  # redis-py raises ValueError for a malformed number in a reply
REASONS = (
    (AuthenticationError, "it doesn't accept the user or password"),
    (NoPermissionError, "it doesn't permit the user to publish and subscribe"),
    ((InvalidResponse, ValueError), "it doesn't speak the protocol of Redis"),
    (ResponseError, "it refused the command"),
    ((TimeoutError, RedisTimeoutError), "no reply in time"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisAddress:
    """The parsed URL of Redis. `display_name` contains no password; `prefix` is prepended to each channel's name."""

    display_name: str
    prefix: bytes
    connection_class: type[AbstractConnection]
    options: dict[str, Any]

    def new_connection(self) -> AbstractConnection:
        """Return a connection that is not connected yet and has no read timeout; the caller limits each wait."""
        return self.connection_class(socket_timeout=None, **self.options)


def parse_redis_url(url: str) -> RedisAddress:
    """Parse `redis://[[user]:password@]host[:port][/db]`, `rediss://` for TLS, or `unix://`.

    TLS options have redis-py's names, such as `?ssl_ca_certs=/path`. Other options that redis-py takes from a URL are
    rejected, in particular its timeouts. Raises `StartupError`, which contains no part of the URL: it may be secret.
    """
    try:
        options = _parse_options(url)
        connection_class = options.pop("connection_class", Connection)
        connection_class(**options)
    except (ValueError, TypeError, RedisError):
        raise StartupError(
            "REDIS_URL is not valid. It must look like redis://:password@host:6379/0, rediss://… or unix://…, without "
            "options other than those of TLS, and with special characters percent-encoded."
        ) from None
    host = options.get("host", "localhost")
    return RedisAddress(
        display_name=options.get("path") or f"{f'[{host}]' if ':' in host else host}:{options.get('port', 6379)}",
        prefix=f"rendercast:{options.get('db', 0)}:".encode(),
        connection_class=connection_class,
        options=options,
    )


def failure_reason(error: BaseException) -> str:
    """Return in a few words why Redis is unavailable, without text that a server may have echoed."""
    for kind, words in REASONS:
        if isinstance(error, kind):
            return words
    cause = error if isinstance(error, OSError) else error.__context__
    if isinstance(cause, OSError):
        return cause.strerror or type(cause).__name__
    return str(error).rstrip(".")


def _parse_options(url: str) -> dict[str, Any]:
    parts = urlsplit(url)
    options: dict[str, Any] = dict(parse_url(url))
    unknown = [name for name in options if name not in URL_OPTIONS and not name.startswith("ssl_")]
    if unknown or "@" in parts.path + parts.query + parts.fragment:  # an @ there: the password has a bare / ? or #
        raise ValueError
    return options | {"protocol": 2, "retry": Retry(NoBackoff(), 0), "socket_connect_timeout": TIMEOUT_S}
