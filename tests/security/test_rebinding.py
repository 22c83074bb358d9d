"""A page of another site whose name was made to mean this machine is still a page of another site."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager

import pytest
import pytest_asyncio
from websockets.asyncio.client import ClientConnection

from auth.bearer import LocalDeveloper
from services.runtime.adapters import open_embedded
from services.settings import load_settings
from tests.security.closing import ending
from tests.support.api_client import LIST, Client, open_client, open_socket
from tests.support.api_server import rewired, serve
from tests.support.fake_backend import FakeBackend

pytestmark = pytest.mark.asyncio(loop_scope="module")

INIT = '{"type": "connection_init"}'
STRANGE = ["evil.example", "evil.example:8000", "127.0.0.1.evil.example", "localhost.evil.example", "0x7f.1"]
NO_HOSTS = ["[", "a@b:", ""]
OURS = ["localhost", "LOCALHOST:8000", "127.0.0.1", "127.9.9.9:1", "[::1]:8000", "dev.example", "dev.example:443"]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Client]:
    settings = load_settings(data_dir=tmp_path_factory.mktemp("data"), public_url="https://dev.example")
    async with (
        open_embedded(settings) as services,
        serve(rewired(services, backend=FakeBackend()), authenticate=LocalDeveloper(services.settings.server)) as url,
        open_client(url) as client,
    ):
        yield client


def called(client: Client, host: str) -> AbstractAsyncContextManager[ClientConnection]:
    """Open a WebSocket to the server by this name, whatever the name means."""
    port = client.http.base_url.port
    return open_socket(f"ws://{host}/graphql", host="127.0.0.1", port=port)


@pytest.mark.parametrize("host", STRANGE + NO_HOSTS)
async def test_by_a_strange_name_nobody_is_the_developer(client: Client, host: str) -> None:
    answer = await client.http.post("/graphql", json={"query": LIST}, headers={"Host": host})
    assert answer.json()["errors"][0]["extensions"] == {"code": "UNAUTHENTICATED"}
    if host in STRANGE:
        async with called(client, host) as socket:
            await socket.send(INIT)
            assert (await ending(socket))[0] == 4403


@pytest.mark.parametrize("host", OURS)
async def test_by_its_own_names_everybody_is(client: Client, host: str) -> None:
    answer = await client.http.post("/graphql", json={"query": LIST}, headers={"Host": host})
    assert answer.json()["data"] is not None
    async with called(client, host) as socket:
        await socket.send(INIT)
        assert await socket.recv() == '{"type":"connection_ack"}'
