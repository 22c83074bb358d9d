"""Attacks by one user who stays within the default limits, for `benchmarks.fairness`.

It runs `python -m benchmarks.attacks NAME URL REDIS_URL RENDERS`.
"""

import asyncio
import itertools
import json
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from graphql import get_introspection_query
from redis.asyncio import Redis

from services import stored_documents
from services.clock import SystemClock
from services.models import Render, RenderStatus, replace
from services.renders.lifecycle import launch
from services.settings import FIELDS
from services.stored_documents import Announcement
from tests.security.peers import handshake, message

CHANGES_PER_S = 5.0  # of the attacker's render
CONNECTIONS = FIELDS["max_connections_per_user"].default
OPERATIONS = FIELDS["max_operations_per_connection"].default
SMALL_QUERY = {"query": "{ renderQuota { remaining resetsAt } }"}
LEAVES = (
    "id owner revision generationId status phase progress framesRendered compositionId totalFrames attempt warnings "
    "estimatedCompletionAt cancelRequested costUsd backendRenderId createdAt startedAt completedAt outputSizeBytes "
    "outputUrl outputUrlExpiresAt posterUrl posterUrlExpiresAt"
)
ANIMATION = "animationProps { text style fontFamily fontSize color backgroundColor durationInFrames fps }"
OUTPUT = "output { format kind contentType fileName width height fps scale crf bitrateKbps transparent muted }"


def shapes() -> Iterator[str]:
    """Yield large selections of a render, each another one."""
    for order in itertools.permutations(LEAVES.split()):
        yield f"{' '.join(order)} {ANIMATION} {OUTPUT} inputProps"


def subscription(shape: str) -> dict[str, object]:
    return {"query": f"subscription {{ renderUpdates {{ {shape} }} }}"}


class Attacker:
    """The clients of one user."""

    def __init__(self, url: str, render: dict[str, Any], redis_url: str) -> None:
        self.url = url
        self.token = render["token"]
        self.render = stored_documents.from_mapping(render)
        self.channel = render["channel"]
        self.redis_url = redis_url
        self.selections = shapes()

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    async def publish(self, change: Callable[[Render, int], Render]) -> None:
        """Publish changes of the render until cancelled."""
        async with Redis.from_url(self.redis_url) as redis:
            for revision in itertools.count(2):
                changed = change(self.render, revision)
                announcement = Announcement(render=changed, published_at=SystemClock().now())
                await redis.publish(self.channel, stored_documents.encode_announcement(announcement))
                await asyncio.sleep(1 / CHANGES_PER_S)

    async def connect(self) -> "WebSocket":
        """Return an authenticated WebSocket."""
        host = self.url.removeprefix("http://")
        reader, writer = await asyncio.open_connection(*host.split(":"))
        writer.write(handshake(host))
        await reader.readuntil(b"\r\n\r\n")
        writer.write(message(type="connection_init", payload=self.headers))
        await reader.readuntil(b"connection_ack")
        return WebSocket(self, writer, asyncio.create_task(drop_all(reader)))

    async def connect_all(self) -> list["WebSocket"]:
        """Return as many WebSockets as a user may have."""
        return [await self.connect() for _ in range(CONNECTIONS)]


async def drop_all(reader: asyncio.StreamReader) -> None:
    """Read what the server sends until it closes the connection."""
    with suppress(ConnectionError):
        while await reader.read(1 << 20):
            pass


@dataclass
class WebSocket:
    """A WebSocket of an attacker that reads everything."""

    attacker: Attacker
    writer: asyncio.StreamWriter
    reading: asyncio.Task[None]

    def subscribe(self, prefix: str = "") -> None:
        """Start as many subscriptions as possible, each of another shape."""
        for number in range(OPERATIONS):
            payload = subscription(next(self.attacker.selections))
            self.writer.write(message(type="subscribe", id=f"{prefix}{number}", payload=payload))

    def complete(self, prefix: str = "") -> None:
        """End the subscriptions."""
        for number in range(OPERATIONS):
            self.writer.write(message(type="complete", id=f"{prefix}{number}"))


async def hold_shapes(attacker: Attacker, change: Callable[[Render, int], Render]) -> None:
    """Hold as many subscriptions as possible, each of another shape, while the render changes."""
    sockets = await attacker.connect_all()
    for socket in sockets:
        socket.subscribe()
    print("ready", flush=True)
    await attacker.publish(change)


async def subscribe_again(attacker: Attacker) -> None:
    """Subscribe to new shapes, complete them and begin again."""
    sockets = await attacker.connect_all()
    print("ready", flush=True)
    for turn in itertools.count():
        for socket in sockets:
            socket.subscribe(f"{turn} ")
        await asyncio.sleep(0.5)
        for socket in sockets:
            socket.complete(f"{turn} ")


