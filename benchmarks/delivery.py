"""What it costs to tell people of progress: the server's CPU time per change that reaches a client, beside its peers.

`python -m benchmarks.delivery [turns [clients]]`; the peers in Node need `npm ci --prefix benchmarks/peers`. Each
server is a process of its own on the same Redis, told of the same renders by the same messages; clients are in another
one. Servers take turns. `rendercast` is protected as `rendercast serve` is: tokens, limits, pings. `executed` is the
same with `RENDERCAST_PROJECTIONS=no`. `bare` sends what it is given over uvicorn and knows neither GraphQL nor users:
nothing on uvicorn can be faster.
"""

import contextlib
import gc
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
from commands.serving import listen, server_config
from resolvers.auth import open_bearer_tokens
from resolvers.tokens import OWN_ISSUER, make_token
from services import documents
from services.clock import SystemClock
from services.composition import compose
from services.ids import new_render_id
from services.models import QuotaWindow, Render
from services.pubsub import open_pubsub
from services.redis_broker import read_url
from services.settings import Settings
from tests.conftest import PROPS
from tests.fakes import MemoryStore
from tests.redis_server import RedisServer

PEERS = Path(__file__).with_name("peers")
SECRET = SecretStr("a secret for measuring, of some length")
SETTINGS = Settings.model_construct(
    port=0,
    jwt_secret=SECRET,
    max_connections_per_user=10_000,
    max_connections_per_address=10_000,
    web_dir=Path("nowhere"),
)
SHAPES = ("each its own render", "all the same render")
TURNS, CLIENTS = 3, 300
HEAD = """\
| | CPU per change | per second | to half of them | to 99 % | memory per watcher |
|---|---:|---:|---:|---:|---:|"""
ROUNDS, WARM_UP = 30, 5
IDLE_CLIENTS = 1000
NODE = shutil.which("node")


class Server:
    """A server in a process of its own."""

    def __init__(self, kind: str, redis_url: str, renders_file: Path) -> None:
        self.kind = kind
        command = [NODE or "node", f"{kind}.mjs"] if kind in PEERS_IN_NODE else _ours(kind)
        folder = PEERS if kind in PEERS_IN_NODE else None
        self.process = subprocess.Popen([*command, redis_url, str(renders_file)], stdout=subprocess.PIPE, cwd=folder)
        assert self.process.stdout is not None
        self.port = self.process.stdout.readline().decode().strip()

    def cpu_s(self) -> float:
        """Return the CPU seconds that it took until now."""
        return process_cpu_s(self.process.pid)

    def memory_bytes(self) -> int:
        """Return how much it has that is in no file."""
        return memory_bytes(self.process.pid)


def process_cpu_s(process_id: int) -> float:
    """Return the CPU seconds of a process's threads, user and system."""
    tasks = Path(f"/proc/{process_id}/task")
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks.iterdir()) / 1e9


def memory_bytes(process_id: int) -> int:
    """Return how much a process has in memory that is in no file."""
    text = Path(f"/proc/{process_id}/smaps_rollup").read_text(encoding="utf-8")
    return int(text.partition("Anonymous:")[2].split()[0]) * 1024


PEERS_IN_NODE = ("graphql-ws", "yoga")
KINDS = ("rendercast", "executed", *PEERS_IN_NODE, "bare")


def _ours(kind: str) -> list[str]:
    return [sys.executable, "-m", "benchmarks.delivery", kind]


