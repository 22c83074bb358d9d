"""Attacks by HTTP on a server in its own process. Each checks its responses; the tests check the server afterwards."""

import asyncio
import contextlib
import json
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import cache

from tests.security.attacks import DOCUMENTS, VARIABLES
from tests.security.peers import Peer, open_peer, open_peers
from tests.security.target import MAX_FILES, Attack, Target
from tests.support.api_client import NODE

MIB = 1024 * 1024
POST = b"POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
ALIVE = b"GET /healthz HTTP/1.1\r\nHost: x\r\n"
LONG = json.dumps({"query": "{" + "".join(f"{'a' * 1200}{n}: __typename " for n in range(50)) + "}"}).encode()
RECEIVE_BYTES = 4096  # of the kernel's buffer for a client that stops reading


def at_once(attack: Callable[[Target], Awaitable[None]]) -> Attack:
    """Return an attack that is complete before the context opens."""

    @asynccontextmanager
    async def opened(target: Target) -> AsyncIterator[None]:
        await attack(target)
        yield

    return opened


def bodies(status: int, *requests: bytes, times: int = 10) -> Attack:
    """Return an attack by bodies, each sent several times on one connection."""

    async def attack(target: Target) -> None:
        async with open_peer(target.url) as peer:
            for body in requests * times:
                await peer.send(target.request(body))
                response = await peer.read_response()
                assert (response[0], b'"errors"' in response[1]) == (status, True), response

    return at_once(attack)


