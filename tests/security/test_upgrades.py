"""Requests for upgrades, WebSocket handshakes, and rejections that must arrive."""

import json
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import pytest
import pytest_asyncio
from graphql import get_introspection_query

from tests.security.peers import Peer, handshake, message, open_peer
from tests.support.api_server import serve_faked
from transport import uvicorn_websockets

pytestmark = pytest.mark.asyncio(loop_scope="module")

QUERY = b'{"query": "{ renderLimits { fps } }"}'
RESULT = {"data": {"renderLimits": {"fps": 30}}}
CHUNKED_QUERY = b"%x\r\n%b\r\n0\r\n\r\n" % (len(QUERY), QUERY)
JAVA = ("Connection: Upgrade, HTTP2-Settings", "HTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAA", "Upgrade: h2c")
KEY = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
VERSION = "Sec-WebSocket-Version: 13"
WEBSOCKET = ("Connection: Upgrade", "Upgrade: websocket")


def request(start: str, *headers: str, body: bytes = b"") -> bytes:
    """Return a request with exactly these headers, and the length of the body."""
    lengths = [f"Content-Length: {len(body)}"] if body else []
    return "".join(f"{line}\r\n" for line in (start, *headers, *lengths, "")).encode() + body


def post(*headers: str, version: str = "1.1") -> bytes:
    return request(f"POST /graphql HTTP/{version}", "Host: x", "Content-Type: application/json", *headers, body=QUERY)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def url(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    async with serve_faked(tmp_path_factory.mktemp("data"), {}) as url:
        yield url


@pytest_asyncio.fixture(loop_scope="module")
async def peer(url: str, caplog: pytest.LogCaptureFixture) -> AsyncIterator[Peer]:
    """A connection. Requires after the test that no exception was logged."""
    async with open_peer(url) as peer:
        yield peer
    assert not [record for record in caplog.get_records("call") if record.exc_info]


IGNORED = {
    "h2c, as Java and curl send it": JAVA,
    "h2c without settings": ("Connection: upgrade", "Upgrade: h2c"),
    "h2c by name in another case": ("CONNECTION: keep-alive, UPGRADE", "upgrade: H2C"),
    "TLS": ("Connection: Upgrade", "Upgrade: TLS/1.2"),
    "several protocols": ("Connection: Upgrade", "Upgrade: IRC/6.9, h2c"),
    "several lines": ("Connection: Upgrade", "Upgrade: h2c", "Upgrade: IRC/6.9"),
    "a WebSocket by POST": (*WEBSOCKET, KEY, VERSION),
}


@pytest.mark.parametrize("name", IGNORED)
async def test_an_upgrade_to_another_protocol_is_ignored_and_the_connection_stays_open(peer: Peer, name: str) -> None:
    for _ in range(3):
        await peer.send(post(*IGNORED[name]))
        status, body = await peer.read_response()
        assert (status, json.loads(body)) == (200, RESULT)


async def test_ignored_upgrades_can_be_pipelined_and_arrive_in_parts(peer: Peer) -> None:
    await peer.send(post(*JAVA) * 3)
    for _ in range(3):
        assert (await peer.read_response())[0] == 200
    sent = post(*JAVA)
    for start in range(0, len(sent), 7):
        await peer.send(sent[start : start + 7])
    assert json.loads((await peer.read_response())[1]) == RESULT


async def test_an_ignored_upgrade_may_have_a_body_in_chunks(peer: Peer) -> None:
    headers = ("Host: x", "Content-Type: application/json", "Transfer-Encoding: chunked", *JAVA)
    await peer.send(request("POST /graphql HTTP/1.1", *headers) + CHUNKED_QUERY + post())
    for _ in range(2):
        assert json.loads((await peer.read_response())[1]) == RESULT


async def test_after_an_ignored_upgrade_the_connection_is_closed_if_the_client_asks_for_it(peer: Peer) -> None:
    await peer.send(post("Connection: close, Upgrade", "Upgrade: h2c"))
    response = await peer.read_to_end()
    assert (b" 200 OK" in response, response.endswith(b'{"fps":30}}}')) == (True, True)


async def test_a_large_body_that_arrives_with_a_large_head_is_not_counted_as_head(peer: Peer) -> None:
    headers = ("Host: x", "Content-Type: application/json", f"X: {'x' * 60_000}")
    await peer.send(request("POST /graphql HTTP/1.1", *headers, body=QUERY.ljust(16_000)))
    assert json.loads((await peer.read_response())[1]) == RESULT


async def test_the_body_of_an_ignored_upgrade_is_not_parsed_as_a_request(peer: Peer) -> None:
    await peer.send(request("GET /healthz HTTP/1.1", "Host: x", *JAVA, body=post()))
    assert (await peer.read_response())[0] == 200
    await peer.send(request("GET /healthz HTTP/1.1", "Host: x", "Connection: close"))
    assert (await peer.read_to_end()).count(b"HTTP/1.1 ") == 1


async def test_an_upgrade_of_http_1_0_is_ignored(peer: Peer) -> None:
    headers = (f"Host: {peer.host}", *WEBSOCKET, KEY, VERSION)
    await peer.send(request("GET /graphql?query={renderLimits{fps}} HTTP/1.0", *headers))
    assert json.loads((await peer.read_response())[1]) == RESULT


ACCEPTED = {
    "a long cookie": (f"Cookie: session={'x' * 20_000}",),
    "many cookies": tuple(f"Cookie: {n}={'x' * 4000}" for n in range(14)),
    "two protocols to upgrade to": ("Upgrade: h2c",),
    "a length of zero": ("Content-Length: 0",),
    "an unknown extension": ("Sec-WebSocket-Extensions: x-unknown; a=1, permessage-deflate",),
}


@pytest.mark.parametrize("name", ACCEPTED)
async def test_a_handshake_within_the_limits_on_http_is_accepted(peer: Peer, name: str) -> None:
    await peer.send(handshake(peer.host, *ACCEPTED[name]))
    await expect_websocket(peer)


async def test_a_handshake_with_a_long_url_is_accepted(peer: Peer) -> None:
    await peer.send(handshake(peer.host, path=f"/graphql?{'a' * 9000}"))
    await expect_websocket(peer)


async def expect_websocket(peer: Peer) -> None:
    assert b" 101 " in await peer.read_until(b"\r\n\r\n")
    await peer.send(message(type="connection_init", payload={"user": "ann"}))
    await peer.read_until(b'connection_ack"}')


def handshake_without(start: str, *additional: str) -> bytes:
    """Return a handshake without the header that starts with these characters."""
    lines = handshake("x", *additional).decode().splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith(start)).encode()


