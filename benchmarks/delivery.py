"""The cost of delivery: the server's CPU time per change that reaches a client, compared with other servers.

`python -m benchmarks.delivery [turns [clients [server…]]]`; the peers in Node need `npm ci --prefix benchmarks/peers`.
Each server is a separate process on the same Redis and receives the same messages about the same number of renders; its
clients are in another process. All run concurrently and are measured in short turns, so that other load on the machine
affects them equally; ratios are medians of the ratios within a turn. `rendercast` has the protection of `rendercast
serve`: tokens, limits, pings. `executed` is the same with `RENDERCAST_PROJECTIONS=no`. `bare` forwards Redis messages
over uvicorn, without GraphQL or users.
"""

import contextlib
import json
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import uvicorn
import uvloop
from pydantic import SecretStr
from starlette.types import Receive, Scope, Send

from app import create_app
from auth.bearer import open_bearer_tokens
from auth.rules import OWN_ISSUER
from auth.tokens import make_token
from commands.server.serve import listen_for_clients, server_config, start_garbage_collection
from services import documents
from services.clock import SystemClock
from services.ids import new_render_id
from services.models import QuotaWindow, Render
from services.realtime.pubsub import open_pubsub
from services.realtime.redis_url import parse_redis_url
from services.runtime.services import compose
from services.settings import default_settings
from tests.conftest import PROPS
from tests.support.memory_store import MemoryStore
from tests.support.redis_server import RedisServer

PEERS = Path(__file__).with_name("peers")
SECRET = SecretStr("a sufficiently long secret of the benchmark")
SETTINGS = default_settings(
    port=0,
    jwt_secret=SECRET,
    max_connections_per_user=10_000,
    max_connections_per_address=10_000,
    web_dir=Path("nowhere"),
)
SHAPES = ("one render per client", "one render for all clients")
TURNS, CLIENTS = 30, 300
HEAD = """\
| | CPU per change | to graphql-ws | to bare | per second | median latency | 99 % | memory per subscriber |
|---|---:|---:|---:|---:|---:|---:|---:|"""
ROUNDS_PER_TURN, ROUNDS, WARM_UP = 6, 30, 5
TURNS_AT_HALF_LOAD = 3
NODE = shutil.which("node")


class Server:
    """A server in a separate process."""

    def __init__(self, kind: str, redis_url: str, renders_file: Path) -> None:
        self.kind = kind
        is_peer = (PEERS / f"{kind}.mjs").exists()
        command = [NODE or "node", f"{kind}.mjs"] if is_peer else _ours(kind)
        folder = PEERS if is_peer else None
        self.process = subprocess.Popen([*command, redis_url, str(renders_file)], stdout=subprocess.PIPE, cwd=folder)
        assert self.process.stdout is not None
        self.port = self.process.stdout.readline().decode().strip()

    def cpu_s(self) -> float:
        """Return the CPU seconds used so far."""
        return process_cpu_s(self.process.pid)

    def memory_bytes(self) -> int:
        """Return the anonymous memory of its process."""
        return memory_bytes(self.process.pid)


def process_cpu_s(process_id: int) -> float:
    """Return the CPU seconds of a process's threads, user and system."""
    tasks = Path(f"/proc/{process_id}/task")
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks.iterdir()) / 1e9


def memory_bytes(process_id: int) -> int:
    """Return the anonymous memory of a process."""
    text = Path(f"/proc/{process_id}/smaps_rollup").read_text(encoding="utf-8")
    return int(text.partition("Anonymous:")[2].split()[0]) * 1024


PEERS_IN_NODE = ("graphql-ws", "yoga")
KINDS = ("rendercast", "executed", *PEERS_IN_NODE, "bare")


def _ours(kind: str) -> list[str]:
    return [sys.executable, "-m", "benchmarks.delivery", kind]


