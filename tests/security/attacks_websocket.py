"""Attacks by WebSockets on a server in a process of its own. What each is told is required, as in `attacks_http`."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from services.settings import FIELDS
from tests.security.attacks import DOCUMENTS
from tests.security.attacks_http import LITTLE, MIB, at_once, unread
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


def refused(code: int, *parts: bytes, number: int = 20, introduced: bool = True) -> Attack:
    """Return an attack by so many connections, each of which sends these parts and is closed with the code.

    One that goes on sending may be cut off before it has read the code.
    """

    async def attack(target: Target) -> None:
        async with open_peers(target.url, number) as peers:
            for connection, peer in enumerate(peers):
                await upgrade(peer, target.params(connection) if introduced else None)
                with contextlib.suppress(ConnectionError):
                    for part in parts:
                        await peer.send(part)
            for peer in peers:
                assert await peer.close_code() in ({code, NO_CODE} if len(parts) > 1 else {code})

    return at_once(attack)


def borne(data: bytes, *, number: int = 1) -> Attack:
    """Return an attack by so many connections, each of which sends this at once and is still served afterwards."""
    last = message(type="ping", payload={"last": 1})

    async def attack(target: Target) -> None:
        async with open_peers(target.url, number) as peers:
            for connection, peer in enumerate(peers):
                await upgrade(peer, target.params(connection))
            await asyncio.gather(*(peer.exchange(data + last, b'{"last":1}') for peer in peers))

    return at_once(attack)


@asynccontextmanager
async def be_silent(target: Target) -> AsyncIterator[None]:
    async with open_peers(target.url, 100) as peers:
        for connection, peer in enumerate(peers):
            await upgrade(peer, target.params(connection))
        yield


@asynccontextmanager
async def be_nobody(target: Target) -> AsyncIterator[None]:
    async with open_peers(target.url, 100) as peers:
        for peer in peers:
            await upgrade(peer)
        yield


@asynccontextmanager
async def read_nothing(target: Target) -> AsyncIterator[None]:
    """Send pings whose pongs are more than the kernel keeps."""
    async with open_peers(target.url, 5, receive_bytes=LITTLE) as peers:
        for peer in peers:
            await upgrade(peer, target.params())
        async with unread(target, peers, message(type="ping", payload={"a": "x" * 200_000}) * 20):
            yield


@asynccontextmanager
async def open_too_many(target: Target) -> AsyncIterator[None]:
    async with open_peers(target.url, MAX_CONNECTIONS) as peers, open_peer(target.url) as one_too_many:
        for peer in peers:
            await upgrade(peer, target.params())
        await upgrade(one_too_many)
        await one_too_many.send(message(type="connection_init", payload=target.params()))
        assert await one_too_many.close_code() == 4429
        yield


def shaken(answer: bytes, *headers: str, path: str = "/graphql") -> Attack:
    """Return an attack by handshakes that are answered so, if at all, and followed by the end of the connection."""

    async def attack(target: Target) -> None:
        async with open_peers(target.url, 20) as peers:
            for peer in peers:
                await peer.send(handshake(peer.host, *headers, path=path))
                assert (await peer.rest()).startswith(answer)

    return at_once(attack)


@at_once
async def break_off(target: Target) -> None:
    async with open_peers(target.url, 50) as peers:
        for connection, peer in enumerate(peers):
            await upgrade(peer, target.params(connection))
            await peer.send(SUBSCRIBE)
            peer.break_off()


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
    "subscribe before ack": refused(4401, SUBSCRIBE, number=100, introduced=False),
    "duplicate ids": refused(4409, SUBSCRIBE * 2, number=50),
    "binary frames": refused(4400, frame(b'{"type": "ping"}', BINARY)),
    "oversize frames": refused(1009, frame(b"", size=64 * MIB)),
    "oversize frames that come": refused(1009, frame(b"", size=64 * MIB), *[b" " * MIB] * 64, number=2),
    "oversize messages in fragments": refused(
        1009, frame(b"", last=False), *[frame(b" " * 100_000, CONTINUATION, last=False)] * 640, number=2
    ),
    "frames that say they are deflated": refused(1002, frame(b"\xaaV*I-.\x01\x00", reserved=4)),
    "messages in bad UTF-8": refused(1007, pinged(b'"\xff"')),
    "10,000-deep messages": refused(4400, pinged(b"[" * 10_000 + b"]" * 10_000)),
    "5,000 digit integers in messages": refused(4400, pinged(b"9" * 5000)),
    "ids of 256 KiB": refused(4400, message(type="complete", id="x" * 255 * 1024), number=5),
    "introductions without end": refused(4429, message(type="connection_init") * 100),
    "pings without end": refused(1008, frame(b"x" * 125, PING) * 1000, *[frame(b"x" * 125, PING) * 1000] * 20),
    "pongs without end": refused(1008, *[frame(b"", PONG) * 1000] * 20),
    "fragments without end": refused(1008, frame(b"", last=False), *[frame(b"", CONTINUATION, last=False) * 1000] * 20),
    "documents by messages": borne(as_operations(*(attack.text for attack in DOCUMENTS.values())), number=2),
    "many messages at once": borne(message(type="pong") * 500, number=20),
    "many queries at once": borne(subscribed(QUOTA_LEFT, 50), number=3),
    "ends of unknown operations": borne(b"".join(message(type="complete", id=str(n)) for n in range(2000))),
    "subscriptions opened and closed": borne(completed(800)),
    "operations over the limit": borne(subscribed(UPDATES["query"], MAX_OPERATIONS + 600)),
    "cross-site WebSockets": shaken(b"HTTP/1.1 403 ", "Origin: https://evil.example"),
    "handshakes that are not understood": shaken(b"", f"X: {'x' * 9000}"),
    "handshakes for nothing": shaken(b"HTTP/1.1 403 ", path="/nothing"),
    "half-open peers": be_silent,
    "peers that don't introduce themselves": be_nobody,
    "more connections than a user may have": open_too_many,
    "readers that stop": read_nothing,
    "peers that break off": break_off,
}
