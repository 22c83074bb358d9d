"""Routes WebSockets past Starlette, whose middleware and routes would keep 3 KiB per connection."""

from collections.abc import Awaitable

from starlette.types import ASGIApp, Receive, Scope, Send


class WebSocketRouting:
    """Passes WebSockets to one ASGI application, and everything else to another."""

    def __init__(self, app: ASGIApp, websockets: ASGIApp) -> None:
        self._app = app
        self._websockets = websockets

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Run the application for the scope's type."""
        return (self._websockets if scope["type"] == "websocket" else self._app)(scope, receive, send)