class Subscribers:
    """Clients of a server, in a separate process: `benchmarks.subscribers`."""

    def __init__(self, server: Any, redis_url: str, renders_file: Path, clients: int) -> None:
        command = [sys.executable, "-m", "benchmarks.subscribers", server.port, redis_url, str(renders_file)]
        self.process = subprocess.Popen(
            [*command, str(clients), server.kind], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._read_line() == {"subscribed": clients}

    def run_rounds(self, rounds: int, pause_s: float = 0.0) -> dict[str, float]:
        """Publish `rounds` changes of each render; return the duration and the latencies, in seconds."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps([rounds, pause_s]) + "\n")
        self.process.stdin.flush()
        return self._read_line()

    def _read_line(self) -> dict[str, float]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, "the clients exited"
        figures: dict[str, float] = json.loads(line)
        return figures


@contextmanager
def started(owner: Any) -> Iterator[Any]:
    """Yield the owner of a process, and kill the process on exit."""
    with owner.process:
        try:
            yield owner
        finally:
            owner.process.kill()


def main(turns: int = TURNS, clients: int = CLIENTS, *, kinds: tuple[str, ...] = ()) -> None:
    """Print the figures of each kind of server. Default: all kinds that are installed."""
    has_peers = NODE and (PEERS / "node_modules").exists()
    kinds = kinds or tuple(kind for kind in KINDS if has_peers or kind not in PEERS_IN_NODE)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        redis = RedisServer(Path(folder))
        stack.callback(redis.stop)
        redis.start()
        for shape, renders in zip(SHAPES, (clients, 1), strict=True):
            print(f"\n## {clients} clients, {shape}: medians of {turns} turns\n")
            print(HEAD)
            figures = _measure(kinds, redis, Path(folder), turns, clients, renders)
            for kind in kinds:
                median = {name: statistics.median(values) for name, values in figures[kind].items()}
                cpu, memory = f"{median['cpu_s'] * 1e6:.1f} µs", f"{median['memory_bytes'] / 1024:.0f} KiB"
                ratios = " | ".join(_ratio(figures, kind, peer) for peer in ("graphql-ws", "bare"))
                waits = " | ".join(f"{median[name] * 1e3:.1f} ms" for name in ("p50_s", "p99_s"))
                print(f"| {kind} | {cpu} | {ratios} | {median['per_s']:.0f} | {waits} | {memory} |", flush=True)


Figures = dict[str, defaultdict[str, list[float]]]


def _ratio(figures: Figures, kind: str, peer: str) -> str:
    if peer not in figures:
        return ""
    within_turns = zip(figures[kind]["cpu_s"], figures[peer]["cpu_s"], strict=True)
    return f"{statistics.median(own / others for own, others in within_turns):.2f}"


def _measure(
    kinds: tuple[str, ...], redis: RedisServer, folder: Path, turns: int, clients: int, renders: int
) -> Figures:
    figures: Figures = {kind: defaultdict(list) for kind in kinds}
    with ExitStack() as stack:
        pairs = {}
        for number, kind in enumerate(kinds):
            url = f"{redis.url}/{number}"  # so that servers don't receive each other's messages
            file = write_renders(folder / f"{kind}.json", url, renders)
            server = stack.enter_context(started(Server(kind, url, file)))
            before = server.memory_bytes()
            subscribers = stack.enter_context(started(Subscribers(server, url, file, clients)))
            subscribers.run_rounds(1)
            figures[kind]["memory_bytes"].append((server.memory_bytes() - before) / clients)
            subscribers.run_rounds(WARM_UP)
            pairs[kind] = server, subscribers
        for _ in range(turns):
            for kind, (server, subscribers) in pairs.items():
                before_s = server.cpu_s()
                seen = subscribers.run_rounds(ROUNDS_PER_TURN)
                figures[kind]["cpu_s"].append((server.cpu_s() - before_s) / (ROUNDS_PER_TURN * clients))
                figures[kind]["per_s"].append(ROUNDS_PER_TURN * clients / seen["took_s"])
        for _ in range(TURNS_AT_HALF_LOAD):
            for kind, (_, subscribers) in pairs.items():
                at_half = subscribers.run_rounds(ROUNDS, 2 * clients / statistics.median(figures[kind]["per_s"]))
                figures[kind]["p50_s"].append(at_half["p50_s"])
                figures[kind]["p99_s"].append(at_half["p99_s"])
    return figures


def write_renders(path: Path, redis_url: str, number: int) -> Path:
    """Write `number` renders, each of another user, with the user's token and the Redis channel; return the path."""
    now = SystemClock().now()
    renders = []
    for place in range(number):
        render = Render(
            id=new_render_id(now + timedelta(milliseconds=place)),
            owner=f"{OWN_ISSUER} user-{place}",
            props=PROPS,
            created_at=now,
        )
        token = make_token(
            SECRET, subject=f"user-{place}", audience=SETTINGS.auth.jwt_audience, lifetime=timedelta(days=1)
        )
        channel = (parse_redis_url(redis_url).prefix + f"renders:{render.owner}".encode()).decode()
        renders.append({**documents.to_mapping(render), "token": token, "channel": channel})
    path.write_text(json.dumps(renders), encoding="utf-8")
    return path


async def serve(kind: str, redis_url: str, renders_file: str) -> None:
    """Run a server of this kind, after printing its port."""
    start_garbage_collection()
    with listen_for_clients(SETTINGS.server) as listener:
        print(listener.getsockname()[1], flush=True)
        if kind == "bare":
            async with open_bare(redis_url) as app:
                await uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False)).serve(sockets=[listener])
        else:
            await serve_rendercast(redis_url, renders_file, listener, projections=kind == "rendercast")


