"""HTTP by bare hands: requests that no library would send, in any number, and answers that nobody reads."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from functools import partial

import pytest
import pytest_asyncio

from tests.security.peers import Peer, handshake, message, open_peer, post, upgrade
from tests.support.api_client import Client, open_client
from tests.support.api_server import serve_faked

pytestmark = pytest.mark.asyncio(loop_scope="module")

REQUEST_TIMEOUT_S = 1
MAX_BODY = 256 * 1024
LITTLE = 4096  # bytes that the kernel keeps for a reader that stops
ALIVE = b"GET /healthz HTTP/1.1\r\nHost: x\r\n"
POST = b"POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
QUERY = b'{"query": "{ renderLimits { fps } }"}'
PAGE = b"GET /graphql HTTP/1.1\r\nHost: x\r\nAccept: text/html\r\n\r\n"


serving = partial(serve_faked, send_buffer_bytes=LITTLE)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def url(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    async with serving(tmp_path_factory.mktemp("data"), {}) as url:
        yield url


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def impatient(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """The URL of a server that gives no one much time."""
    async with serving(tmp_path_factory.mktemp("data"), {"request_timeout_s": REQUEST_TIMEOUT_S}) as url:
        yield url


@pytest_asyncio.fixture(loop_scope="module")
async def ann(url: str, caplog: pytest.LogCaptureFixture) -> AsyncIterator[Client]:
    """A user whom the server answers afterwards, and nothing went wrong in it."""
    async with open_client(url, user="ann") as client:
        yield client
        assert await client.ask("{ renderLimits { fps } }") == {"fps": 30}
    assert not [record for record in caplog.get_records("call") if record.exc_info]


@pytest_asyncio.fixture(loop_scope="module")
async def peer(ann: Client) -> AsyncIterator[Peer]:
    async with open_peer(str(ann.http.base_url)) as peer:
        yield peer


AMBIGUOUS = {
    "two lengths": POST + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
    "two lengths that differ": POST + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
    "a list of lengths": POST + b"Content-Length: 2, 2\r\n\r\n{}",
    "a length with a sign": POST + b"Content-Length: +2\r\n\r\n{}",
    "a length below nothing": POST + b"Content-Length: -1\r\n\r\n",
    "a length beyond all": POST + b"Content-Length: 99999999999999999999999\r\n\r\n{}",
    "a length with a space before its colon": POST + b"Content-Length : 2\r\n\r\n{}",
    "a length and chunks": POST + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "chunks and a length": POST + b"Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "an unknown encoding": POST + b"Transfer-Encoding: xchunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "an encoding behind the chunks": POST + b"Transfer-Encoding: chunked, identity\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "two encodings": POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
    "a size that is none": POST + b"Transfer-Encoding: chunked\r\n\r\n-1\r\n{}\r\n0\r\n\r\n",
    "a header that is folded": ALIVE + b"X: a\r\n b\r\n\r\n",
    "lines without their return": ALIVE.replace(b"\r", b"") + b"\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "a tunnel": b"CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n",
    "a path that is none": b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n",
    "100,000 headers": ALIVE + b"a:\r\n" * 100_000,
    "101 headers": ALIVE + b"a:\r\n" * 100 + b"\r\n",
}


@pytest.mark.parametrize("name", AMBIGUOUS)
async def test_what_could_be_read_in_two_ways_is_not_read_at_all(peer: Peer, name: str) -> None:
    await peer.send(AMBIGUOUS[name][:65_536])
    assert (await peer.rest()).startswith(b"HTTP/1.1 400 ")


async def test_a_long_path_is_cut_off(peer: Peer) -> None:
    await peer.send(b"GET /graphql?query=")
    await peer.cut_off(b"a" * 65_536)


async def test_a_body_that_is_too_large_is_refused_before_it_is_sent(peer: Peer) -> None:
    await peer.send(post(b"", length=64 * 1024 * 1024))
    assert (await peer.answer())[0] == 413


async def test_a_body_in_the_smallest_chunks_is_a_body(peer: Peer) -> None:
    chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in QUERY.ljust(10_000))
    await peer.send(POST + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n")
    status, answer = await peer.answer()
    assert (status, json.loads(answer)) == (200, {"data": {"renderLimits": {"fps": 30}}})


async def test_a_header_behind_the_body_is_none(peer: Peer) -> None:
    body = b'{"query": "{ renderQuota { limit } }"}'
    for inside, behind in ((b"X-User: ann\r\n", b""), (b"", b"X-User: ann\r\n")):
        head = POST + inside + b"Transfer-Encoding: chunked\r\n\r\n"
        await peer.send(head + b"%x\r\n%s\r\n0\r\n%s\r\n" % (len(body), body, behind))
        _, answer = await peer.answer()
        assert (b"UNAUTHENTICATED" in answer) == (not inside)


async def test_a_body_behind_an_upgrade_that_is_not_offered_is_no_request(peer: Peer) -> None:
    request = post(QUERY)
    await peer.send(ALIVE + b"Connection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: %d\r\n\r\n" % len(request))
    assert b"connection: close" in await peer.until(b"\r\n\r\n")
    with contextlib.suppress(ConnectionError):
        await peer.send(request)
    assert b"HTTP/1.1" not in await peer.rest()


async def test_headers_behind_the_body_are_limited_too(peer: Peer) -> None:
    await peer.send(POST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n")
    await peer.cut_off(b"a:\r\n" * 10_000)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32", "utf-8-sig"])
async def test_json_is_in_utf_8(peer: Peer, encoding: str) -> None:
    await peer.send(post(QUERY.decode().encode(encoding)))
    assert (await peer.answer())[0] == 400


async def test_a_head_is_asked_for_as_what_it_is_the_head_of(peer: Peer) -> None:
    body = b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(QUERY), QUERY)
    await peer.send(b"HEAD /graphql?query={renderLimits{fps}} HTTP/1.1\r\nHost: x\r\n" + body)
    assert (await peer.until(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
    await peer.send(b"HEAD /graphql?query=mutation{deleteRender(renderId:1){__typename}} HTTP/1.1\r\nHost: x\r\n\r\n")
    assert (await peer.until(b"\r\n\r\n")).startswith(b"HTTP/1.1 405 ")


async def test_a_few_requests_may_wait_for_those_before_them(peer: Peer) -> None:
    await peer.send(post(QUERY) * 10)
    for _ in range(10):
        assert (await peer.answer())[0] == 200


async def test_requests_without_end_are_cut_off(peer: Peer) -> None:
    await peer.cut_off((ALIVE + b"\r\n") * 10_000)


async def test_an_empty_line_begins_a_request_that_has_to_come(impatient: str) -> None:
    async with open_peer(impatient) as peer:
        await peer.send(post(QUERY))
        assert (await peer.answer())[0] == 200
        await peer.send(b"\r\n")
        assert await peer.rest() == b""


async def test_a_body_that_was_refused_and_came_nevertheless_is_followed_by_a_request_in_time(impatient: str) -> None:
    async with open_peer(impatient) as peer:
        await peer.send(post(b"", length=MAX_BODY + 1))
        assert (await peer.answer())[0] == 413
        await peer.send(b" " * (MAX_BODY + 1))
        assert await peer.rest() == b""


async def test_answers_that_nobody_reads_are_not_kept(impatient: str) -> None:
    last_one = PAGE.replace(b"Host: x", b"Host: x\r\nConnection: close")
    async with asyncio.TaskGroup() as tasks:
        for asked in (PAGE * 16, PAGE * 4 + last_one):
            tasks.create_task(leave_unread(impatient, asked))


async def leave_unread(url: str, asked: bytes) -> None:
    async with open_peer(url, receive_bytes=LITTLE) as peer:
        await peer.send(asked)
        await peer.answered()
        await peer.let_go()


async def test_one_who_says_much_at_once_lets_others_have_their_turn(ann: Client) -> None:
    messages, turns = 1000, 0

    async def take_turns() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    async with open_peer(str(ann.http.base_url)) as peer:
        await upgrade(peer, {"user": "ann"})
        other = asyncio.create_task(take_turns())
        await peer.send(message(type="pong") * messages + message(type="ping"))
        await peer.until(b"pong")
        other.cancel()
    assert turns > messages / 2


@pytest.mark.usefixtures("ann")
async def test_answers_that_are_owed_go_before_the_refusal_of_what_comes_after_them(url: str) -> None:
    asked = POST + b"Content-Length: %d\r\n\r\n" % len(QUERY) + QUERY
    async with open_peer(url) as peer:
        await peer.send(asked * 2 + b"nonsense\r\n\r\n")
        answers = await peer.rest()
    assert answers.count(b"HTTP/1.1 200 OK") == answers.count(b'"fps":30') == 2
    assert b"400" not in answers


@pytest.mark.usefixtures("ann")
async def test_a_websocket_doesnt_begin_before_the_answers_that_are_owed(url: str) -> None:
    asked = POST + b"Content-Length: %d\r\n\r\n" % len(QUERY) + QUERY
    async with open_peer(url) as peer:
        await peer.send(asked + handshake(peer.host))
        assert b"101" not in await peer.rest()


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
async def test_what_is_no_request_is_told_so_as_everything_is(url: str, request_: bytes) -> None:
    async with open_peer(url) as peer:
        await peer.send(request_)
        answer = await peer.rest()
    assert answer.startswith(b"HTTP/1.1 400 Bad Request")
    for header in (b"content-type: application/json", b"x-content-type-options: nosniff", b"connection: close"):
        assert header in answer
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["errors"][0]["extensions"] == {"code": "BAD_USER_INPUT"}


async def test_a_handshake_that_is_refused_is_no_error_of_ours(
    ann: Client, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_peer(url) as peer:
        await peer.send(handshake(peer.host, "Origin: https://evil.example"))
        assert (await peer.rest()).startswith(b"HTTP/1.1 403")
        await ann.ask("{ renderLimits { fps } }")
    assert not [record for record in caplog.records if record.levelname == "ERROR"]
