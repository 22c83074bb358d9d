"""Attacks through WebSockets on a server in a separate process. Each checks the server's response."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from services.settings import FIELDS
from tests.security.attacks import DOCUMENTS
from tests.security.attacks_http import MIB, RECEIVE_BYTES, at_once, unread
from tests.security.peers import (
    BINARY,
    CONTINUATION,
    PING,
    PONG,
    frame,
    handshake,
    message,
    open_peer,
    open_peers,
    upgrade,
)
from tests.security.target import MAX_CONNECTIONS, Attack, Target
from tests.support.api_client import QUOTA_LEFT

UPDATES = {"query": "subscription { renderUpdates { id } }"}
SUBSCRIBE = message(type="subscribe", id="1", payload=UPDATES)
MAX_OPERATIONS = FIELDS["max_operations_per_connection"].default
NO_CODE = 1006


def rejected(code: int, *parts: bytes, number: int = 20, authenticated: bool = True) -> Attack:
    """Return an attack on `number` connections, each of which sends these parts and is closed with the code.

    A client that sends several parts may be disconnected before it has read the code.
    """

    async def attack(target: Target) -> None:
        async with open_peers(target.url, number) as peers:
            for connection, peer in enumerate(peers):
                await upgrade(peer, target.params(connection) if authenticated else None)
                with contextlib.suppress(ConnectionError):
                    for part in parts:
                        await peer.send(part)
            for peer in peers:
                assert await peer.close_code() in ({code, NO_CODE} if len(parts) > 1 else {code})

    return at_once(attack)


def tolerated(data: bytes, *, number: int = 1) -> Attack:
    """Return an attack on `number` connections, each of which sends all data at once and is still served afterwards."""
    last = message(type="ping", payload={"last": 1})

    async def attack(target: Target) -> None:
        async with open_peers(target.url, number) as peers:
            for connection, peer in enumerate(peers):
                await upgrade(peer, target.params(connection))
            await asyncio.gather(*(peer.exchange(data + last, b'{"last":1}') for peer in peers))

    return at_once(attack)


@asynccontextmanager
async def stay_silent(target: Target) -> AsyncIterator[None]:
    async with open_peers(target.url, 100) as peers:
        for connection, peer in enumerate(peers):
            await upgrade(peer, target.params(connection))
        yield


@asynccontextmanager
async def stay_unauthenticated(target: Target) -> AsyncIterator[None]:
    async with open_peers(target.url, 100) as peers:
        for peer in peers:
            await upgrade(peer)
        yield


@asynccontextmanager
async def read_nothing(target: Target) -> AsyncIterator[None]:
    """Send pings whose pongs exceed the kernel's buffers."""
    async with open_peers(target.url, 5, receive_bytes=RECEIVE_BYTES) as peers:
        for peer in peers:
            await upgrade(peer, target.params())
        async with unread(target, peers, message(type="ping", payload={"a": "x" * 200_000}) * 20):
            yield


@asynccontextmanager
async def open_too_many(target: Target) -> AsyncIterator[None]:
    async with open_peers(target.url, MAX_CONNECTIONS) as peers, open_peer(target.url) as excess:
        for peer in peers:
            await upgrade(peer, target.params())
        await upgrade(excess)
        await excess.send(message(type="connection_init", payload=target.params()))
        assert await excess.close_code() == 1013
        yield


def rejected_handshakes(response: bytes, *headers: str, path: str = "/graphql") -> Attack:
    """Return an attack by handshakes after which the server sends this response, if any, and closes the connection."""

    async def attack(target: Target) -> None:
        async with open_peers(target.url, 20) as peers:
            for peer in peers:
                await peer.send(handshake(peer.host, *headers, path=path))
                assert (await peer.read_to_end()).startswith(response)

    return at_once(attack)


@at_once
async def reset_connections(target: Target) -> None:
    async with open_peers(target.url, 50) as peers:
        for connection, peer in enumerate(peers):
            await upgrade(peer, target.params(connection))
            await peer.send(SUBSCRIBE)
            peer.reset()


def completed(number: int) -> bytes:
    ids = [str(n) for n in range(number)]
    return b"".join(message(type="subscribe", id=n, payload=UPDATES) + message(type="complete", id=n) for n in ids)


def subscribed(query: str, number: int) -> bytes:
    return b"".join(message(type="subscribe", id=str(n), payload={"query": query}) for n in range(number))


def as_operations(*texts: str) -> bytes:
    return b"".join(message(type="subscribe", id=str(n), payload={"query": text}) for n, text in enumerate(texts))


def pinged(payload: bytes) -> bytes:
    return frame(b'{"type": "ping", "payload": {"a": %s}}' % payload)


ATTACKS: dict[str, Attack] = {
    "subscribe before ack": rejected(4401, SUBSCRIBE, number=100, authenticated=False),
    "duplicate ids": rejected(4409, SUBSCRIBE * 2, number=50),
    "binary frames": rejected(4400, frame(b'{"type": "ping"}', BINARY)),
    "oversize frames": rejected(1009, frame(b"", size=64 * MIB)),
    "oversize frames with their payload": rejected(1009, frame(b"", size=64 * MIB), *[b" " * MIB] * 64, number=2),
    "oversize messages in fragments": rejected(
        1009, frame(b"", last=False), *[frame(b" " * 100_000, CONTINUATION, last=False)] * 640, number=2
    ),
    "frames marked as compressed": rejected(1002, frame(b"\xaaV*I-.\x01\x00", reserved=4)),
    "messages in bad UTF-8": rejected(1007, pinged(b'"\xff"')),
    "10,000-deep messages": rejected(4400, pinged(b"[" * 10_000 + b"]" * 10_000)),
    "5,000 digit integers in messages": rejected(4400, pinged(b"9" * 5000)),
    "ids of 256 KiB": rejected(4400, message(type="complete", id="x" * 255 * 1024), number=5),
    "endless connection_init messages": rejected(4429, message(type="connection_init") * 100),
    "endless pings": rejected(1008, frame(b"x" * 125, PING) * 1000, *[frame(b"x" * 125, PING) * 1000] * 20),
    "endless pongs": rejected(1008, *[frame(b"", PONG) * 1000] * 20),
    "endless fragments": rejected(1008, frame(b"", last=False), *[frame(b"", CONTINUATION, last=False) * 1000] * 20),
    "expensive documents": tolerated(as_operations(*(attack.text for attack in DOCUMENTS.values())), number=2),
    "many messages at once": tolerated(message(type="pong") * 500, number=20),
    "many queries at once": tolerated(subscribed(QUOTA_LEFT, 50), number=3),
    "complete messages for unknown operations": tolerated(
        b"".join(message(type="complete", id=str(n)) for n in range(2000))
    ),
    "subscriptions opened and closed": tolerated(completed(800)),
    "operations over the limit": tolerated(subscribed(UPDATES["query"], MAX_OPERATIONS + 600)),
    "cross-site WebSockets": rejected_handshakes(b"HTTP/1.1 403 ", "Origin: https://evil.example"),
    "invalid handshakes": rejected_handshakes(b"HTTP/1.1 431 ", f"Sec-WebSocket-Extensions: {'x' * 9000}"),
    "handshakes for an unknown path": rejected_handshakes(b"HTTP/1.1 403 ", path="/nothing"),
    "half-open peers": stay_silent,
    "peers that don't authenticate": stay_unauthenticated,
    "more connections than a user may have": open_too_many,
    "clients that stop reading": read_nothing,
    "peers that reset the connection": reset_connections,
}