async def connect_again(attacker: Attacker) -> None:
    """Connect, subscribe and disconnect as fast as possible."""
    print("ready", flush=True)
    while True:
        for socket in await attacker.connect_all():
            socket.subscribe()
            await asyncio.sleep(0.01)
            socket.writer.transport.abort()
            await socket.reading


def queries(documents: Iterator[str], *, accept: str = "application/json") -> Callable[[Attacker], Awaitable[None]]:
    """Return an attack by these queries on several connections, without a pause."""

    async def attack(attacker: Attacker) -> None:
        async def repeat(client: httpx.AsyncClient) -> None:
            while True:
                response = await client.post(f"{attacker.url}/graphql", json={"query": next(documents)})
                assert '"errors"' not in response.text, response.text

        print("ready", flush=True)
        async with AsyncExitStack() as stack, asyncio.TaskGroup() as tasks:
            for _ in range(CONNECTIONS):
                client = await stack.enter_async_context(
                    httpx.AsyncClient(headers={**attacker.headers, "Accept": accept}, timeout=60, trust_env=False)
                )
                tasks.create_task(repeat(client))

    return attack


async def open_streams_again(attacker: Attacker) -> None:
    """Open as many streams over SSE as a user may have, and cut them after their first result, again and again."""
    host = attacker.url.removeprefix("http://")
    body = json.dumps(subscription("id revision")).encode()
    head = (
        f"POST /graphql HTTP/1.1\r\nHost: {host}\r\nAccept: text/event-stream\r\nContent-Type: application/json\r\n"
        f"Authorization: Bearer {attacker.token}\r\nContent-Length: {len(body)}\r\n\r\n"
    )

    async def repeat() -> None:
        while True:
            reader, writer = await asyncio.open_connection(*host.split(":"))
            writer.write(head.encode() + body)
            await reader.readuntil(b"data: ")
            writer.transport.abort()

    print("ready", flush=True)
    async with asyncio.TaskGroup() as tasks:
        for _ in range(CONNECTIONS):
            tasks.create_task(repeat())


def new_documents() -> Iterator[str]:
    """Yield large documents, each another one."""
    for number in itertools.count():
        yield "{ " + " ".join(f"a{number}_{n}: renderLimits {{ fps maxPixels }}" for n in range(40)) + " }"


def progress(render: Render, revision: int) -> Render:
    launched = launch(render, now=SystemClock().now())
    return replace(launched, revision=revision, progress=revision % 100)


def queued(render: Render, revision: int) -> Render:
    return replace(render, revision=revision)


def ended(render: Render, revision: int) -> Render:
    return replace(render, revision=revision, status=RenderStatus.CANCELLED, completed_at=render.created_at)


LARGE_LIST = (
    "{ " + " ".join(f"a{n}: renders(first: 100) {{ edges {{ node {{ {next(shapes())} }} }} }}" for n in range(2)) + " }"
)
MANY_LISTS = "{ " + " ".join(f"a{n}: renders(first: 1) {{ pageInfo {{ hasNextPage }} }}" for n in range(45)) + " }"
MANY_COUNTS = "{ " + " ".join(f"a{n}: renders(first: 1) {{ totalCount }}" for n in range(45)) + " }"
ATTACKS: dict[str, Callable[[Attacker], Awaitable[None]]] = {
    "none": lambda _: asyncio.Future(),
    "shapes, progress": lambda attacker: hold_shapes(attacker, progress),
    "shapes, queued": lambda attacker: hold_shapes(attacker, queued),
    "shapes, ended": lambda attacker: hold_shapes(attacker, ended),
    "subscribing again": subscribe_again,
    "connecting again": connect_again,
    "large lists": queries(itertools.repeat(LARGE_LIST)),
    "many lists": queries(itertools.repeat(MANY_LISTS)),
    "new documents over SSE": queries(new_documents(), accept="text/event-stream"),
    "many counts": queries(itertools.repeat(MANY_COUNTS)),
    "introspection": queries(itertools.repeat(get_introspection_query())),
    "streams opened and cut": open_streams_again,
    "small queries": queries(itertools.repeat(SMALL_QUERY["query"])),
}


async def attack(name: str, url: str, redis_url: str, renders_file: str) -> None:
    """Attack as the first user until killed. Writes a line when the attack is under way."""
    render, *_ = json.loads(Path(renders_file).read_text(encoding="utf-8"))  # noqa: ASYNC240  # before it attacks
    if name == "none":
        print("ready", flush=True)
    await ATTACKS[name](Attacker(url, render, redis_url))


if __name__ == "__main__":
    asyncio.run(attack(*sys.argv[1:]))
