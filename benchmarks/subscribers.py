"""Minimal clients that subscribe to renders, and the publisher of changes: `python -m benchmarks.subscribers`.

`benchmarks.delivery` runs this as a separate process. It writes a line when all clients are subscribed, reads the
number of changes to publish from standard input, checks that each client receives each change once, in order and with
the same bytes from every server, and writes the figures.
"""

import asyncio
import json
import resource
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from redis.asyncio import Redis

from services import stored_documents
from services.clock import SystemClock
from services.models import Render, replace
from services.realtime.redis_url import parse_redis_url
from services.renders.lifecycle import launch
from services.stored_documents import Announcement

TEXT, CLOSE, PING, PONG = 1, 8, 9, 10
TIMEOUT_S = 60.0
WATCH = """
subscription Watch($id: ID!) {
  renderProgress(renderId: $id) { id revision status phase progress framesRendered totalFrames }
}
"""
REVISION = b'"revision":'
FIRST_REVISION = REVISION + b"1"


@dataclass
class Tally:
    """The deliveries of the current round to all clients."""

    revision: int = 1
    missing: int = 0
    complete: asyncio.Event = field(default_factory=asyncio.Event)
    published_at: dict[str, float] = field(default_factory=dict)  # of the latest change, by render
    expected: dict[str, bytes] = field(default_factory=dict)  # the message of the latest change, by render
    latencies_s: list[float] = field(default_factory=list)

    def expect(self, number: int) -> None:
        self.missing = number
        self.complete.clear()

    def count(self) -> None:
        self.missing -= 1
        if not self.missing:
            self.complete.set()


class Subscriber(asyncio.Protocol):
    """One client: authenticates, subscribes, and counts changes."""

    def __init__(self, render: Render, token: str, tally: Tally) -> None:
        self._render = render
        self._token = token
        self._tally = tally
        self._buffer = b""
        self._parse: Callable[[], None] = self._parse_handshake
        self._is_subscribed = False  # whether the current state was received

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(
            b"GET /graphql HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            b"Sec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n"
        )

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        self._parse()

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        if self._tally.missing:
            sys.exit("the server closed a connection")

    def _parse_handshake(self) -> None:
        head, found, rest = self._buffer.partition(b"\r\n\r\n")
        if found:
            assert b" 101 " in head, head
            self._buffer, self._parse = rest, self._parse_frames
            self._send({"type": "connection_init", "payload": {"Authorization": f"Bearer {self._token}"}})

    def _parse_frames(self) -> None:
        while len(self._buffer) >= 2:
            length, start = self._buffer[1], 2
            if length == 126:
                length, start = int.from_bytes(self._buffer[2:4]), 4
            if len(self._buffer) < start + length:
                return
            opcode, payload = self._buffer[0] & 15, self._buffer[start : start + length]
            self._buffer = self._buffer[start + length :]
            self._handle_frame(opcode, payload)

    def _handle_frame(self, opcode: int, payload: bytes) -> None:
        match opcode:
            case 1 if REVISION in payload:
                self._count_change(payload)
            case 1 if b"connection_ack" in payload:
                variables = {"id": self._render.id}
                self._send({"id": "1", "type": "subscribe", "payload": {"query": WATCH, "variables": variables}})
            case 9:
                self._write(PONG, payload)
            case _:
                sys.exit(f"a client received {payload!r}")

    def _count_change(self, payload: bytes) -> None:
        now = time.perf_counter()
        expected = self._tally.expected.get(self._render.id)
        if self._is_subscribed:
            assert payload == expected, f"received {payload!r} instead of {expected!r}"
        else:
            assert FIRST_REVISION in payload, payload
            self._is_subscribed = True
        if published_at := self._tally.published_at.get(self._render.id):
            self._tally.latencies_s.append(now - published_at)
        self._tally.count()

    def _send(self, message: dict[str, object]) -> None:
        self._write(TEXT, json.dumps(message).encode())

    def _write(self, opcode: int, payload: bytes) -> None:
        length = bytes([128 | len(payload)]) if len(payload) < 126 else b"\xfe" + len(payload).to_bytes(2)
        self._transport.write(bytes([128 | opcode]) + length + b"\0\0\0\0" + payload)  # a mask of zeros


