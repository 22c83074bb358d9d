"""The studio: the page where users start renders and watch them. It uses the public API only.

Its files are in `web/studio` and are served unchanged, except for URLs in its HTML. It loads graphql-ws from the npm
package if that is installed, otherwise from the CDN.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

from pages.files import CDN, file_response, page_response, read_npm_files
from services.errors import StartupError
from services.settings import CHECKOUT, PageSettings, variable

FOLDER = CHECKOUT / "web" / "studio"
FILES = "assets/studio/"  # the files' URL in the page, relative to `/`
VERSION_LENGTH = 16  # characters


@dataclass(frozen=True, slots=True, kw_only=True)
class Studio:
    """The page, its Content-Security-Policy, and the files that it loads from this server, by name.

    `version` is the part of the files' URLs that changes with them.
    """

    html: str
    policy: str
    version: str
    files: Mapping[str, bytes]

    async def serve_page(self, request: Request) -> Response:  # noqa: ARG002
        """Serve the page."""
        return page_response(self.html, self.policy)

    async def serve_file(self, request: Request) -> Response:
        """Serve one of its files, or of its npm packages."""
        return file_response(self.files, request.path_params["name"])


def load_studio(settings: PageSettings, base_url: str, folder: Path = FOLDER) -> Studio:
    """Return the studio, built from the files in `folder` and the npm packages in the settings' `web_dir`.

    Raises `StartupError` if the folder has no page, as in an installation without web/studio.
    """
    if not (folder / "index.html").exists():
        raise StartupError(
            f"{folder} does not contain the studio's page. Set {variable('studio')} to no, or install web/studio."
        )
    html = (folder / "index.html").read_text(encoding="utf-8")
    paths = sorted(path for path in folder.rglob("*") if path.suffix in {".js", ".css"})
    sources = {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}
    version = _version(sources)
    packages = read_npm_files(html, settings.web_dir)
    html = html.replace(FILES, f"{FILES}{version}/")
    if packages:
        html = html.replace(CDN, FILES)
    files = {**packages, **{f"{version}/{name}": content for name, content in sources.items()}}
    policy = studio_policy(base_url, scripts="'self'" if packages else f"'self' {CDN}")
    return Studio(html=html, policy=policy, version=version, files=files)


def _version(files: Mapping[str, bytes]) -> str:
    """Return a hash of all files. It is part of their URLs, so that a browser never mixes files of two versions."""
    hashed = hashlib.sha256()
    for name, content in files.items():
        hashed.update(f"{name} {len(content)} ".encode() + content)
    return hashed.hexdigest()[:VERSION_LENGTH]


def studio_policy(base_url: str, *, scripts: str) -> str:
    """Return the Content-Security-Policy of a page that shows outputs. `scripts` are the sources of its scripts."""
    ours = urlsplit(base_url)  # not 'self' if the page was opened under another host name
    # For presigned URLs. Without HTTPS, as on a private network, the storage may have none either.
    storage = "https:" if ours.scheme == "https" else "http: https:"
    outputs = f"'self' {ours.scheme}://{ours.netloc} {storage}"
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src {scripts}",
            "style-src 'self'",
            f"img-src data: {outputs}",
            f"media-src {outputs}",
            "font-src 'self'",
            "connect-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        )
    )
