"""A server whose public URL has a path: behind a proxy that removes the path, and behind one that passes it on."""

from collections.abc import AsyncIterator
from datetime import timedelta
from urllib.parse import urlsplit

import httpx
import pytest
import pytest_asyncio
from websockets.exceptions import InvalidStatus

from services.models import Output
from services.runtime.adapters import open_embedded
from services.runtime.services import Services
from services.settings import load_settings
from tests.support.api_client import UPDATES, Client, open_client
from tests.support.api_server import rewired, serve
from tests.support.api_stream import open_socket, open_stream

pytestmark = pytest.mark.asyncio(loop_scope="module")

QUERY = {"query": "{ renderLimits { fps } }"}
RESULT = {"data": {"renderLimits": {"fps": 30}}}
PREFIX = "/tools/cast"
PAGE = {"Accept": "text/html"}
OUTPUT = Output(bucket="local", key="01hzzzzzzzzzzzzzzzzzzzzzzz.mp4", size_bytes=5)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def services(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Services]:
    settings = load_settings(data_dir=tmp_path_factory.mktemp("data"), public_url=f"https://x.example{PREFIX}/")
    async with open_embedded(settings) as services:
        yield services


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def url(services: Services) -> AsyncIterator[str]:
    async with serve(rewired(services)) as url:
        yield url


@pytest_asyncio.fixture(params=["", PREFIX], ids=["removed by the proxy", "passed on"], loop_scope="module")
async def client(url: str, request: pytest.FixtureRequest) -> AsyncIterator[Client]:
    async with open_client(url + request.param, user="ann") as client:
        yield client


@pytest.mark.parametrize("path", ["graphql", "graphql/"])
async def test_requests_are_executed(client: Client, path: str) -> None:
    assert (await client.http.post(path, json=QUERY)).json() == RESULT
    page = await client.http.get(path, headers=PAGE)
    assert page.headers["content-type"].startswith("text/html")


@pytest.mark.parametrize("end", ["", "/"])
async def test_websockets_are_opened(client: Client, end: str) -> None:
    async with open_socket(client.websocket_url + end):
        pass
    async with open_stream(client) as stream:
        await stream.subscribe(UPDATES)


async def test_the_pages_load_their_files(client: Client) -> None:
    for path in ("", "graphql", "graphql/"):
        page = await client.http.get(path, headers=PAGE)
        names = [part.partition('"')[0] for part in page.text.split('="assets/')[1:]]
        for name in [name for name in names if name.endswith(".js")][:2]:
            file = await client.http.get(httpx.URL(str(page.url)).join(f"assets/{name}"))
            assert (file.status_code, file.headers["content-type"]) == (200, "text/javascript; charset=utf-8")


async def test_the_prefix_without_final_slash_is_redirected_to_itself(url: str) -> None:
    async with open_client(url) as client:
        response = await client.http.get(f"{PREFIX}?a=%20b", headers=PAGE)
    assert (response.status_code, response.headers["location"]) == (308, f"{PREFIX}/?a=%20b")
    assert {"x-request-id", "x-content-type-options"} <= set(response.headers)


async def test_a_similar_path_is_not_found(url: str) -> None:
    async with open_client(url) as client:
        for path in (f"{PREFIX}2/graphql", f"/tools{PREFIX}/graphql", f"{PREFIX}{PREFIX}/graphql"):
            assert (await client.http.post(path, json=QUERY)).status_code == 404
        with pytest.raises(InvalidStatus) as rejected:
            async with open_socket(f"{client.websocket_url.removesuffix('/graphql')}{PREFIX}2/graphql"):
                pass
    assert rejected.value.response.status_code == 403
    assert b"/graphql" in (rejected.value.response.body or b"")


async def test_without_the_studio_the_start_page_is_redirected_under_the_prefix(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("data")
    settings = load_settings(data_dir=folder, public_url=f"https://x.example{PREFIX}", studio=False)
    async with open_embedded(settings) as services, serve(rewired(services)) as url, open_client(url) as client:
        for path in ("/", f"{PREFIX}/"):
            assert (await client.http.get(path)).headers["location"] == f"{PREFIX}/graphql"


async def test_a_file_is_downloaded_by_its_public_url(client: Client, services: Services) -> None:
    assert services.backend is not None
    (services.settings.storage.data_dir / "outputs" / OUTPUT.key).write_bytes(b"video")
    address = urlsplit(services.backend.sign(OUTPUT, expires_in=timedelta(hours=1)).url)
    assert (address.netloc, address.path) == ("x.example", f"{PREFIX}/files/{OUTPUT.key}")
    assert (await client.http.get(f"/files/{OUTPUT.key}?{address.query}")).content == b"video"
