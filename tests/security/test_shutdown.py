"""What clients receive when the server stops."""

import json
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.security.peers import frames, message, open_peer, open_peers, post, upgrade
from tests.support.api_client import UPDATES
from tests.support.api_server import serve_faked
from transport.closing_delay import DELAY_PER_CONNECTION_S, MAX_DELAY_S, closing_delay_s
from transport.rejections import SHUTTING_DOWN

CLIENTS = 5


async def test_a_request_that_has_not_arrived_completely_gets_503_and_one_log_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with AsyncExitStack() as stack:
        async with serve_faked(tmp_path, {}) as url:
            head, body, chunk = [await stack.enter_async_context(open_peer(url)) for _ in range(3)]
            await head.send(b"POST /graphql HTTP/1.1\r\nHost: x\r\n")
            await body.send(post(b"{", length=100))
            await chunk.send(post(b"").replace(b"Content-Length: 0", b"Transfer-Encoding: chunked") + b"5\r\n{")
            async with open_peer(url) as other:  # its response shows that the server has read what was sent before
                await other.send(post(b'{"query": "{ __typename }"}'))
                assert (await other.read_response())[0] == 200
        assert await head.read_to_end() == b""
        for peer in (body, chunk):
            response = await peer.read_to_end()
            assert response.startswith(b"HTTP/1.1 503 Service Unavailable")
            error = json.loads(response.partition(b"\r\n\r\n")[2])["errors"][0]
            assert error["extensions"]["code"] == "SERVICE_UNAVAILABLE"
    assert not [record for record in caplog.records if record.exc_info or record.levelname == "ERROR"]
    assert [record.getMessage() for record in caplog.records].count(f"rejected a request: {SHUTTING_DOWN.message}") == 2


async def test_websockets_are_closed_with_1012(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        async with serve_faked(tmp_path, {}) as url:
            peers = await stack.enter_async_context(open_peers(url, CLIENTS))
            for peer in peers:
                await upgrade(peer, {"user": "ann"})
                await peer.send(message(type="subscribe", id="1", payload={"query": UPDATES}))
        for peer in peers:
            *_, (_, payload) = frames(await peer.read_to_end())
            assert int.from_bytes(payload[:2]) == 1012


def test_connections_are_closed_at_different_times_and_few_of_them_at_once() -> None:
    delays = {closing_delay_s(5000) for _ in range(1000)}
    assert len(delays) > 900
    assert (min(delays) < MAX_DELAY_S / 10, MAX_DELAY_S * 0.9 < max(delays) <= MAX_DELAY_S) == (True, True)
    assert max(closing_delay_s(1) for _ in range(1000)) <= DELAY_PER_CONNECTION_S