REJECTED: dict[str, tuple[bytes, int]] = {
    "a body": (handshake("x", "Content-Length: 5") + b"abcde", 400),
    "a body in chunks": (handshake("x", "Transfer-Encoding: chunked") + b"5\r\nabcde\r\n0\r\n\r\n", 400),
    "200 headers": (handshake("x", *(f"X-{number}: a" for number in range(200))), 400),
    "a long extensions header": (handshake("x", f"Sec-WebSocket-Extensions: {'x' * 35_000}"), 431),
    "a long protocols header": (handshake("x", f"Sec-WebSocket-Protocol: {'x' * 10_000}"), 431),
    "headers over 64 KiB": (handshake("x", f"Cookie: {'x' * 70_000}"), 431),
    "a URL over 64 KiB": (handshake("x", path=f"/graphql?{'x' * 70_000}"), 431),
    "300 KB that the server does not read": (handshake("x", *(f"Cookie: {'x' * 6000}" for _ in range(50))), 431),
    "version 8": (handshake_without(VERSION, "Sec-WebSocket-Version: 8"), 426),
    "two versions": (handshake("x", "Sec-WebSocket-Version: 8"), 426),
    "no version": (handshake_without(VERSION), 426),
    "no key": (handshake_without("Sec-WebSocket-Key"), 400),
    "two keys": (handshake("x", KEY), 400),
    "a short key": (handshake_without("Sec-WebSocket-Key", "Sec-WebSocket-Key: YWJj"), 400),
    "a key that is not Base64": (handshake_without("Sec-WebSocket-Key", f"{KEY[:-1]}!"), 400),
    "two origins": (handshake("x", "Origin: http://x", "Origin: http://x"), 400),
    "no host": (handshake_without("Host"), 400),
    "a frame that doesn't wait for the response": (handshake("x") + message(type="ping"), 400),
    "an invalid path": (handshake("x").replace(b"/graphql", b"/\xff"), 400),
}


