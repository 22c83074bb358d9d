"""Which application serves WebSockets, and which everything else."""

from collections.abc import Awaitable

from starlette.types import ASGIApp, Receive, Scope, Send


class SeparateWebSockets:
    """Passes WebSockets on directly: Starlette's middleware and routes would keep 3 KiB per connection."""

    def __init__(self, app: ASGIApp, websockets: ASGIApp) -> None:
        self._app = app
        self._websockets = websockets

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Run the application for the scope's type."""
        return (self._websockets if scope["type"] == "websocket" else self._app)(scope, receive, send)
