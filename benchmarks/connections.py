"""The cost of connecting and of idle subscriptions: `python -m benchmarks.connections [clients [turns [server…]]]`.

Each client connects, authenticates with a token of its own, and subscribes to a render of its own. All clients connect
within seconds; then they are disconnected, and connect again, as after a deploy. `graphql-ws-tokens` is graphql-ws in
Node with the same check of tokens; it needs `npm ci --prefix benchmarks/peers`.
"""

import os
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from benchmarks.delivery import NODE, PEERS, Server, Subscribers, started
from benchmarks.delivery_server import SECRET, write_renders
from benchmarks.figures import Comparison, Figure
from tests.support.redis_server import RedisServer

CLIENTS, TURNS = 1000, 3
PEER = "graphql-ws-tokens"
SETTLE_S = 1.0
HEAD = """\
| | connect and subscribe | disconnect | connect again | memory per idle subscription |
|---|---:|---:|---:|---:|"""

Figures = dict[str, list[float]]


def main(clients: int = CLIENTS, turns: int = TURNS, *, kinds: tuple[str, ...] = ()) -> Sequence[Figure]:
    """Print medians of the server's CPU time and memory per client, and return the ratios to the peer.

    Default: all servers that are installed.
    """
    has_peer = NODE and (PEERS / "node_modules").exists()
    kinds = kinds or ("rendercast", *((PEER,) if has_peer else ()))
    os.environ["JWT_SECRET"] = SECRET.get_secret_value()
    figures: dict[str, Figures] = {kind: defaultdict(list) for kind in kinds}
    print(f"\n## {clients} clients, each with its own render: medians of {turns} turns, CPU time per client\n")
    print(HEAD)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        redis = RedisServer(Path(folder))
        stack.callback(redis.stop)
        redis.start()
        for turn in range(turns):
            for kind in kinds:
                file = write_renders(Path(folder) / f"{kind}-{turn}.json", redis.url, clients)
                _measure(figures[kind], kind, redis.url, file, clients)
    for kind in kinds:
        cpu = " | ".join(f"{statistics.median(figures[kind][name]) * 1e6:.0f} µs" for name in ("first", "end", "again"))
        print(f"| {kind} | {cpu} | {statistics.median(figures[kind]['memory']) / 1024:.1f} KiB |", flush=True)
    if {"rendercast", PEER} - figures.keys():
        return ()
    of_cpu = Comparison(group=f"{clients:,} clients", compared_to="graphql-ws")
    of_memory = replace(of_cpu, measured_in="KiB", scale=1 / 1024)
    own, peer = figures["rendercast"], figures[PEER]
    return [
        of_cpu.ratio("CPU to connect and subscribe", own["first"], peer["first"], aim=1.0),
        of_cpu.ratio("CPU to connect again", own["again"], peer["again"], aim=1.0),
        of_memory.ratio("memory per idle subscription", own["memory"], peer["memory"], aim=1.0),
    ]


def _measure(figures: Figures, kind: str, redis_url: str, renders: Path, clients: int) -> None:
    with started(Server(kind, redis_url, renders)) as server:
        memory = server.memory_bytes()
        for name in ("first", "again"):
            before_s = server.cpu_s()
            with started(Subscribers(server, redis_url, renders, clients)):
                figures[name].append((server.cpu_s() - before_s) / clients)
                if name == "first":
                    time.sleep(SETTLE_S)
                    figures["memory"].append((server.memory_bytes() - memory) / clients)
                before_s = server.cpu_s()
            time.sleep(SETTLE_S)
            figures["end"].append((server.cpu_s() - before_s) / clients)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:3]), kinds=tuple(sys.argv[3:]))
