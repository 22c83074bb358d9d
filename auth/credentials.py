"""Finds the bearer token of an HTTP request or a WebSocket: RFC 6750."""

import re
from collections.abc import Mapping

from starlette.requests import HTTPConnection

from services.errors import TokenInvalid

MAX_TOKEN_LENGTH = 32 * 1024  # characters; tokens that list hundreds of groups have some 10,000
BEARER = re.compile(r"bearer +(?P<token>[\w-]+\.[\w-]+\.[\w-]+)", re.ASCII | re.IGNORECASE)
PARAMETERS = ("Authorization", "authorization")  # of `connection_init`


def find_token(connection: HTTPConnection, params: Mapping[str, object]) -> str | None:
    """Return the only bearer token; None if there is none. Raises `TokenInvalid` if it is malformed or one of several.

    `params` are those of `connection_init`. The header of a WebSocket's handshake counts if there is no parameter and
    the client is no browser: a browser sends its credentials with handshakes from any site, and always an `Origin`.
    """
    headers = connection.scope["headers"]
    values: list[object] = [value.decode("latin-1") for name, value in headers if name == b"authorization"]
    if connection.scope["type"] == "websocket":
        given = [params[name] for name in PARAMETERS if params.get(name) is not None]
        is_browser = any(name == b"origin" for name, _ in headers)
        values = given or ([] if is_browser else values)
    match values:
        case []:
            return None
        case [str(value)] if len(value) <= MAX_TOKEN_LENGTH and (found := BEARER.fullmatch(value)):
            return found["token"]
        case _:
            raise TokenInvalid
