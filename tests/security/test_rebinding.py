"""A page of another site whose name was made to mean this machine is still a page of another site."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from resolvers.auth import LocalDeveloper
from services.runtime import open_embedded
from services.settings import load_settings
from tests.fakes import FakeBackend
from tests.resolvers.clients import LIST, Client, open_client, open_stream
from tests.resolvers.serving import rewired, serve
from tests.security.closing import refused

pytestmark = pytest.mark.asyncio(loop_scope="module")

STRANGE = [
    "evil.example",
    "evil.example:8000",
    "127.0.0.1.evil.example",
    "localhost.evil.example",
    "0x7f.1",
    "[",
    "a@b:",
]
OURS = ["localhost", "LOCALHOST:8000", "127.0.0.1", "127.9.9.9:1", "[::1]:8000", "dev.example", "dev.example:443"]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Client]:
    settings = load_settings(data_dir=tmp_path_factory.mktemp("data"), public_url="https://dev.example")
    async with (
        open_embedded(settings) as services,
        serve(rewired(services, backend=FakeBackend()), authenticate=LocalDeveloper(services.settings)) as url,
        open_client(url) as client,
    ):
        yield client


@pytest.mark.parametrize("host", STRANGE)
async def test_by_a_strange_name_nobody_is_the_developer(client: Client, host: str) -> None:
    answer = await client.http.post("/graphql", json={"query": LIST}, headers={"Host": host})
    assert answer.json()["errors"][0]["extensions"] == {"code": "UNAUTHENTICATED"}
    assert (await refused(client, additional_headers={"Host": host}))[0] == 4403


@pytest.mark.parametrize("host", OURS)
async def test_by_its_own_names_everybody_is(client: Client, host: str) -> None:
    answer = await client.http.post("/graphql", json={"query": LIST}, headers={"Host": host})
    assert answer.json()["data"] is not None
    async with open_stream(client, additional_headers={"Host": host}):
        pass
