"""The cost of delivery: the server's CPU time per change that reaches a client, compared with other servers.

`python -m benchmarks.delivery [turns [clients [server…]]]`; the peers in Node need `npm ci --prefix benchmarks/peers`.
Each server is a separate process on the same Redis and receives the same messages about the same number of renders; its
clients are in another process. All run concurrently and are measured in short turns, so that other load on the machine
affects them equally; ratios are medians of the ratios within a turn. `rendercast` has the protection of `rendercast
serve`: tokens, limits, pings. `executed` is the same with `RENDERCAST_PROJECTIONS=no`. `jit-uws` is a server in Node
tuned by hand: graphql-jit on uWebSockets.js. `bare` forwards Redis messages over uvicorn, without GraphQL or users.
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from benchmarks.delivery_server import write_renders
from benchmarks.figures import Comparison, Figure
from tests.support.redis_server import RedisServer

PEERS = Path(__file__).with_name("peers")
SHAPES = ("one render per client", "one render for all clients")
PEER, TUNED_PEER = "graphql-ws", "jit-uws"
AIMS = {PEER: (0.6, 0.32), TUNED_PEER: (1.15, 1.0)}  # for each shape
COMPARISONS = {
    PEER: Comparison(group="delivery", compared_to=PEER),
    TUNED_PEER: Comparison(group="delivery", compared_to="graphql-jit on uWebSockets.js"),
}
TURNS, CLIENTS = 30, 300
HEAD = """\
| | CPU per change | to graphql-ws | to jit-uws | to bare | per second | median latency | 99 % | memory per subscriber |
|---|---:|---:|---:|---:|---:|---:|---:|---:|"""
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
        self.process = subprocess.Popen(
            [*command, redis_url, str(renders_file)],
            stdout=subprocess.PIPE,
            cwd=folder,
            env={**os.environ, "NODE_ENV": "production"},
        )
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


PEERS_IN_NODE = (PEER, "yoga", TUNED_PEER)
KINDS = ("rendercast", "executed", *PEERS_IN_NODE, "bare")


def _ours(kind: str) -> list[str]:
    return [sys.executable, "-m", "benchmarks.delivery_server", kind]


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


def main(turns: int = TURNS, clients: int = CLIENTS, *, kinds: tuple[str, ...] = ()) -> Sequence[Figure]:
    """Print the figures of each kind of server, by default all that are installed; return the ratios to the peers."""
    ratios = []
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
                relative = " | ".join(_ratio(figures, kind, peer) for peer in (PEER, TUNED_PEER, "bare"))
                waits = " | ".join(f"{median[name] * 1e3:.1f} ms" for name in ("p50_s", "p99_s"))
                print(f"| {kind} | {cpu} | {relative} | {median['per_s']:.0f} | {waits} | {memory} |", flush=True)
            for peer, aims in AIMS.items():
                if {"rendercast", peer} <= figures.keys():
                    own, others = (figures[kind]["cpu_s"] for kind in ("rendercast", peer))
                    ratios.append(COMPARISONS[peer].ratio(shape, own, others, aim=aims[SHAPES.index(shape)]))
    return ratios


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


if __name__ == "__main__":
    main(*map(int, sys.argv[1:3]), kinds=tuple(sys.argv[3:]))
