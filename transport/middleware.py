"""Middleware for response headers: the request id, security headers and CORS."""

import asyncio
import logging
import os
import re
from collections.abc import Awaitable, Collection, Iterable

from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.observability import log_context
from services.settings.origins import origin_pattern
from transport.rejections import SHUTTING_DOWN
from transport.security_headers import SECURITY_HEADERS

log = logging.getLogger(__name__)

REQUEST_ID = b"x-request-id"
VALID_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
PREFLIGHT_MAX_AGE_S = 600
EXPOSED_HEADERS = ("X-Request-ID", "Accept-Ranges", "Content-Length", "Content-Range", "ETag", "Retry-After")

SECURITY_HEADER_NAMES = frozenset(name for name, _ in SECURITY_HEADERS)


class ResponseHeadersMiddleware:
    """Adds the request id and missing security headers to each response. Also sets the id for the log.

    The id is the request's own `X-Request-ID` (the proxy's or client's) if it is valid, otherwise a new one. This wraps
    the whole Starlette application: middleware inside would miss responses of its handler of uncaught exceptions.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the application and add headers to its response."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        request_id = _valid_request_id(scope["headers"]) or os.urandom(8).hex().encode()
        log_context.start_request(request_id.decode())
        response = _HeaderSender(send, request_id)
        try:
            await self._app(scope, receive, response)
        except asyncio.CancelledError:  # on shutdown, of a request that takes too long
            if scope["type"] == "http" and not response.is_started:
                await SHUTTING_DOWN(scope, receive, response)
            raise


class _HeaderSender:
    """The `send` of one response, which adds the headers. A function would keep six more objects per WebSocket."""

    __slots__ = ("_request_id", "_send", "is_started")

    def __init__(self, send: Send, request_id: bytes) -> None:
        self._send = send
        self._request_id = request_id
        self.is_started = False

    def __call__(self, message: Message) -> Awaitable[None]:  # no coroutine: runs for every WebSocket message
        match message["type"]:
            case "http.response.start" | "websocket.http.response.start":
                self.is_started = True
                headers = message["headers"]
                message["headers"] = [*headers, *_missing(headers), (REQUEST_ID, self._request_id)]
            case "websocket.accept":
                message["headers"] = [*message.get("headers", ()), (REQUEST_ID, self._request_id)]
        return self._send(message)


def _valid_request_id(headers: Iterable[tuple[bytes, bytes]]) -> bytes | None:
    for name, value in headers:
        if name == REQUEST_ID:
            return value if VALID_REQUEST_ID.fullmatch(value) else None
    return None


def _missing(headers: Iterable[tuple[bytes, bytes]]) -> Iterable[tuple[bytes, bytes]]:
    present = SECURITY_HEADER_NAMES.intersection([name for name, _ in headers])
    return [header for header in SECURITY_HEADERS if header[0] not in present] if present else SECURITY_HEADERS


class LoggedCORSMiddleware(CORSMiddleware):
    """CORS, which logs a page that is rejected: browsers show its developer only that the request has failed."""

    def preflight_response(self, request_headers: Headers) -> Response:
        """Return the response to the request that a browser sends first."""
        origin = request_headers["origin"]
        if not self.is_allowed_origin(origin):
            log.warning(
                "rejected requests of a page: its Origin %.200r is not one of RENDERCAST_ALLOWED_ORIGINS", origin
            )
        return super().preflight_response(request_headers)


def cors_middleware(allowed_origins: Collection[str]) -> Middleware:
    """Return the middleware that lets pages of these origins send requests and read responses.

    They may send any header, such as those of tracing: other programs can do so too. Cookies are not used.
    """
    return Middleware(
        LoggedCORSMiddleware,
        allow_origin_regex=origin_pattern(allowed_origins).pattern,
        allow_methods=["GET", "HEAD", "POST"],
        allow_headers=["*"],
        expose_headers=EXPOSED_HEADERS,
        max_age=PREFLIGHT_MAX_AGE_S,
    )
