"""Middleware for response headers: the request id, security headers and CORS."""

import asyncio
import os
import re
from collections.abc import Awaitable, Collection, Iterable

from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.observability import log_context
from services.settings.origins import origin_pattern
from transport.refusals import SHUTTING_DOWN
from transport.security_headers import SECURITY_HEADERS

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
        is_started = False

        def send_with_headers(message: Message) -> Awaitable[None]:  # no coroutine: runs for every WebSocket message
            nonlocal is_started
            match message["type"]:
                case "http.response.start" | "websocket.http.response.start":
                    is_started = True
                    message["headers"] = [*message["headers"], *_missing(message["headers"]), (REQUEST_ID, request_id)]
                case "websocket.accept":
                    message["headers"] = [*message.get("headers", ()), (REQUEST_ID, request_id)]
            return send(message)

        try:
            await self._app(scope, receive, send_with_headers)
        except asyncio.CancelledError:  # at the server's stop, of a request that takes longer than the others may
            if scope["type"] == "http" and not is_started:
                await SHUTTING_DOWN(scope, receive, send_with_headers)
            raise


def _valid_request_id(headers: Iterable[tuple[bytes, bytes]]) -> bytes | None:
    for name, value in headers:
        if name == REQUEST_ID:
            return value if VALID_REQUEST_ID.fullmatch(value) else None
    return None


def _missing(headers: Iterable[tuple[bytes, bytes]]) -> Iterable[tuple[bytes, bytes]]:
    present = SECURITY_HEADER_NAMES.intersection([name for name, _ in headers])
    return [header for header in SECURITY_HEADERS if header[0] not in present] if present else SECURITY_HEADERS


def cors_middleware(allowed_origins: Collection[str]) -> list[Middleware]:
    """Return the middleware that lets pages of these origins send requests and read responses; empty without origins.

    They may send any header, such as those of tracing: other programs can do so too. Cookies are not used.
    """
    if not allowed_origins:  # browsers deny reading by default
        return []
    return [
        Middleware(
            CORSMiddleware,
            allow_origin_regex=origin_pattern(allowed_origins).pattern,
            allow_methods=["GET", "HEAD", "POST"],
            allow_headers=["*"],
            expose_headers=EXPOSED_HEADERS,
            max_age=PREFLIGHT_MAX_AGE_S,
        )
    ]
