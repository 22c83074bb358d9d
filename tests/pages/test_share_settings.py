"""The page of one render with other settings of the server."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from app import create_app
from pages.share import INVALID
from services.runtime.adapters import open_embedded
from services.settings import load_settings
from tests.support.api_server import named_user, rewired
from tests.support.fake_backend import FakeBackend

pytestmark = pytest.mark.asyncio

UNKNOWN_ID = "01m817gzatj1v633w9kvyqtevh"


@asynccontextmanager
async def open_client(folder: Path, **settings: object) -> AsyncIterator[httpx.AsyncClient]:
    async with open_embedded(load_settings(data_dir=folder, render_token_secret="s" * 32, **settings)) as services:
        app = create_app(rewired(services, backend=FakeBackend()), authenticate=named_user)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as http:
            yield http


@pytest.mark.parametrize(("studio", "is_served"), [(True, True), (False, False)])
async def test_it_is_served_where_the_studio_is(tmp_path: Path, *, studio: bool, is_served: bool) -> None:
    async with open_client(tmp_path, studio=studio) as http:
        page = await http.get(f"/r/{UNKNOWN_ID}")
    assert page.status_code == 404
    assert (INVALID in page.text) == is_served


async def test_it_loads_its_files_from_under_the_path_of_the_public_url(tmp_path: Path) -> None:
    async with open_client(tmp_path, public_url="http://test/videos") as http:
        page = await http.get(f"/videos/r/{UNKNOWN_ID}")
        [script] = re.findall(r'script type="module" src="([^"]+)"', page.text)
        loaded = await http.get(str(page.url.join(script)))
    assert (page.status_code, loaded.status_code) == (404, 200)
    assert loaded.url.path.startswith("/videos/assets/studio/")
