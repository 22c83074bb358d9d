"""Checks of a request's head that the HTTP parser does not make, and of WebSocket handshakes."""

import base64
import binascii
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import unquote

from httptools import parse_url

from transport.rejections import MALFORMED, TOO_MANY_HEADERS, Header, Rejection, RequestRejected

MAX_HEADERS = 100
MAX_WEBSOCKET_FIELD_BYTES = 8 * 1024  # of a header Sec-WebSocket-…: browsers send less than 200
WEBSOCKET_FIELDS = b"sec-websocket-"
UPGRADE = (b"upgrade", b"websocket")
HANDSHAKE_FIELDS = (b"upgrade", b"sec-websocket-key")
CHECKED_FIELDS = frozenset({b"transfer-encoding", b"sec-websocket-key"})

UPGRADE_REMOVED = Rejection(
    HTTPStatus.UPGRADE_REQUIRED,
    "This WebSocket handshake arrived without its headers `Connection: Upgrade` and `Upgrade: websocket`. A proxy in "
    "front of this server has probably removed them. It must use HTTP/1.1 and pass both headers on.",
    (UPGRADE,),
)
WRONG_VERSION = Rejection(
    HTTPStatus.UPGRADE_REQUIRED,
    "This server supports version 13 of the WebSocket protocol only (RFC 6455).",
    ((b"sec-websocket-version", b"13"), UPGRADE),
)
INVALID_KEY = Rejection(
    HTTPStatus.BAD_REQUEST, "A WebSocket handshake needs one Sec-WebSocket-Key of 16 bytes in Base64."
)
SEVERAL_ORIGINS = Rejection(HTTPStatus.BAD_REQUEST, "A WebSocket handshake must not have more than one Origin.")
HANDSHAKE_WITH_BODY = Rejection(HTTPStatus.BAD_REQUEST, "A WebSocket handshake must not have a body.")
FIELD_TOO_LARGE = Rejection(
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    f"A header Sec-WebSocket-… must not be larger than {MAX_WEBSOCKET_FIELD_BYTES} bytes.",
)
UNKNOWN_CODING = Rejection(HTTPStatus.NOT_IMPLEMENTED, "The only supported transfer encoding is chunked.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Handshake:
    """A valid WebSocket handshake: its key, and the parts of the ASGI scope that the request determines."""

    key: bytes
    scope: Mapping[str, object]


def check_head(method: bytes, version: str, headers: Sequence[Header]) -> None:
    """Raise `RequestRejected` for a request that is not handled. `version` is that of HTTP, such as "1.1"."""
    names = [name for name, _ in headers]
    if len(names) > MAX_HEADERS:
        raise RequestRejected(TOO_MANY_HEADERS)
    hosts = names.count(b"host")
    if (hosts != 1 and (hosts or version == "1.1")) or method == b"CONNECT":  # RFC 9112, section 3.2
        raise RequestRejected(MALFORMED)
    if not CHECKED_FIELDS.isdisjoint(names):
        _check_codings(version, values(headers, b"transfer-encoding"))
        _check_upgrade(method, version, headers)


def head_size(url: bytes, headers: Iterable[Header]) -> int:
    """Return the approximate size of a head in bytes."""
    return len(url) + sum(len(name) + len(value) + len(": \r\n") for name, value in headers)


def wants_websocket(method: bytes, version: str, headers: Iterable[Header]) -> bool:
    """Return whether the request asks for an upgrade to a WebSocket. HTTP/1.0 has none: RFC 9110, section 7.8."""
    return (
        method == b"GET"
        and version == "1.1"
        and b"upgrade" in values(headers, b"connection")
        and b"websocket" in values(headers, b"upgrade")
    )


def read_handshake(url: bytes, headers: Sequence[Header]) -> Handshake:
    """Return a handshake. Raises `HttpParserError` for an invalid URL, and `RequestRejected` as `_read_key`."""
    key, parsed = _read_key(headers), parse_url(url)
    try:
        path = parsed.path.decode("ascii")
    except UnicodeDecodeError:
        raise RequestRejected(MALFORMED) from None
    scope = {
        "path": unquote(path),
        "raw_path": parsed.path,
        "query_string": parsed.query or b"",
        "headers": headers,
        "subprotocols": _subprotocols(headers),
    }
    return Handshake(key=key, scope=scope)


def without_upgrade(method: bytes, url: bytes, version: str, headers: Iterable[Header]) -> bytes:
    """Return the head of the same request without upgrade, which a server may ignore: RFC 9110, section 7.8."""
    lines = b"".join(b"%b: %b\r\n" % header for header in headers if header[0] not in HANDSHAKE_FIELDS)
    return b"%b %b HTTP/%b\r\n%b\r\n" % (method, url, version.encode(), lines)


def values(headers: Iterable[Header], name: bytes) -> list[bytes]:
    """Return the elements of a header that is a list, in lower case."""
    elements = b",".join(value for each, value in headers if each == name).split(b",")
    return [element.strip().lower() for element in elements if element.strip()]


def _read_key(headers: Sequence[Header]) -> bytes:
    """Return the key of a handshake. Raises `RequestRejected` if the handshake violates RFC 6455, section 4.2.1."""
    if any(name.startswith(WEBSOCKET_FIELDS) and len(value) > MAX_WEBSOCKET_FIELD_BYTES for name, value in headers):
        raise RequestRejected(FIELD_TOO_LARGE)
    if values(headers, b"transfer-encoding") or values(headers, b"content-length") not in ([], [b"0"]):
        raise RequestRejected(HANDSHAKE_WITH_BODY)
    if values(headers, b"sec-websocket-version") != [b"13"]:
        raise RequestRejected(WRONG_VERSION)
    if [name for name, _ in headers].count(b"origin") > 1:
        raise RequestRejected(SEVERAL_ORIGINS)
    keys = [value for name, value in headers if name == b"sec-websocket-key"]
    if len(keys) != 1 or not _is_key(keys[0]):
        raise RequestRejected(INVALID_KEY)
    return keys[0]


def _subprotocols(headers: Iterable[Header]) -> list[str]:
    """Return the subprotocols that a handshake offers, in the client's order of preference."""
    offers = b",".join(value for name, value in headers if name == b"sec-websocket-protocol")
    return [offer.strip() for offer in offers.decode("latin-1").split(",") if offer.strip()]


def _check_codings(version: str, codings: list[bytes]) -> None:
    """Raise `RequestRejected` for a body in another encoding than chunked: RFC 9112, section 6.1.

    The parser rejects a list in which chunked is not the last, because the length of the body is then unknown.
    """
    if (codings and version == "1.0") or codings.count(b"chunked") > 1:
        raise RequestRejected(MALFORMED)
    if b"chunked" in codings and codings != [b"chunked"]:
        raise RequestRejected(UNKNOWN_CODING)


def _check_upgrade(method: bytes, version: str, headers: Sequence[Header]) -> None:
    """Raise `RequestRejected` for a WebSocket handshake whose upgrade a proxy has removed."""
    if method != b"GET" or not values(headers, b"sec-websocket-key") or wants_websocket(method, version, headers):
        return
    if version == "1.1" or not values(headers, b"upgrade"):
        raise RequestRejected(UPGRADE_REMOVED)


def _is_key(key: bytes) -> bool:
    try:
        return len(base64.b64decode(key, validate=True)) == 16  # noqa: PLR2004  # RFC 6455, section 4.2.1
    except binascii.Error:
        return False
