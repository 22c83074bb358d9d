"""What the tests of examples share: Rendercast as `rendercast dev` runs it, in this process, and a server for files."""

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

from auth.local_developer import LocalDeveloper
from services.runtime.adapters import open_embedded
from services.settings import CHECKOUT, load_settings
from services.settings.origins import LOOPBACK_ORIGINS
from tests.browser.sites import SMALL
from tests.browser.visitors import AXE, CHROMIUM
from tests.support.api_server import serve, serve_app
from tests.support.server_process import free_port

BUILD_TIMEOUT_S = 300.0  # a first build on a busy machine takes half a minute or more
NODE = os.environ.get("NODE") or shutil.which("node") or ""
PACKAGES = [CHECKOUT / "examples" / name / "node_modules" for name in ("apollo-and-urql", "nextjs", "vite-react")]
NEEDS_PACKAGES = pytest.mark.skipif(
    not {"NODE", "CHROMIUM"} <= os.environ.keys()
    and not (NODE and CHROMIUM and AXE.exists() and all(folder.exists() for folder in PACKAGES)),
    reason="needs Node 20.19 or newer (NODE= or `node` on the path), Chromium (CHROMIUM= or `chromium` on the path), "
    "and the packages of web/tools and examples (`make test` installs them)",
)


@asynccontextmanager
async def open_rendercast(data_dir: Path) -> AsyncIterator[str]:
    """Serve renders of small videos, and yield the URL."""
    settings = load_settings(data_dir=data_dir, port=free_port(), allowed_origins=LOOPBACK_ORIGINS, **SMALL)
    async with (
        open_embedded(settings) as services,
        serve(services, authenticate=LocalDeveloper(settings.server), port=settings.server.port) as url,
    ):
        yield url


def serve_files(folder: Path) -> AbstractAsyncContextManager[str]:
    """Serve the files of a folder, as a web server for static sites does."""
    app = Starlette(routes=[Mount("/", StaticFiles(directory=folder, html=True))])
    return serve_app(app, load_settings(port=0))
