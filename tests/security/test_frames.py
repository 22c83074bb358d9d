"""Raw WebSockets: frames and handshakes that no library sends, and clients that don't read."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

import pytest
import pytest_asyncio
from starlette.applications import Starlette
from websockets.exceptions import ConnectionClosed

from commands.server.serve import server_config
from services.settings import load_settings
from tests.security.closing import close_code_and_reason
from tests.security.peers import (
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    Peer,
    connected_for,
    frame,
    handshake,
    message,
    open_peer,
    upgrade,
)
from tests.support.api_client import UPDATES, Client, open_client
from tests.support.api_server import serve_faked
from tests.support.api_stream import open_stream
from transport.websocket_reader import MAX_NON_MESSAGE_FRAMES

pytestmark = pytest.mark.asyncio(loop_scope="module")

PING_INTERVAL_S = 0.5
ANN: dict[str, object] = {"user": "ann"}
SMALL_BUFFER = 4096  # bytes in the kernel's buffers for a client that stops reading


serve_small = partial(serve_faked, send_buffer_bytes=SMALL_BUFFER)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def url(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    async with serve_small(tmp_path_factory.mktemp("data"), {}) as url:
        yield url


@pytest_asyncio.fixture(loop_scope="module")
async def ann(url: str, caplog: pytest.LogCaptureFixture) -> AsyncIterator[Client]:
    """A user. After the test the server must still serve it, and must not have logged an exception."""
    async with open_client(url, user="ann") as client:
        yield client
        async with open_stream(client) as stream:
            await stream.subscribe("{ renderLimits { fps } }")
            assert await stream.next() == {"fps": 30}
    assert not [record for record in caplog.get_records("call") if record.exc_info]


@pytest_asyncio.fixture(loop_scope="module")
async def peer(ann: Client) -> AsyncIterator[Peer]:
    """A raw WebSocket authenticated as ann."""
    async with open_peer(str(ann.http.base_url)) as peer:
        await upgrade(peer, ANN)
        yield peer


INVALID_UTF_8 = b'{"type": "ping", "payload": {"a": "\xff"}}'
INVALID: dict[str, tuple[bytes, int]] = {
    "bad UTF-8": (frame(INVALID_UTF_8), 1007),
    "bad UTF-8 in fragments": (
        frame(INVALID_UTF_8[:-4], last=False) + frame(INVALID_UTF_8[-4:], CONTINUATION),
        1007,
    ),
    "half a surrogate": (frame(b'{"type": "ping", "payload": {"a": "\xed\xa0\x80"}}'), 1007),
    "compressed without negotiation": (frame(b"\xaaV*I-.\x01\x00", reserved=4), 1002),
    "not masked": (bytes([0x81, 2]) + b"{}", 1002),
    "an unknown opcode": (frame(b"{}", 3), 1002),
    "a long ping": (frame(b"x" * 126, PING), 1002),
    "a fragmented ping": (frame(b"x", PING, last=False), 1002),
    "a continuation of nothing": (frame(b"{}", CONTINUATION), 1002),
    "a message inside another": (frame(b"{", last=False) + frame(b"{}"), 1002),
    "a truncated close": (frame(b"x", CLOSE), 1002),
    "a close with a code that must not be sent": (frame(b"\x03\xed", CLOSE), 1002),
    "a frame that is too large": (frame(b"", size=64 * 1024 * 1024), 1009),
    "a frame of the maximum size": (frame(b"", size=2**64 - 1), 1009),
    "fragments that are too large": (frame(b" " * 200_000, last=False) + frame(b" " * 200_000, CONTINUATION), 1009),
}


@pytest.mark.parametrize("name", INVALID)
async def test_an_invalid_frame_closes_the_connection_with_its_code(peer: Peer, name: str) -> None:
    data, code = INVALID[name]
    await peer.send(data)
    assert await peer.close_code() == code


NON_MESSAGE_FRAMES = {
    "pings": frame(b"", PING),
    "pongs": frame(b"", PONG),
    "fragments": frame(b"", CONTINUATION, last=False),
}


@pytest.mark.parametrize("name", NON_MESSAGE_FRAMES)
async def test_a_flood_of_non_message_frames_closes_the_connection(peer: Peer, name: str) -> None:
    await peer.send(frame(b"", last=False) + NON_MESSAGE_FRAMES[name] * (MAX_NON_MESSAGE_FRAMES + 1))
    assert await peer.close_code() == 1008


async def test_compression_is_not_negotiated(ann: Client) -> None:
    async with open_peer(str(ann.http.base_url)) as peer:
        await peer.send(handshake(peer.host, "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"))
        head = await peer.read_until(b"\r\n\r\n")
    assert b" 101 " in head
    assert b"extensions" not in head.lower()


@pytest.mark.parametrize("origin", ["http://[::1", "http://[", "http://]", "null", "//"])
async def test_an_invalid_origin_is_rejected(ann: Client, origin: str) -> None:
    for host in ("x", ""):
        async with open_peer(str(ann.http.base_url)) as peer:
            await peer.send(handshake(host, f"Origin: {origin}"))
            assert b" 403 " in await peer.read_to_end()


async def test_a_duplicate_id_is_named_in_the_close_reason_however_long_it_is(ann: Client) -> None:
    async with open_stream(ann) as stream:
        for _ in range(2):
            await stream.subscribe(UPDATES, "😀" * 60)
        code, reason = await close_code_and_reason(stream.connection)
    assert (code, "😀" * 20 in reason) == (4409, True)


async def test_a_client_that_stops_reading_is_disconnected_whatever_it_sends_last(tmp_path: Path) -> None:
    """Otherwise the unread data would keep the connection open without limit."""
    async with serve_small(tmp_path, {"ping_interval_s": PING_INTERVAL_S}) as url, asyncio.TaskGroup() as tasks:
        for last in (frame(b"", CLOSE), frame(b"", 3), message(type="nonsense")):
            tasks.create_task(send_without_reading(url, last))


async def send_without_reading(url: str, last: bytes) -> None:
    with connected_for(4 * PING_INTERVAL_S):  # an interval to the ping, and three for its reply
        async with open_peer(url, receive_bytes=SMALL_BUFFER) as peer:
            await upgrade(peer, ANN)
            await peer.send(message(type="ping", payload={"a": "x" * 1000}) * 60)
            await peer.wait_until_readable()
            await peer.send(last)
            await peer.wait_until_closed()


async def test_a_ping_is_answered_or_rejected_whatever_its_nesting_depth(ann: Client) -> None:
    ends = set()
    for depth in (*range(700, 1000), 10_000, 100_000):  # Python 3.11's recursion limit, and that of newer ones
        async with open_stream(ann) as stream:
            await stream.connection.send('{"type": "ping", "payload": {"a": %s}}' % ("[" * depth + "]" * depth))
            try:
                ends.add((await stream.receive())["type"])
            except ConnectionClosed as closed:
                ends.add(closed.rcvd and closed.rcvd.code)
    assert ends == {"pong", 4400}


async def test_a_server_shuts_down_cleanly_although_a_client_closed_with_unread_data(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack, serve_small(tmp_path, {}) as url:
        peer = await stack.enter_async_context(open_peer(url, receive_bytes=SMALL_BUFFER))
        await upgrade(peer, ANN)
        await peer.send(message(type="ping", payload={"a": "x" * 1000}) * 60)
        await peer.wait_until_readable()
        await peer.send(frame(b"", CLOSE))
        async with open_client(url) as client:
            assert await client.execute("{ renderLimits { fps } }") == {"fps": 30}


async def test_by_default_dead_peers_are_closed_within_a_minute_and_messages_are_small_and_uncompressed() -> None:
    config = server_config(Starlette(), load_settings())
    assert config.ws_ping_interval == 7  # proxies with a read timeout of 10 s are common
    assert config.ws_ping_timeout == 21
    assert config.ws_max_size == 256 * 1024
    assert not config.ws_per_message_deflate
    assert load_settings().connections.connection_init_timeout_s == 15
