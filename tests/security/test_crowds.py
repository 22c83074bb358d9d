"""How many may come, and what becomes of those who come when there is no room."""

import asyncio
import resource
from pathlib import Path

import pytest

from commands.server.serve import FILES_FOR_CONNECTIONS, most_connections
from services.errors import StartupError
from services.settings import load_settings
from tests.security.peers import Peer, open_peer, open_peers, upgrade
from tests.support.api_client import PATIENCE_S
from tests.support.api_server import serve_faked
from transport.connection_limits import ConnectionLimiter

ALIVE = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
MOST = 3


async def is_let_in(peer: Peer) -> bool:
    """Ask whether the server is alive, and return whether it answers."""
    try:
        await peer.send(ALIVE)
        return (await peer.answer())[0] == 200
    except (ConnectionError, asyncio.IncompleteReadError, AssertionError, ValueError):
        return False


@pytest.mark.parametrize(
    ("settings", "room"),
    [
        ({"max_connections_per_address": MOST, "trusted_proxies": "none"}, MOST),
        ({"max_connections_per_address": MOST}, 2 * MOST),
        ({"max_connections": 10}, 10),
    ],
)
async def test_connections_that_do_nothing_leave_room_for_others(
    tmp_path: Path, settings: dict[str, object], room: int
) -> None:
    async with serve_faked(tmp_path, settings) as url:
        async with open_peers(url, room) as peers:
            assert all([await is_let_in(peer) for peer in peers])
            async with open_peer(url) as one_too_many:
                assert await is_let_in(one_too_many) == (settings == {"max_connections_per_address": MOST})
            await upgrade(peers[0])
        async with asyncio.timeout(PATIENCE_S):
            while not await _has_room(url):  # noqa: ASYNC110
                await asyncio.sleep(0.01)


async def _has_room(url: str) -> bool:
    async with open_peer(url) as peer:
        return await is_let_in(peer)


def test_a_network_of_ipv6_is_one_address_and_a_proxy_is_none() -> None:
    crowd = ConnectionLimiter(most=5, most_of_address=2, is_trusted="192.0.2.9".__eq__)
    assert [crowd.admit(f"2001:db8::{n}") for n in range(3)] == [True, True, False]
    assert [crowd.admit("192.0.2.9") for _ in range(4)] == [True, True, True, False]
    crowd.leave("2001:db8::1")
    assert [crowd.admit("2001:db8::ffff") for _ in range(2)] == [True, False]


def test_a_process_asks_for_as_many_files_as_its_connections_take() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = int(min(4000, hard) * FILES_FOR_CONNECTIONS)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (1024, hard))
        assert most_connections(load_settings(max_connections=3000).connections) == most
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == min(4000, hard)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("origins", ["*", "https://a.example/", "a.example", "https://a.example,*", "https://a b"])
def test_an_origin_that_no_browser_sends_is_refused_at_the_start(origins: str) -> None:
    with pytest.raises(StartupError, match="RENDERCAST_ALLOWED_ORIGINS"):
        load_settings(allowed_origins=origins)


def test_origins_have_commas_and_spaces_between() -> None:
    origins = " https://a.example , http://b.example:8080,https://[::1]:1 "
    assert load_settings(allowed_origins=origins).server.origins == {
        "https://a.example",
        "http://b.example:8080",
        "https://[::1]:1",
    }