async def serve_rendercast(redis_url: str, renders_file: str, listener: socket.socket, *, projections: bool) -> None:
    settings = SETTINGS.replace(projections=projections)
    clock = SystemClock()
    store = MemoryStore(clock)
    for each in json.loads(Path(renders_file).read_text(encoding="utf-8")):  # noqa: ASYNC240  # before serving
        render = documents.from_mapping(each)
        window = QuotaWindow(owner=render.owner, limit=10, starts_at=clock.now(), length=timedelta(hours=1))
        await store.add(render, window)
    async with open_pubsub(redis_url) as pubsub, open_bearer_tokens(settings.auth) as authenticate:
        services = compose(settings, clock=clock, store=store, pubsub=pubsub, backend=None, with_worker=False)
        app = create_app(services, authenticate=authenticate)
        await uvicorn.Server(server_config(app, settings)).serve(sockets=[listener])


@contextlib.asynccontextmanager
async def open_bare(redis_url: str) -> AsyncIterator[Any]:
    """Yield an application that sends to each client the unchanged Redis messages about the client's render."""
    async with open_pubsub(redis_url) as pubsub:

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != "websocket":
                return
            await receive()
            await send({"type": "websocket.accept", "subprotocol": "graphql-transport-ws"})
            await receive()
            await send({"type": "websocket.send", "text": '{"type":"connection_ack"}'})
            render_id = json.loads((await receive())["text"])["payload"]["variables"]["id"]
            first = {"payload": {"data": {"renderProgress": {"revision": 1}}}}
            await send({"type": "websocket.send", "text": json.dumps(first, separators=(",", ":"))})

            def send_all(messages: list[str]) -> None:
                for message in messages:
                    with contextlib.suppress(StopIteration):  # `send` doesn't wait as long as the client reads
                        send({"type": "websocket.send", "text": message}).send(None)  # type: ignore[attr-defined]  # a coroutine

            async with pubsub.subscribe(f"bare:{render_id}", send_all):
                while (await receive())["type"] != "websocket.disconnect":
                    pass

        yield app


if __name__ == "__main__":
    if sys.argv[1:] and not sys.argv[1].isdigit():
        uvloop.run(serve(*sys.argv[1:4]))
    else:
        main(*map(int, sys.argv[1:3]), kinds=tuple(sys.argv[3:]))
