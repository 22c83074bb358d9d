"""GraphiQL's page, built from the template `graphiql.html`, its script and the first operations."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from html import escape
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from pages.files import CDN, file_response, hash_source, page_response, read_npm_files

LOCAL = "assets/"  # relative to /graphql
TEMPLATE = Path(__file__).with_name("graphiql.html")
SCRIPT = Path(__file__).with_name("graphiql.js")
FIRST_OPERATIONS = Path(__file__).with_name("graphiql_operations.graphql")


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphiQL:
    """The page, its Content-Security-Policy, and its npm files by name; none if it loads them from the CDN."""

    html: str
    policy: str
    files: Mapping[str, bytes]

    def response(self) -> Response:
        """Return the response with the page."""
        return page_response(self.html, self.policy)

    async def serve_file(self, request: Request) -> Response:
        """Serve one of the npm files."""
        return file_response(self.files, request.path_params["name"])


class LazyGraphiQL:
    """GraphiQL's page, loaded when it is first requested: its files are 4 MB, and few processes serve it."""

    def __init__(self, web_dir: Path) -> None:
        self._web_dir = web_dir

    @cached_property
    def _loaded(self) -> GraphiQL:
        return load_graphiql(self._web_dir)

    def response(self) -> Response:
        """Return the response with the page."""
        return self._loaded.response()

    async def serve_file(self, request: Request) -> Response:
        """Serve one of the npm files."""
        return await self._loaded.serve_file(request)


def load_graphiql(web_dir: Path, *, template: Path = TEMPLATE) -> GraphiQL:
    """Return the page, which loads its npm packages from `web_dir` if they are installed there, else from the CDN."""
    script = f"\n{SCRIPT.read_text(encoding='utf-8')}"
    html = template.read_text(encoding="utf-8")
    files = read_npm_files(html, web_dir)
    if files:
        html = html.replace(CDN, LOCAL)
    operations = escape(FIRST_OPERATIONS.read_text(encoding="utf-8"), quote=False)
    html = html.replace("{{ first operations }}", operations).replace("{{ script }}", script)
    return GraphiQL(html=html, policy=_policy(script, npm_source="'self'" if files else CDN), files=files)


def _policy(script: str, *, npm_source: str) -> str:
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src {npm_source} '{hash_source('sha256', script.encode())}'",
            f"style-src {npm_source} 'unsafe-inline'",  # the editor positions its lines and cursors by inline styles
            "font-src data:",
            "img-src data:",
            "connect-src 'self' ws: wss:",  # not every browser counts a WebSocket to the same host as 'self'
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        )
    )