@dataclass
class Publisher:
    """Publishes changes as a worker does; if `bare`, as complete messages for a server that only forwards them."""

    redis: Redis
    renders: list[Render]
    channels: dict[str, str]
    prefix: str
    tally: Tally
    bare: bool

    async def publish(self, revision: int) -> None:
        """Publish the next change of every render."""
        for each in self.renders:
            render = replace(each, revision=revision, progress=revision % 100)
            channel, message = self._message(render)
            self.tally.expected[render.id] = _result(render).encode()
            self.tally.published_at[render.id] = time.perf_counter()
            await self.redis.publish(channel, message)

    def _message(self, render: Render) -> tuple[str, str]:
        if self.bare:
            return f"{self.prefix}bare:{render.id}", _result(render)
        announcement = Announcement(render=render, published_at=SystemClock().now())
        return self.channels[render.id], stored_documents.encode_announcement(announcement)


def _result(render: Render) -> str:
    """Return the message that a server sends for a render, which all servers write in the same way."""
    shown = {
        "id": render.id,
        "revision": render.revision,
        "status": "RENDERING",
        "phase": "LAUNCHING",
        "progress": render.progress,
        "framesRendered": 0,
        "totalFrames": render.total_frames,
    }
    message = {"id": "1", "type": "next", "payload": {"data": {"renderProgress": shown}}}
    return json.dumps(message, separators=(",", ":"))


async def watch(ports: list[int], redis_url: str, renders_file: str, clients: int, bare: bool) -> None:  # noqa: FBT001
    """Subscribe `clients` clients, distributed over the renders; then publish what standard input requests."""
    with open(renders_file, encoding="utf-8") as file:  # noqa: ASYNC230, PTH123
        entries = json.load(file)
    now = SystemClock().now()
    stored = [stored_documents.from_mapping(each) for each in entries]
    renders = [launch(render, now=now) for render in stored]
    tally = Tally()
    tally.expect(clients)
    loop = asyncio.get_running_loop()
    for number in range(clients):
        place = number % len(renders)
        await loop.create_connection(
            lambda place=place: Subscriber(renders[place], entries[place]["token"], tally),  # type: ignore[misc]
            "127.0.0.1",
            ports[number % len(ports)],
        )
    async with asyncio.timeout(TIMEOUT_S):
        await tally.complete.wait()
    await asyncio.sleep(0.5)  # for servers that subscribe to Redis after they have sent the current state
    report({"subscribed": clients})
    async with Redis.from_url(redis_url) as redis:
        channels = {each["id"]: each["channel"] for each in entries}
        publisher = Publisher(redis, renders, channels, parse_redis_url(redis_url).prefix.decode(), tally, bare)
        while line := await asyncio.to_thread(sys.stdin.readline):
            rounds, pause_s = json.loads(line)
            report(await publish_rounds(publisher, clients, rounds, pause_s))


async def publish_rounds(publisher: Publisher, clients: int, rounds: int, pause_s: float) -> dict[str, float]:
    """Publish `rounds` changes of each render. Each waits for the pause and until all clients have the last one."""
    tally, started = publisher.tally, time.perf_counter()
    tally.latencies_s.clear()
    for _ in range(rounds):
        due = time.perf_counter() + pause_s
        tally.expect(clients)
        tally.revision += 1
        await publisher.publish(tally.revision)
        async with asyncio.timeout(TIMEOUT_S):
            await tally.complete.wait()
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
    took_s = time.perf_counter() - started
    spread = statistics.quantiles(tally.latencies_s, n=100)
    return {"took_s": took_s, "p50_s": spread[49], "p99_s": spread[98]}


def report(figures: object) -> None:
    print(json.dumps(figures), flush=True)


if __name__ == "__main__":
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    asyncio.run(
        watch(
            [int(port) for port in sys.argv[1].split(",")],
            sys.argv[2],
            sys.argv[3],
            int(sys.argv[4]),
            sys.argv[5] == "bare",
        )
    )
