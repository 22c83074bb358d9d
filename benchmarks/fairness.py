"""Another user's small query during attacks by one user: `python -m benchmarks.fairness [queries [attack…]]`.

The server, the attacker and the other user are separate processes. For each query of the other user, the server's CPU
time between request and response is measured: on an idle machine it is the latency, and other load does not change it.
An attacker stays within the default limits. The server keeps its data in memory, and changes come over Redis.
"""

import asyncio
import itertools
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from redis.asyncio import Redis

from benchmarks.delivery import Server, started, write_renders
from services import documents
from services.clock import SystemClock
from services.documents import Announcement
from services.models import Render, RenderStatus, replace
from services.renders.lifecycle import launch
from services.settings import FIELDS
from tests.security.peers import handshake, message
from tests.support.redis_server import RedisServer

QUERIES = 200
RENDERS = 100  # of the attacker
PAUSE_S = 0.01  # between two queries of the other user
CHANGES_PER_S = 5.0  # of the attacker's render
SMALL_QUERY = {"query": "{ renderQuota { remaining resetsAt } }"}
CONNECTIONS = FIELDS["max_connections_per_user"].default
OPERATIONS = FIELDS["max_operations_per_connection"].default
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
        self.render = documents.from_mapping(render)
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
                await redis.publish(self.channel, documents.encode_announcement(announcement))
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
    "small queries": queries(itertools.repeat(SMALL_QUERY["query"])),
}


async def attack(name: str, url: str, redis_url: str, renders_file: str) -> None:
    """Attack as the first user until killed. Writes a line when the attack is under way."""
    render, *_ = json.loads(Path(renders_file).read_text(encoding="utf-8"))  # noqa: ASYNC240  # before it attacks
    if name == "none":
        print("ready", flush=True)
    await ATTACKS[name](Attacker(url, render, redis_url))


@contextmanager
def attacked(name: str, url: str, redis_url: str, renders_file: Path) -> Iterator[None]:
    """Attack the server from another process while the context is open."""
    command = [sys.executable, "-m", "benchmarks.fairness", "attack", name, url, redis_url, str(renders_file)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
            yield
            assert process.poll() is None, "the attacker has ended"
        finally:
            process.kill()


def give_all_to_one(renders_file: Path) -> str:
    """Make the first user the owner of all renders but the last; return the token of the last one's owner."""
    first, *others, last = json.loads(renders_file.read_text(encoding="utf-8"))
    owned = [{**each, "owner": first["owner"], "channel": first["channel"]} for each in others]
    renders_file.write_text(json.dumps([first, *owned, last]), encoding="utf-8")
    return str(last["token"])


def measure(server: Server, token: str, number: int) -> list[tuple[float, float]]:
    """Return the server's CPU time and the latency of each of the other user's queries, in seconds."""
    samples = []
    with httpx.Client(headers={"Authorization": f"Bearer {token}"}, timeout=60, trust_env=False) as client:
        for _ in range(number):
            time.sleep(PAUSE_S)
            before_s, started_s = server.cpu_s(), time.perf_counter()
            response = client.post(f"http://127.0.0.1:{server.port}/graphql", json=SMALL_QUERY)
            samples.append((server.cpu_s() - before_s, time.perf_counter() - started_s))
            assert "remaining" in response.text, response.text
    return samples


def main(number: int = QUERIES, *, names: tuple[str, ...] = ()) -> None:
    """Print the figures of each attack. Default: all attacks."""
    print(f"\n## The server's CPU time during another user's small query: {number} queries during each attack\n")
    print("| attack | median | 95 % | maximum | latency, 95 % |\n|---|---:|---:|---:|---:|")
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        redis = RedisServer(Path(folder))
        stack.callback(redis.stop)
        redis.start()
        renders = write_renders(Path(folder) / "renders.json", redis.url, RENDERS + 1)
        token = give_all_to_one(renders)
        for name in names or ATTACKS:
            with (
                started(Server("rendercast", redis.url, renders)) as server,
                attacked(name, f"http://127.0.0.1:{server.port}", redis.url, renders),
            ):
                samples = measure(server, token, number)
            cpu, latency = zip(*samples, strict=True)
            row = (statistics.median(cpu), quantile_95(cpu), max(cpu), quantile_95(latency))
            print(f"| {name} | {' | '.join(f'{value * 1e3:.1f} ms' for value in row)} |", flush=True)


def quantile_95(values: tuple[float, ...]) -> float:
    return statistics.quantiles(values, n=20)[18]


if __name__ == "__main__":
    if sys.argv[1:2] == ["attack"]:
        asyncio.run(attack(*sys.argv[2:6]))
    else:
        main(*map(int, sys.argv[1:2]), names=tuple(sys.argv[2:]))
