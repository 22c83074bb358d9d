"""What browsers are told, so that other sites can do nothing with this one unless they may."""

from collections.abc import Collection

from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

PREFLIGHT_LASTS_S = 600

# https://cheatsheetseries.owasp.org/cheatsheets/HTTP_Headers_Cheat_Sheet.html; a page brings a policy of its own.
HEADERS = (
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
)


class SafeHeaders:
    """Gives every answer the headers it doesn't bring itself."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on a request and its answer."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] in {"http.response.start", "websocket.http.response.start"}:
                brought = {name for name, _ in message["headers"]}
                message["headers"] += [header for header in HEADERS if header[0] not in brought]
            await send(message)

        await self._app(scope, receive, send_with_headers)


def for_browsers(allowed_origins: Collection[str]) -> list[Middleware]:
    """Return what goes around the application. Pages of these origins may read answers and send tokens."""
    around = [Middleware(SafeHeaders)]
    if allowed_origins:  # without, browsers let no other page read anything
        around.append(
            Middleware(
                CORSMiddleware,
                allow_origins=list(allowed_origins),
                allow_methods=["GET", "POST"],
                allow_headers=["Authorization", "Content-Type"],
                expose_headers=["X-Request-ID"],
                max_age=PREFLIGHT_LASTS_S,
            )
        )
    return around
