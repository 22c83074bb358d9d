"""The studio: the page on which people start renders and watch them. It knows no more of us than the public API.

Its files are in `web/studio`, and are served as they are. It loads graphql-ws as GraphiQL's page loads its parts.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

from pages.graphiql import CDN, page, part, read_parts
from services.errors import StartupError
from services.settings import CHECKOUT, Settings, variable

FOLDER = CHECKOUT / "web" / "studio"
FILES = "assets/studio/"  # where the page says its files are; relative to `/`
VERSION_LENGTH = 16  # characters


@dataclass(frozen=True, slots=True, kw_only=True)
class Studio:
    """The page, its policy, and what it loads from here, by name."""

    html: str
    policy: str
    parts: Mapping[str, bytes]

    async def serve_page(self, request: Request) -> Response:  # noqa: ARG002
        """Serve the page."""
        return page(self.html, self.policy)

    async def serve_part(self, request: Request) -> Response:
        """Serve one of its files, or of its npm packages."""
        return part(self.parts, request.path_params["name"])


def load_studio(settings: Settings, folder: Path = FOLDER) -> Studio:
    """Return the studio as the files of `folder` and the npm packages of the settings' `web_dir` make it.

    Raises `StartupError` if the files are not there, as in an installation that left them out.
    """
    if not (folder / "index.html").exists():
        raise StartupError(
            f"The studio's page is not in {folder}. Set {variable('studio')} to no, or bring web/studio."
        )
    html = (folder / "index.html").read_text(encoding="utf-8")
    files = {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.suffix in {".js", ".css"}}
    version = _version(files)
    packages = read_parts(html, settings.web_dir)
    html = html.replace(FILES, f"{FILES}{version}/")
    if packages:
        html = html.replace(CDN, FILES)
    parts = {**packages, **{f"{version}/{name}": content for name, content in files.items()}}
    return Studio(html=html, policy=_policy(settings, scripts="'self'" if packages else f"'self' {CDN}"), parts=parts)


def _version(files: Mapping[str, bytes]) -> str:
    """Return a name of exactly these files, so that a browser never mixes them with those of another version."""
    hashed = hashlib.sha256()
    for name, content in files.items():
        hashed.update(f"{name} {len(content)} ".encode() + content)
    return hashed.hexdigest()[:VERSION_LENGTH]


def _policy(settings: Settings, *, scripts: str) -> str:
    ours = urlsplit(settings.base_url)  # not what the browser calls 'self' if it came by another of our names
    outputs = f"'self' {ours.scheme}://{ours.netloc} https:"  # https: for presigned URLs
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src {scripts}",
            "style-src 'self'",
            f"img-src data: {outputs}",
            f"media-src {outputs}",
            "connect-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        )
    )