@pytest.mark.parametrize("name", REJECTED)
async def test_the_rejection_of_a_handshake_arrives_with_its_reason(
    peer: Peer, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    sent, status = REJECTED[name]
    await peer.send(sent)
    response = await peer.read_to_end()
    assert response.startswith(f"HTTP/1.1 {status} ".encode())
    message = json.loads(response.partition(b"\r\n\r\n")[2])["errors"][0]["message"]
    assert any(message in record.getMessage() for record in caplog.records)
    assert b"x-content-type-options: nosniff" in response


@pytest.mark.parametrize("name", ["version 8", "two versions", "no version"])
async def test_the_rejection_of_another_websocket_version_names_the_supported_one(peer: Peer, name: str) -> None:
    await peer.send(REJECTED[name][0])
    assert b"\r\nsec-websocket-version: 13\r\n" in await peer.read_to_end()


REMOVED_BY_PROXIES: dict[str, tuple[str, Iterable[str]]] = {
    "both headers": ("1.1", ()),
    "the upgrade": ("1.1", ("Connection: Upgrade",)),
    "the upgrade, for HTTP/1.0": ("1.0", ("Connection: close",)),
    "the connection": ("1.1", ("Upgrade: websocket", "Connection: keep-alive")),
}


@pytest.mark.parametrize("name", REMOVED_BY_PROXIES)
async def test_a_handshake_whose_upgrade_a_proxy_removed_is_rejected_with_426(
    peer: Peer, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    version, headers = REMOVED_BY_PROXIES[name]
    await peer.send(request(f"GET /graphql HTTP/{version}", f"Host: {peer.host}", KEY, VERSION, *headers))
    response = await peer.read_to_end()
    assert response.startswith(b"HTTP/1.1 426 Upgrade Required")
    assert b"\r\nupgrade: websocket\r\n" in response
    assert b"proxy" in response
    assert any("proxy" in record.getMessage() for record in caplog.records)


CODINGS = {
    "gzip, chunked": 501,
    "chunked, gzip, chunked": 400,
    "Deflate ,Chunked": 501,
    "identity, chunked": 501,
    "gzip\r\nTransfer-Encoding: chunked": 501,
    "chunked, chunked": 400,
    "chunked, gzip": 400,
    "gzip": 400,
    "Chunked": 200,
}


@pytest.mark.parametrize("codings", CODINGS)
async def test_only_the_transfer_encoding_chunked_is_supported(peer: Peer, codings: str) -> None:
    headers = ("Host: x", "Content-Type: application/json", f"Transfer-Encoding: {codings}")
    await peer.send(request("POST /graphql HTTP/1.1", *headers) + CHUNKED_QUERY)
    assert int((await peer.read_until(b"\r\n\r\n")).split()[1]) == CODINGS[codings]


async def test_http_1_0_has_no_transfer_encoding(peer: Peer) -> None:
    headers = ("Host: x", "Content-Type: application/json", "Transfer-Encoding: chunked")
    await peer.send(request("POST /graphql HTTP/1.0", *headers) + CHUNKED_QUERY)
    assert (await peer.read_to_end()).startswith(b"HTTP/1.1 400 ")


async def test_a_handshake_is_rejected_while_the_client_leaves_a_large_response_unread(tmp_path: Path) -> None:
    """The WebSocket would not be notified that the client doesn't read, and would send to it without limit."""
    query = json.dumps({"query": get_introspection_query()}).encode()
    settings = {"introspection": "public"}
    async with (
        serve_faked(tmp_path, settings, send_buffer_bytes=4096) as url,
        open_peer(url, receive_bytes=4096) as peer,
    ):
        await peer.send(request("POST /graphql HTTP/1.1", "Host: x", "Content-Type: application/json", body=query))
        await peer.wait_until_readable()
        await peer.send(handshake(peer.host))
        status, body = await peer.read_response()
        assert (status, len(body) > 100_000) == (200, True)
        assert (await peer.read_to_end()).startswith(b"HTTP/1.1 400 ")


async def test_a_client_that_does_not_read_the_denial_of_its_handshake_is_disconnected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uvicorn_websockets, "CLOSE_TIMEOUT_S", 0.1)
    query = json.dumps({"query": "{ __schema { types { name description fields { name description } } } }"}).encode()
    settings = {"introspection": "public"}
    async with (
        serve_faked(tmp_path, settings, send_buffer_bytes=4096) as url,
        open_peer(url, receive_bytes=4096) as peer,
    ):
        await peer.send(request("POST /graphql HTTP/1.1", "Host: x", "Content-Type: application/json", body=query))
        await peer.wait_until_readable()
        await peer.send(handshake(peer.host, path="/other"))
        await peer.wait_until_closed()
