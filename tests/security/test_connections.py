"""Raw HTTP: ambiguous, endless and pipelined requests, and unread responses."""

import asyncio
import json
from collections.abc import AsyncIterator
from functools import partial

import pytest
import pytest_asyncio

from tests.security.peers import Peer, connected_for, handshake, message, open_peer, post, upgrade
from tests.support.api_client import Client, open_client
from tests.support.api_server import serve_faked
from transport import uvicorn_http

pytestmark = pytest.mark.asyncio(loop_scope="module")

REQUEST_TIMEOUT_S = 1
MAX_BODY = 512 * 1024
BUFFER_BYTES = 4096  # of the kernel's buffers for a client that stops reading
ALIVE = b"GET /healthz HTTP/1.1\r\nHost: x\r\n"
POST = b"POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
QUERY = b'{"query": "{ renderLimits { fps } }"}'
PAGE = b"GET /graphql HTTP/1.1\r\nHost: x\r\nAccept: text/html\r\n\r\n"


serving = partial(serve_faked, send_buffer_bytes=BUFFER_BYTES)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def url(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    async with serving(tmp_path_factory.mktemp("data"), {}) as url:
        yield url


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def short_timeout_url(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """The URL of a server with a short request timeout."""
    async with serving(tmp_path_factory.mktemp("data"), {"request_timeout_s": REQUEST_TIMEOUT_S}) as url:
        yield url


@pytest_asyncio.fixture(loop_scope="module")
async def ann(url: str, caplog: pytest.LogCaptureFixture) -> AsyncIterator[Client]:
    """A user. Requires after the test that the server responds and has logged no exception."""
    async with open_client(url, user="ann") as client:
        yield client
        assert await client.execute("{ renderLimits { fps } }") == {"fps": 30}
    assert not [record for record in caplog.get_records("call") if record.exc_info]


@pytest_asyncio.fixture(loop_scope="module")
async def peer(ann: Client) -> AsyncIterator[Peer]:
    async with open_peer(str(ann.http.base_url)) as peer:
        yield peer


AMBIGUOUS = {
    "two lengths": POST + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
    "two different lengths": POST + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
    "a list of lengths": POST + b"Content-Length: 2, 2\r\n\r\n{}",
    "a length with a sign": POST + b"Content-Length: +2\r\n\r\n{}",
    "a negative length": POST + b"Content-Length: -1\r\n\r\n",
    "a length over 64 bits": POST + b"Content-Length: 99999999999999999999999\r\n\r\n{}",
    "a space before the colon": POST + b"Content-Length : 2\r\n\r\n{}",
    "a length and chunks": POST + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "chunks and a length": POST + b"Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "an unknown encoding": POST + b"Transfer-Encoding: xchunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "an encoding after chunked": POST + b"Transfer-Encoding: chunked, identity\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "two encodings": POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
    "a negative chunk size": POST + b"Transfer-Encoding: chunked\r\n\r\n-1\r\n{}\r\n0\r\n\r\n",
    "a folded header": ALIVE + b"X: a\r\n b\r\n\r\n",
    "lines without CR": ALIVE.replace(b"\r", b"") + b"\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "CONNECT": b"CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n",
    "an invalid path": b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n",
    "100,000 headers": ALIVE + b"a:\r\n" * 100_000,
    "101 headers": ALIVE + b"a:\r\n" * 100 + b"\r\n",
}


@pytest.mark.parametrize("name", AMBIGUOUS)
async def test_an_ambiguous_or_invalid_request_is_rejected(peer: Peer, name: str) -> None:
    await peer.send(AMBIGUOUS[name][:65_536])
    assert (await peer.read_to_end()).startswith(b"HTTP/1.1 400 ")


async def test_an_endless_path_is_aborted(peer: Peer) -> None:
    await peer.send(b"GET /graphql?query=")
    await peer.send_until_closed(b"a" * 65_536)


async def test_a_body_that_is_too_large_is_rejected_by_its_length(peer: Peer) -> None:
    await peer.send(post(b"", length=64 * 1024 * 1024))
    assert (await peer.read_response())[0] == 413


async def test_a_body_in_one_byte_chunks_is_accepted(peer: Peer) -> None:
    chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in QUERY.ljust(10_000))
    await peer.send(POST + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n")
    status, response = await peer.read_response()
    assert (status, json.loads(response)) == (200, {"data": {"renderLimits": {"fps": 30}}})


async def test_trailer_fields_are_ignored(peer: Peer) -> None:
    body = b'{"query": "{ renderQuota { limit } }"}'
    for header, trailer in ((b"X-User: ann\r\n", b""), (b"", b"X-User: ann\r\n")):
        head = POST + header + b"Transfer-Encoding: chunked\r\n\r\n"
        await peer.send(head + b"%x\r\n%s\r\n0\r\n%s\r\n" % (len(body), body, trailer))
        _, response = await peer.read_response()
        assert (b"UNAUTHENTICATED" in response) == (not header)


async def test_endless_trailer_fields_are_aborted(peer: Peer) -> None:
    await peer.send(POST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n")
    await peer.send_until_closed(b"a:\r\n" * 10_000)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32", "utf-8-sig"])
async def test_json_must_be_in_utf_8(peer: Peer, encoding: str) -> None:
    await peer.send(post(QUERY.decode().encode(encoding)))
    assert (await peer.read_response())[0] == 400


async def test_head_requests_are_handled_like_get_requests(peer: Peer) -> None:
    body = b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(QUERY), QUERY)
    await peer.send(b"HEAD /graphql?query={renderLimits{fps}} HTTP/1.1\r\nHost: x\r\n" + body)
    assert (await peer.read_until(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
    await peer.send(b"HEAD /graphql?query=mutation{deleteRender(renderId:1){__typename}} HTTP/1.1\r\nHost: x\r\n\r\n")
    assert (await peer.read_until(b"\r\n\r\n")).startswith(b"HTTP/1.1 405 ")


async def test_a_few_requests_can_be_pipelined(peer: Peer) -> None:
    await peer.send(post(QUERY) * 10)
    for _ in range(10):
        assert (await peer.read_response())[0] == 200


async def test_endless_pipelined_requests_are_aborted(peer: Peer) -> None:
    await peer.send_until_closed((ALIVE + b"\r\n") * 10_000)


async def test_an_empty_line_starts_the_request_timeout(short_timeout_url: str) -> None:
    async with open_peer(short_timeout_url) as peer:
        await peer.send(post(QUERY))
        assert (await peer.read_response())[0] == 200
        await peer.send(b"\r\n")
        assert await peer.read_to_end() == b""


async def test_after_a_rejected_body_was_sent_anyway_the_request_timeout_runs(short_timeout_url: str) -> None:
    with connected_for(REQUEST_TIMEOUT_S):
        async with open_peer(short_timeout_url) as peer:
            await peer.send(post(b"", length=MAX_BODY + 1))
            assert (await peer.read_response())[0] == 413
            await peer.send(b" " * (MAX_BODY + 1))
            assert await peer.read_to_end() == b""


async def test_unread_responses_are_discarded_after_a_timeout(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uvicorn_http, "WRITE_TIMEOUT_FACTOR", 0.02)  # 0.3 s
    last_one = PAGE.replace(b"Host: x", b"Host: x\r\nConnection: close")
    async with asyncio.TaskGroup() as tasks:
        for requests in (PAGE * 16, PAGE * 4 + last_one):
            tasks.create_task(leave_unread(url, requests))


async def leave_unread(url: str, requests: bytes) -> None:
    async with open_peer(url, receive_bytes=BUFFER_BYTES) as peer:
        await peer.send(requests)
        await peer.wait_until_readable()
        await peer.wait_until_closed()


async def test_many_messages_on_one_connection_do_not_block_others(ann: Client) -> None:
    messages, iterations = 1000, 0

    async def count_loop_iterations() -> None:
        nonlocal iterations
        while True:
            await asyncio.sleep(0)
            iterations += 1

    async with open_peer(str(ann.http.base_url)) as peer:
        await upgrade(peer, {"user": "ann"})
        other = asyncio.create_task(count_loop_iterations())
        await peer.send(message(type="pong") * messages + message(type="ping"))
        await peer.read_until(b"pong")
        other.cancel()
    assert iterations > messages / 2


@pytest.mark.usefixtures("ann")
async def test_pending_responses_are_sent_when_a_malformed_request_follows(url: str) -> None:
    requests = POST + b"Content-Length: %d\r\n\r\n" % len(QUERY) + QUERY
    async with open_peer(url) as peer:
        await peer.send(requests * 2 + b"nonsense\r\n\r\n")
        responses = await peer.read_to_end()
    assert responses.count(b"HTTP/1.1 200 OK") == responses.count(b'"fps":30') == 2
    assert b"400" not in responses


@pytest.mark.usefixtures("ann")
async def test_a_websocket_upgrade_with_pending_responses_is_aborted(url: str) -> None:
    requests = POST + b"Content-Length: %d\r\n\r\n" % len(QUERY) + QUERY
    async with open_peer(url) as peer:
        await peer.send(requests + handshake(peer.host))
        assert b"101" not in await peer.read_to_end()


@pytest.mark.parametrize(
    "request_",
    [
        b"nonsense\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        POST + b"Transfer-Encoding: chunked\r\n\r\nnonsense",
    ],
)
@pytest.mark.usefixtures("ann")
async def test_a_malformed_request_gets_a_json_error_with_security_headers(url: str, request_: bytes) -> None:
    async with open_peer(url) as peer:
        await peer.send(request_)
        response = await peer.read_to_end()
    assert response.startswith(b"HTTP/1.1 400 Bad Request")
    for header in (b"content-type: application/json", b"x-content-type-options: nosniff", b"connection: close"):
        assert header in response
    assert json.loads(response.partition(b"\r\n\r\n")[2])["errors"][0]["extensions"] == {"code": "BAD_USER_INPUT"}


async def test_a_rejected_handshake_logs_no_error(ann: Client, url: str, caplog: pytest.LogCaptureFixture) -> None:
    async with open_peer(url) as peer:
        await peer.send(handshake(peer.host, "Origin: https://evil.example"))
        assert (await peer.read_to_end()).startswith(b"HTTP/1.1 403")
        await ann.execute("{ renderLimits { fps } }")
    assert not [record for record in caplog.records if record.levelname == "ERROR"]
