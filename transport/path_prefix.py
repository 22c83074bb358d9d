"""The path of the public URL, under which a proxy serves this server."""

from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send


class PathPrefixMiddleware:
    """Removes the prefix from the paths of requests. A proxy may have removed it already.

    A request for the prefix without a final slash is redirected, since the studio's URLs are relative to that slash.
    """

    def __init__(self, app: ASGIApp, prefix: str) -> None:
        self._app = app
        self._prefix = prefix
        self._start = f"{prefix}/"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the application for the path without the prefix."""
        path = scope.get("path", "")
        if path.startswith(self._start):
            raw_path = scope["raw_path"]
            prefix = self._prefix.encode()
            scope = {**scope, "path": path[len(self._prefix) :], "raw_path": raw_path.removeprefix(prefix)}
        elif path == self._prefix and scope["type"] == "http":
            query = scope["query_string"].decode("latin-1")
            response = RedirectResponse(f"{self._start}?{query}" if query else self._start, 308)
            await response(scope, receive, send)
            return
        await self._app(scope, receive, send)


def with_path_prefix(app: ASGIApp, prefix: str) -> ASGIApp:
    """Return the application under the prefix; the application itself if the prefix is empty."""
    return PathPrefixMiddleware(app, prefix) if prefix else app
