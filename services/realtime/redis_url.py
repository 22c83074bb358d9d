"""Parses the URL of Redis and creates connections. No message contains a part of the URL that may be secret."""

import difflib
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, parse_qsl, urlencode, urlsplit

from redis.asyncio.connection import AbstractConnection, Connection, SSLConnection, parse_url
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from services.errors import StartupError

TIMEOUT_S = 3.0  # for connecting, and for one command
SCHEMES = ("redis", "rediss", "unix")
OPTIONS = ("client_name", "db", "password", "username")
TLS_OPTIONS = (  # those that must fit together are in one line
    ("ssl_certfile", "ssl_keyfile", "ssl_password"),
    ("ssl_ca_certs", "ssl_ca_path", "ssl_ca_data"),
    ("ssl_cert_reqs",),
    ("ssl_check_hostname",),
    ("ssl_min_version",),
    ("ssl_ciphers",),
    ("ssl_include_verify_flags",),
    ("ssl_exclude_verify_flags",),
)
CERTIFICATE_REQUIREMENTS = ("none", "optional", "required")
BOOLEANS = ("true", "false", "t", "f", "yes", "no", "y", "n", "1", "0")  # redis-py takes any other word for true
OPTION_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,40}")
BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
ENCODING = (
    "special characters of its user and password must be percent-encoded: @ is %40, : is %3A, / is %2F, ? is %3F, "
    "# is %23, % is %25"
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
    """Parse `redis://[[user]:password@]host[:port][/db]`, `rediss://` for TLS, or `unix://[[user]:password@]/path`.

    TLS options have redis-py's names, such as `?ssl_ca_certs=/path`. Other options that redis-py takes from a URL are
    rejected, in particular its timeouts. The database number is only part of `prefix`. Raises `StartupError`, a
    sentence that names the option.
    """
    try:
        parts = _split(url)
        given = _options(parts)
        db = _database(parts, given)
        _check_tls({name: value for name, value in given.items() if name.startswith("ssl_")}, parts.scheme)
        options: dict[str, Any] = dict(parse_url(parts.geturl()))
    except ValueError as error:
        raise StartupError(f"REDIS_URL {error}.") from None
    options.pop("db", None)  # a connection that publishes and subscribes has no use for SELECT
    host = options.get("host", "localhost")
    return RedisAddress(
        display_name=options.get("path") or f"{f'[{host}]' if ':' in host else host}:{options.get('port', 6379)}",
        prefix=f"rendercast:{db}:".encode(),
        connection_class=options.pop("connection_class", Connection),
        options=options | {"protocol": 2, "retry": Retry(NoBackoff(), 0), "socket_connect_timeout": TIMEOUT_S},
    )


def _split(url: str) -> SplitResult:
    """Split the URL. Raises `ValueError` with the predicate of a sentence."""
    if any(character.isspace() or not character.isprintable() for character in url):
        raise ValueError("contains white space: a space in a password is %20")
    scheme, separator, _ = url.partition("://")
    _check_scheme(scheme.lower() if separator else "")
    if BAD_ESCAPE.search(url) or "#" in url:
        raise ValueError(f"is not valid: {ENCODING}")
    try:
        parts = urlsplit(url)
    except ValueError:
        raise ValueError(f"is not valid: {ENCODING}") from None
    if "@" in parts.path + parts.query:  # the password has a bare / or ?
        raise ValueError(f"is not valid: {ENCODING}")
    if parts.scheme == "unix":
        if parts.hostname or not parts.path.strip("/"):
            raise ValueError("must have three slashes and a path after unix, as unix:///run/redis.sock has")
        return parts
    if "," in parts.netloc.rpartition("@")[2]:
        raise ValueError("has several hosts: set it to one address, which leads to the primary")
    with suppress(ValueError):
        if parts.port != 0:
            return parts
    raise ValueError(f"has no valid port, a number from 1 to 65535, or {ENCODING}")


def _check_scheme(scheme: str) -> None:
    if "sentinel" in scheme:
        raise ValueError("is the address of a Sentinel, which is not supported: set it to that of the primary")
    if "cluster" in scheme:
        raise ValueError("is the address of a cluster: set it to redis:// and one node, which forwards to the others")
    if scheme not in SCHEMES:
        but = f", not {scheme}://" if re.fullmatch(r"[a-z][a-z+.-]{0,20}", scheme) else ""
        raise ValueError(f"must start with redis://, rediss:// (TLS) or unix://{but}")


def _options(parts: SplitResult) -> dict[str, str]:
    """Return the options of the URL's query. Raises `ValueError` with the predicate of a sentence."""
    options: dict[str, str] = {}
    for name, value in parse_qsl(parts.query, keep_blank_values=True):
        _check_option(name, value, parts.scheme)
        if name in options:
            raise ValueError(f"has the option {name} twice")
        options[name] = value
    return options


def _check_option(name: str, value: str, scheme: str) -> None:
    known = (*OPTIONS, *(each for group in TLS_OPTIONS for each in group))
    if name not in known:
        shown = f"the option {name}" if OPTION_NAME.fullmatch(name) else "an option"
        close = difflib.get_close_matches(name, known, n=1)
        remedy = f"the nearest one is {close[0]}" if close else "remove it"
        raise ValueError(f"has {shown}, which is not supported: {remedy}")
    if name.startswith("ssl_") and scheme != "rediss":
        raise ValueError(f"has the option {name}, but TLS needs rediss://")
    if not value:
        raise ValueError(f"has the option {name} without a value")
    if name == "ssl_cert_reqs" and value not in CERTIFICATE_REQUIREMENTS:
        raise ValueError(f"has the option {name}, which must be none, optional or required")
    if name == "ssl_check_hostname" and value.lower() not in BOOLEANS:
        raise ValueError(f"has the option {name}, which must be true or false")


def _database(parts: SplitResult, options: Mapping[str, str]) -> int:
    """Return the database number. Raises `ValueError` with the predicate of a sentence."""
    numbers = [*([] if parts.scheme == "unix" else [parts.path.strip("/")]), options.get("db", "")]
    numbers = [number for number in numbers if number]
    if not all(number.isascii() and number.isdecimal() and len(number) < 10 for number in numbers):  # noqa: PLR2004
        raise ValueError("has no valid database number, which is digits after the host, as in redis://host:6379/0")
    if len({int(number) for number in numbers}) > 1:
        raise ValueError("has two database numbers, in its path and in the option db")
    return int(numbers[0]) if numbers else 0


def _check_tls(options: Mapping[str, str], scheme: str) -> None:
    """Load certificates and parse the other options. Raises `ValueError` with the predicate of a sentence."""
    if not Path(options.get("ssl_ca_path", "/")).is_dir():  # OpenSSL would ignore it
        raise ValueError("has the option ssl_ca_path, which can't be used: it is not a directory")
    for names in TLS_OPTIONS if scheme == "rediss" else ():
        given = [name for name in names if name in options]
        try:
            parsed: dict[str, Any] = dict(parse_url("rediss://?" + urlencode({name: options[name] for name in given})))
            SSLConnection(**{name: parsed[name] for name in given}).ssl_context.get()
        except (ValueError, TypeError, OSError, RedisError) as error:
            reason = f": {error.strerror}" if isinstance(error, OSError) and error.strerror else ""
            raise ValueError(f"has the option {' with '.join(given)}, which can't be used{reason}") from None
