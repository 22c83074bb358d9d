"""Limits on the number of connections."""

import asyncio
import resource
from pathlib import Path

import pytest

from commands.server.serve import FILES_FOR_CONNECTIONS, connection_limit
from services.settings import load_settings
from tests.security.peers import Peer, open_peer, open_peers, upgrade
from tests.support.api_client import TEST_TIMEOUT_S
from tests.support.api_server import serve_faked
from transport.connection_limits import ConnectionLimiter

ALIVE = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
MAX_CONNECTIONS = 3


async def is_served(peer: Peer) -> bool:
    """Send a health check and return whether the server responds."""
    try:
        await peer.send(ALIVE)
        return (await peer.read_response())[0] == 200
    except (ConnectionError, asyncio.IncompleteReadError, AssertionError, ValueError):
        return False


@pytest.mark.parametrize(
    ("settings", "limit"),
    [
        ({"max_connections_per_address": MAX_CONNECTIONS, "trusted_proxies": "none"}, MAX_CONNECTIONS),
        ({"max_connections_per_address": MAX_CONNECTIONS}, 2 * MAX_CONNECTIONS),
        ({"max_connections": 10}, 10),
    ],
)
async def test_connections_over_the_limit_are_rejected_until_others_end(
    tmp_path: Path, settings: dict[str, object], limit: int
) -> None:
    async with serve_faked(tmp_path, settings) as url:
        async with open_peers(url, limit) as peers:
            assert all([await is_served(peer) for peer in peers])
            async with open_peer(url) as extra:
                assert await is_served(extra) == (settings == {"max_connections_per_address": MAX_CONNECTIONS})
            await upgrade(peers[0])
        async with asyncio.timeout(TEST_TIMEOUT_S):
            while not await _has_free_connection(url):  # noqa: ASYNC110
                await asyncio.sleep(0.01)


async def _has_free_connection(url: str) -> bool:
    async with open_peer(url) as peer:
        return await is_served(peer)


def test_an_ipv6_network_counts_as_one_client_and_a_proxy_only_in_total() -> None:
    limiter = ConnectionLimiter(max_connections=5, max_per_network=2, is_trusted="192.0.2.9".__eq__)
    assert [limiter.acquire(f"2001:db8::{n}") for n in range(3)] == [True, True, False]
    assert [limiter.acquire("192.0.2.9") for _ in range(4)] == [True, True, True, False]
    limiter.release("2001:db8::1")
    assert [limiter.acquire("2001:db8::ffff") for _ in range(2)] == [True, False]


def test_the_process_raises_its_limit_of_open_files_for_its_connections() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = int(min(4000, hard) * FILES_FOR_CONNECTIONS)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (1024, hard))
        assert connection_limit(load_settings(max_connections=3000).connections) == most
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == min(4000, hard)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
