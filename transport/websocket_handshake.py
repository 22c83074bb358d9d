"""The server's side of an opening handshake: RFC 6455, section 4.2."""

from base64 import b64encode
from collections.abc import Iterable
from dataclasses import dataclass
from email.utils import formatdate
from hashlib import sha1
from http import HTTPStatus
from typing import Any

from transport.rejections import Header
from transport.request_head import Handshake

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # section 1.3


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionInfo:
    """What the connection adds to the scope of a WebSocket: the addresses, and the state of the lifespan."""

    client: tuple[str, int] | None
    server: tuple[str, int | None] | None
    scheme: str
    state: dict[str, Any]


def scope_of(handshake: Handshake, info: ConnectionInfo) -> dict[str, Any]:
    """Return the ASGI scope: https://asgi.readthedocs.io/en/latest/specs/www.html#websocket-connection-scope."""
    return {
        "type": "websocket",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "scheme": info.scheme,
        "server": info.server,
        "client": info.client,
        "root_path": "",
        "state": info.state.copy(),
        "extensions": {"websocket.http.response": {}},
        **handshake.scope,
    }


def accepting_response(key: bytes, subprotocol: str | None, headers: Iterable[Header]) -> bytes:
    """Return the response that opens the WebSocket.

    Names are written as in RFC 6455: gql 4 looks for `Sec-WebSocket-Protocol` in these letters.
    """
    accept = b64encode(sha1(key + GUID, usedforsecurity=False).digest())
    upgrade = [(b"Upgrade", b"websocket"), (b"Connection", b"Upgrade"), (b"Sec-WebSocket-Accept", accept)]
    chosen = [] if subprotocol is None else [(b"Sec-WebSocket-Protocol", subprotocol.encode())]
    return _head(HTTPStatus.SWITCHING_PROTOCOLS, (*upgrade, *chosen, *headers))


def denying_response(status: int, headers: Iterable[Header], body: bytes) -> bytes:
    """Return the response that denies the handshake, after which the connection is closed."""
    given = {name.lower(): value for name, value in headers}
    date = formatdate(usegmt=True).encode()
    complete = {b"date": date, b"connection": b"close", b"content-length": b"%d" % len(body), **given}
    return _head(HTTPStatus(status), complete.items()) + body


def _head(status: HTTPStatus, headers: Iterable[Header]) -> bytes:
    lines = b"".join(b"%b: %b\r\n" % header for header in headers)
    return b"HTTP/1.1 %d %b\r\n%b\r\n" % (status, status.phrase.encode(), lines)
