"""What the head of every answer says: the request's id, and what other sites may do with the answer."""

import os
import re
from collections.abc import Awaitable, Collection, Iterable

from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.observability import log_context

REQUEST_ID = b"x-request-id"
GOOD_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
PREFLIGHT_LASTS_S = 600

# https://cheatsheetseries.owasp.org/cheatsheets/HTTP_Headers_Cheat_Sheet.html; a page brings a policy of its own.
SAFE_HEADERS = (
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
)
SAFE_NAMES = frozenset(name for name, _ in SAFE_HEADERS)


class ResponseHeadersMiddleware:
    """Gives every request an id, a proxy's or client's own if it is one, and every answer the headers it lacks.

    It goes around all of Starlette, whose own middleware is inside the one that answers what crashed.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on a request and its answer."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        request_id = _given(scope["headers"]) or os.urandom(8).hex().encode()
        log_context.begin_request(request_id.decode())

        def send_with_head(message: Message) -> Awaitable[None]:  # no coroutine: every frame of a WebSocket comes by
            match message["type"]:
                case "http.response.start" | "websocket.http.response.start":
                    message["headers"] = [*message["headers"], *_lacking(message["headers"]), (REQUEST_ID, request_id)]
                case "websocket.accept":
                    message["headers"] = [*message.get("headers", ()), (REQUEST_ID, request_id)]
            return send(message)

        await self._app(scope, receive, send_with_head)


def _given(headers: Iterable[tuple[bytes, bytes]]) -> bytes | None:
    for name, value in headers:
        if name == REQUEST_ID:
            return value if GOOD_ID.fullmatch(value) else None
    return None


def _lacking(headers: Iterable[tuple[bytes, bytes]]) -> Iterable[tuple[bytes, bytes]]:
    brought = SAFE_NAMES.intersection([name for name, _ in headers])
    return [header for header in SAFE_HEADERS if header[0] not in brought] if brought else SAFE_HEADERS


def for_pages(allowed_origins: Collection[str]) -> list[Middleware]:
    """Return what goes around the routes. Pages of these origins may read answers and send tokens."""
    if not allowed_origins:  # browsers let no other page read anything
        return []
    return [
        Middleware(
            CORSMiddleware,
            allow_origins=list(allowed_origins),
            allow_methods=["GET", "POST"],
            allow_headers=["Authorization", "Content-Type"],
            expose_headers=["X-Request-ID"],
            max_age=PREFLIGHT_LASTS_S,
        )
    ]