class Watchers:
    """Clients of a server, in a process of their own."""

    def __init__(self, server: Any, redis_url: str, renders_file: Path, clients: int) -> None:
        command = [sys.executable, "-m", "benchmarks.watchers", server.port, redis_url, str(renders_file)]
        self.process = subprocess.Popen(
            [*command, str(clients), server.kind], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._hear() == {"watching": clients}

    def see(self, rounds: int, pause_s: float = 0.0) -> dict[str, float]:
        """Have so many changes of each render published, and return what it took."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps([rounds, pause_s]) + "\n")
        self.process.stdin.flush()
        return self._hear()

    def _hear(self) -> dict[str, float]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, "the clients gave up"
        told: dict[str, float] = json.loads(line)
        return told


@contextmanager
def started(made: Any) -> Iterator[Any]:
    """Stop what was made in the end."""
    try:
        yield made
    finally:
        made.process.kill()
        made.process.wait()


def main(turns: int = TURNS, clients: int = CLIENTS) -> None:
    """Print what each server takes."""
    kinds = KINDS if NODE and (PEERS / "node_modules").exists() else tuple(set(KINDS) - set(PEERS_IN_NODE))
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        redis = RedisServer(Path(folder))
        stack.callback(redis.stop)
        redis.start()
        files = {
            SHAPES[0]: write_renders(Path(folder) / "many.json", redis.url, clients),
            SHAPES[1]: Path(folder) / "one.json",
        }
        write_renders(files[SHAPES[1]], redis.url, 1)
        for shape, file in files.items():
            print(f"\n## {clients} clients, {shape}: medians of {turns} turns\n")
            print(HEAD)
            figures = _measure(kinds, redis.url, file, turns, clients)
            for kind in kinds:
                median = {name: statistics.median(values) for name, values in figures[kind].items()}
                waits = " | ".join(f"{median[name] * 1e3:.1f} ms" for name in ("p50_s", "p99_s"))
                cpu, memory = f"{median['cpu_s'] * 1e6:.1f} µs", f"{median['memory_bytes'] / 1024:.0f} KiB"
                print(f"| {kind} | {cpu} | {median['per_s']:.0f} | {waits} | {memory} |")


def _measure(
    kinds: tuple[str, ...], redis_url: str, file: Path, turns: int, clients: int
) -> dict[str, defaultdict[str, list[float]]]:
    figures: dict[str, defaultdict[str, list[float]]] = {kind: defaultdict(list) for kind in kinds}
    for _ in range(turns):
        for kind in kinds:
            with started(Server(kind, redis_url, file)) as server:
                before = server.memory_bytes()
                with started(Watchers(server, redis_url, file, clients)) as watchers:
                    watchers.see(1)
                    figures[kind]["memory_bytes"].append((server.memory_bytes() - before) / clients)
                    watchers.see(WARM_UP)
                    began_s = server.cpu_s()
                    seen = watchers.see(ROUNDS)
                    figures[kind]["cpu_s"].append((server.cpu_s() - began_s) / (ROUNDS * clients))
                    figures[kind]["per_s"].append(ROUNDS * clients / seen["took_s"])
                    at_half = watchers.see(ROUNDS, 2 * seen["took_s"] / ROUNDS)
                    figures[kind]["p50_s"].append(at_half["p50_s"])
                    figures[kind]["p99_s"].append(at_half["p99_s"])
    return figures


def write_renders(path: Path, redis_url: str, number: int) -> Path:
    """Write renders of as many users, each with a token of theirs and the channel in Redis that tells of it."""
    now = SystemClock().now()
    renders = []
    for place in range(number):
        render = Render(
            id=new_render_id(now + timedelta(milliseconds=place)),
            owner=f"{OWN_ISSUER} user-{place}",
            props=PROPS,
            created_at=now,
        )
        token = make_token(SECRET, subject=f"user-{place}", audience=SETTINGS.jwt_audience, lifetime=timedelta(days=1))
        channel = (read_url(redis_url).prefix + f"renders:{render.owner}".encode()).decode()
        renders.append({**documents.to_mapping(render), "token": token, "channel": channel})
    path.write_text(json.dumps(renders), encoding="utf-8")
    return path


async def serve(kind: str, redis_url: str, renders_file: str) -> None:
    """Serve as this kind does, and print the port."""
    gc.freeze()  # as `rendercast serve` does
    with listen(SETTINGS) as listener:
        print(listener.getsockname()[1], flush=True)
        if kind == "bare":
            async with open_bare(redis_url) as app:
                await uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False)).serve(sockets=[listener])
        else:
            await serve_ours(redis_url, renders_file, listener, projections=kind == "rendercast")


async def serve_ours(redis_url: str, renders_file: str, listener: socket.socket, *, projections: bool) -> None:
    settings = SETTINGS.model_copy(update={"projections": projections})
    clock = SystemClock()
    store = MemoryStore(clock)
    for each in json.loads(Path(renders_file).read_text(encoding="utf-8")):  # noqa: ASYNC240  # nobody waits yet
        render = documents.from_mapping(each)
        window = QuotaWindow(owner=render.owner, limit=10, starts_at=clock.now(), length=timedelta(hours=1))
        await store.add(render, window)
    async with open_pubsub(redis_url) as pubsub, open_bearer_tokens(settings) as authenticate:
        services = compose(settings, clock=clock, store=store, pubsub=pubsub, backend=None, with_worker=False)
        app = create_app(services, authenticate=authenticate)
        await uvicorn.Server(server_config(app, settings)).serve(sockets=[listener])


@contextlib.asynccontextmanager
async def open_bare(redis_url: str) -> AsyncIterator[Any]:
    """Give an application that sends to each client what Redis tells of the render it names, as it is."""
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

            def pass_on(message: str) -> None:
                with contextlib.suppress(StopIteration):  # it needs no waiting as long as the client reads
                    send({"type": "websocket.send", "text": message}).send(None)  # type: ignore[attr-defined]  # a coroutine

            async with pubsub.listen(f"bare:{render_id}", pass_on):
                while (await receive())["type"] != "websocket.disconnect":
                    pass

        yield app


if __name__ == "__main__":
    if len(sys.argv) > 3:
        uvloop.run(serve(*sys.argv[1:4]))
    else:
        main(*map(int, sys.argv[1:]))
