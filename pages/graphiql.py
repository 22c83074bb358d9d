"""GraphiQL's page: Strawberry's own with our operations to begin with, its parts served from here if npm has them."""

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from strawberry.http.ides import get_graphql_ide_html

CDN = "https://unpkg.com/"
LOCAL = "assets/"  # relative to /graphql
FIRST_OPERATIONS = Path(__file__).with_name("graphiql_start.graphql")
FIRST_STEPS = Path(__file__).with_name("graphiql_start.js")
HEAD = Path(__file__).with_name("graphiql_head.html")

PART = re.compile(
    rf'"{re.escape(CDN)}(?P<name>(?P<package>@?[^@"]+)@[^/"]+/(?P<file>[^"]+))"'
    r'\s+integrity="(?P<integrity>[^"]+)"'
)
INLINE_SCRIPT = re.compile(r"<script>(.*?)</script>", re.DOTALL)
MEDIA_TYPES = {".js": "text/javascript", ".css": "text/css"}


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphiQL:
    """The page, its policy, and its parts by name: all of them if they are served from here, none if from the CDN."""

    html: str
    policy: str
    parts: Mapping[str, bytes]

    def page(self) -> Response:
        """Return the page."""
        return page(self.html, self.policy)

    async def serve_part(self, request: Request) -> Response:
        """Serve a part."""
        return part(self.parts, request.path_params["name"])


def page(html: str, policy: str) -> Response:
    """Return a page for people, which may do what its policy admits."""
    return HTMLResponse(
        html,
        headers={
            "Cache-Control": "no-cache",
            "Content-Security-Policy": policy,
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
        },
    )


def part(parts: Mapping[str, bytes], name: str) -> Response:
    """Return a part of a page. Its name holds its version, so browsers may keep it for ever."""
    if name not in parts:
        return PlainTextResponse("Not found", 404)
    return Response(
        parts[name],
        media_type=MEDIA_TYPES[PurePosixPath(name).suffix],
        headers={"Cache-Control": "public, max-age=31536000, immutable", "X-Content-Type-Options": "nosniff"},
    )


def load_graphiql(web_dir: Path) -> GraphiQL:
    """Return GraphiQL as the installed Strawberry and the npm packages of `web_dir` make it.

    Raises `ValueError` if Strawberry's page has changed and this module must follow.
    """
    return adapt_page(get_graphql_ide_html("graphiql"), web_dir)


def adapt_page(html: str, web_dir: Path) -> GraphiQL:
    """Return GraphiQL made of Strawberry's page. Raises `ValueError` if it isn't the page known here."""
    html = _begin_with_our_operations(html)
    if CDN not in html or len(PART.findall(html)) != html.count(CDN):
        raise ValueError("Strawberry's GraphiQL page has changed: it names what it loads in another way.")
    parts = read_parts(html, web_dir)
    if parts:
        html = html.replace(CDN, LOCAL)
    return GraphiQL(html=html, policy=_policy(html, source="'self'" if parts else CDN), parts=parts)


def _begin_with_our_operations(html: str) -> str:
    operations = json.dumps(FIRST_OPERATIONS.read_text(encoding="utf-8")).replace("</", "<\\/")
    steps = FIRST_STEPS.read_text(encoding="utf-8")
    html = _replace_once(html, r"(?<=<html)>", ' lang="en">')
    html = _replace_once(html, r"Strawberry GraphiQL(?=</title>)", "Rendercast")
    html = _replace_once(html, r"&#x1f353;", "&#x1f3ac;")  # the icon: a clapper board for the strawberry
    html = _replace_once(html, r"(?<=const EXAMPLE_QUERY = )`[^`]*`;", f"{operations};\n\n{steps}")
    html = _replace_once(html, r"(?=  </head>)", HEAD.read_text(encoding="utf-8"))
    html = _replace_once(html, r'(?=<div id="graphiql")', "<main><h1>Rendercast GraphiQL</h1>")
    html = _replace_once(html, r"(?<=>Loading\.\.\.</div>)", "</main>")
    html = _replace_once(html, r"(?<=createFetcher\({\n)", "        fetch: fetchAndWatchNext,\n")
    html = _replace_once(html, r"(?<= )subscriptionUrl,(?=\n)", "subscriptionUrl: subscriptionUrlOnceItAnswers,")
    return _replace_once(
        html,
        r"(?=function onEditVariables\()",
        "watchNext = (renderId) => setVariables((variables) => withRenderId(variables, renderId));\n\n        ",
    )


def _replace_once(html: str, pattern: str, new: str) -> str:
    html, count = re.subn(pattern, lambda _: new, html)
    if count != 1:
        raise ValueError(f"Strawberry's GraphiQL page has changed: {pattern!r} is in it {count} times, not once.")
    return html


def read_parts(html: str, web_dir: Path) -> dict[str, bytes]:
    """Return what a page loads from the CDN, by name.

    Nothing unless all of it is in `web_dir`, exactly as the page's hashes demand.
    """
    parts = {}
    for named in PART.finditer(html):
        try:
            content = (web_dir / named["package"] / named["file"]).read_bytes()
        except OSError:
            return {}
        if _hash("sha384", content) != named["integrity"]:
            return {}
        parts[named["name"]] = content
    return parts


def _policy(html: str, *, source: str) -> str:
    [script] = INLINE_SCRIPT.findall(html)
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src {source} '{_hash('sha256', script.encode())}'",
            f"style-src {source} 'unsafe-inline'",  # the editor places its lines and cursors by inline styles
            "font-src data:",
            "img-src data:",
            "connect-src 'self' ws: wss:",  # not every browser counts a WebSocket to the same host as 'self'
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        )
    )


def _hash(algorithm: str, content: bytes) -> str:
    """Return a hash as `integrity` attributes and policies state it."""
    return f"{algorithm}-{base64.b64encode(hashlib.new(algorithm, content).digest()).decode()}"
