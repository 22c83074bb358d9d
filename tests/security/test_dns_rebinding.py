"""DNS rebinding: pages of other sites whose host name resolves to this machine."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager

import pytest
import pytest_asyncio
from websockets.asyncio.client import ClientConnection

from auth.local_developer import LocalDeveloper
from services.runtime.adapters import open_embedded
from services.settings import load_settings
from tests.security.closing import close_code_and_reason
from tests.support.api_client import LIST, Client, open_client
from tests.support.api_server import rewired, serve
from tests.support.api_stream import open_socket
from tests.support.fake_backend import FakeBackend

pytestmark = pytest.mark.asyncio(loop_scope="module")

INIT = '{"type": "connection_init"}'
FOREIGN_HOSTS = ["evil.example", "evil.example:8000", "127.0.0.1.evil.example", "localhost.evil.example", "0x7f.1"]
INVALID_HOSTS = ["[", "a@b:", "", "evil.example@localhost", "localhost#.evil.example", "localhost/.evil.example"]
OWN_HOSTS = ["localhost", "LOCALHOST:8000", "127.0.0.1", "127.9.9.9:1", "[::1]:8000", "dev.example", "dev.example:443"]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Client]:
    settings = load_settings(data_dir=tmp_path_factory.mktemp("data"), public_url="https://dev.example")
    async with (
        open_embedded(settings) as services,
        serve(rewired(services, backend=FakeBackend()), authenticate=LocalDeveloper(services.settings.server)) as url,
        open_client(url) as client,
    ):
        yield client


def connected_as(client: Client, host: str) -> AbstractAsyncContextManager[ClientConnection]:
    """Open a WebSocket to the server under this host name, without resolving it."""
    port = client.http.base_url.port
    return open_socket(f"ws://{host}/graphql", host="127.0.0.1", port=port)


@pytest.mark.parametrize("host", FOREIGN_HOSTS + INVALID_HOSTS)
async def test_under_another_host_name_requests_are_rejected(
    client: Client, host: str, caplog: pytest.LogCaptureFixture
) -> None:
    response = await client.http.post("/graphql", json={"query": LIST}, headers={"Host": host})
    assert response.json()["errors"][0]["extensions"] == {"code": "UNAUTHENTICATED"}
    assert "RENDERCAST" not in response.text
    assert "set RENDERCAST_PUBLIC_URL to allow another name" in caplog.text
    if host in FOREIGN_HOSTS:
        async with connected_as(client, host) as socket:
            await socket.send(INIT)
            assert (await close_code_and_reason(socket))[0] == 4403


@pytest.mark.parametrize("host", OWN_HOSTS)
async def test_under_its_own_names_requests_are_the_developers(client: Client, host: str) -> None:
    response = await client.http.post("/graphql", json={"query": LIST}, headers={"Host": host})
    assert response.json()["data"] is not None
    async with connected_as(client, host) as socket:
        await socket.send(INIT)
        assert await socket.recv() == '{"type":"connection_ack"}'
