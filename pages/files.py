"""HTTP responses for the pages and the files they load, and lookup of those files in installed npm packages."""

import base64
import hashlib
import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from types import MappingProxyType

from starlette.responses import HTMLResponse, PlainTextResponse, Response

CDN = "https://unpkg.com/"
CDN_FILE = re.compile(
    rf'"{re.escape(CDN)}(?P<name>(?P<package>@?[^@"]+)@[^/"]+/(?P<file>[^"]+))"'
    r'\s+integrity="(?P<integrity>[^"]+)"'
)
MEDIA_TYPES = {".js": "text/javascript", ".css": "text/css"}


def page_response(
    html: str, policy: str, *, status: int = 200, headers: Mapping[str, str] = MappingProxyType({})
) -> Response:
    """Return a page with its Content-Security-Policy. `headers` replace the usual ones or are added."""
    usual = {
        "Cache-Control": "no-cache",
        "Content-Security-Policy": policy,
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }
    return HTMLResponse(html, status, headers={**usual, **headers})


def file_response(files: Mapping[str, bytes], name: str) -> Response:
    """Return a file that a page loads, or 404. Browsers may cache it for a year: its name contains its version."""
    if name not in files:
        return PlainTextResponse("Not found", 404)
    return Response(
        files[name],
        media_type=MEDIA_TYPES[PurePosixPath(name).suffix],
        headers={"Cache-Control": "public, max-age=31536000, immutable", "X-Content-Type-Options": "nosniff"},
    )


def read_npm_files(html: str, web_dir: Path) -> dict[str, bytes]:
    """Return the installed copies of all files that a page loads from the CDN, by their names in the CDN's URLs.

    Returns an empty dictionary unless `web_dir` contains all of them and they match the page's integrity hashes.
    """
    files = {}
    for wanted in CDN_FILE.finditer(html):
        try:
            content = (web_dir / wanted["package"] / wanted["file"]).read_bytes()
        except OSError:
            return {}
        if hash_source("sha384", content) != wanted["integrity"]:
            return {}
        files[wanted["name"]] = content
    return files


def hash_source(algorithm: str, content: bytes) -> str:
    """Return a hash in the format of `integrity` attributes and Content-Security-Policy."""
    return f"{algorithm}-{base64.b64encode(hashlib.new(algorithm, content).digest()).decode()}"