def documents(*names: str) -> Attack:
    """Return an attack by expensive documents."""
    texts = [DOCUMENTS[name].text for name in names]
    return bodies(200, *(json.dumps({"query": text}).encode() for text in texts), times=10 // len(names) + 1)


@at_once
async def guess_ids(target: Target) -> None:
    async with open_peer(target.url) as peer:
        for number in range(100):
            guess = {"query": NODE, "variables": {"id": f"01m8{number:022d}"}}
            await peer.send(target.request(json.dumps(guess).encode()))
            assert await peer.read_response() == (200, b'{"data":{"node":null}}')


@cache
def bomb() -> bytes:
    """Return 64 KiB that decompress to 64 MiB."""
    return zlib.compress(b'{"query": "' + b" " * 64 * MIB)


@at_once
async def send_bombs(target: Target) -> None:
    async with open_peer(target.url) as peer:
        for encoding in ("deflate", "gzip", "br", "zstd"):
            await peer.send(target.request(bomb(), f"Content-Encoding: {encoding}"))
            assert (await peer.read_response())[0] == 415


@at_once
async def send_large_bodies(target: Target) -> None:
    """Each is rejected before it has sent any of its body; one continues to send."""
    async with open_peers(target.url, 20) as peers:
        for peer in peers:
            await peer.send(target.request(b"", length=64 * MIB))
        for peer in peers:
            assert (await peer.read_response())[0] == 413
        await continue_sending(peers[0], b" " * MIB)


@at_once
async def send_large_bodies_in_chunks(target: Target) -> None:
    """Each is rejected as soon as it is too large, and continues to send."""
    chunk = b"100000\r\n" + b" " * MIB + b"\r\n"
    async with open_peers(target.url, 2) as peers:
        for peer in peers:
            await peer.send(target.request_in_chunks(chunk))
        for peer in peers:
            assert (await peer.read_response())[0] == 413
            await continue_sending(peer, chunk)


async def continue_sending(peer: Peer, part: bytes) -> None:
    with contextlib.suppress(ConnectionError):
        for _ in range(63):
            await peer.send(part)


@at_once
async def send_small_chunks(target: Target) -> None:
    async with open_peers(target.url, 3) as peers:
        for peer in peers:
            await peer.send(target.request_in_chunks(b"1\r\n \r\n" * 50_000 + b"0\r\n\r\n"))
        for peer in peers:
            assert (await peer.read_response())[0] == 400


def endless(start: bytes, rest: bytes, *, times: int = 10) -> Attack:
    """Return an attack by endless data, after which the server closes the connection."""

    async def attack(target: Target) -> None:
        async with open_peers(target.url, times) as peers:
            for peer in peers:
                await peer.send(start)
                await peer.send_until_closed(rest)

    return at_once(attack)


def held(start: Callable[[Target], bytes]) -> Attack:
    """Return an attack by connections that stay open and send no more than this."""

    @asynccontextmanager
    async def opened(target: Target) -> AsyncIterator[None]:
        async with open_peers(target.url, 100) as peers:
            for peer in peers:
                await peer.send(start(target))
            yield

    return opened


@at_once
async def open_more_than_files(target: Target) -> None:
    """All connections wait in the backlog before the server accepts the first."""
    async with AsyncExitStack() as stack:
        with target.process.stopped():
            await stack.enter_async_context(open_peers(target.url, MAX_FILES + 100))
        await target.process.idle()


@asynccontextmanager
async def read_no_response(target: Target) -> AsyncIterator[None]:
    """Request more than the kernel buffers."""
    async with (
        open_peers(target.url, 10, receive_bytes=RECEIVE_BYTES) as peers,
        unread(target, peers, target.request(LONG) * 80),
    ):
        yield


@asynccontextmanager
async def unread(target: Target, peers: list[Peer], data: bytes) -> AsyncIterator[None]:
    """Send the data as far as the server reads it, until the server is idle."""
    sending = [asyncio.create_task(peer.send(data)) for peer in peers]
    try:
        for peer in peers:
            await peer.wait_until_readable()
        await target.process.idle()
        yield
    finally:
        for task in sending:
            task.cancel()
        await asyncio.gather(*sending, return_exceptions=True)


NAMED = ("1,000 aliases", "60-level cycle", "fragment bomb", "10,000 directives")
ATTACKS: dict[str, Attack] = {
    **{name: documents(name) for name in NAMED},
    "all other documents": documents(*(name for name in DOCUMENTS if name not in NAMED)),
    "variables": bodies(
        200,
        *(json.dumps({"query": "{ __typename }", "variables": given}).encode() for given in VARIABLES.values()),
        times=3,
    ),
    "batched arrays": bodies(400, json.dumps([{"query": "{ renderQuota { remaining } }"}] * 1000).encode()),
    "10,000-deep JSON": bodies(400, b'{"query": "{ a }", "variables": {"a": ' + b"[" * 10_000 + b"]" * 10_000 + b"}}"),
    "5,000 digit integers": bodies(400, b'{"query": "{ a }", "variables": {"a": ' + b"9" * 5000 + b"}}"),
    "bad UTF-8": bodies(400, b'{"query": "{ a \xff }"}', b'{"query": "{ a \xed\xa0\x80 }"}', b"\xff" * 100_000),
    "ids guessed": guess_ids,
    "deflate bombs": send_bombs,
    "64 MiB bodies": send_large_bodies,
    "64 MiB bodies in chunks": send_large_bodies_in_chunks,
    "small chunks": send_small_chunks,
    "100,000 headers": endless(ALIVE, b"a:\r\n" * 10_000),
    "endless headers": endless(ALIVE + b"X: ", b"a" * 65_536),
    "endless trailer fields": endless(POST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"a:\r\n" * 10_000),
    "a URL of 1 MB": endless(b"GET /graphql?query=", b"a" * 65_536),
    "endless requests": endless(b"", (ALIVE + b"\r\n") * 2000),
    "more connections than files": open_more_than_files,
    "nothing at all": held(lambda _: b""),
    "unfinished headers": held(lambda _: ALIVE + b"X: " + b"x" * 10_000),
    "unfinished bodies": held(lambda target: target.request(b"{".ljust(50_000), length=100_000)),
    "unfinished chunks": held(lambda target: target.request_in_chunks(b"5\r\n{")),
    "unread responses": read_no_response,
}
