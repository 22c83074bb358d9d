"""Scaling with the number of processes: delivery by 1, 2 and 4 API processes, and polling by 1 and 2 workers.

`python -m benchmarks.scaling [clients]`. Clients, Redis and the test double of Lambda run on the same machine, so the
total throughput is limited by its cores. The relevant figure is the CPU time per change or per poll, which must not
rise with the number of processes. Workers share Redis and the deployment; each has a store in memory, because no
MongoDB suitable for benchmarks is available.
"""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import uvloop

from benchmarks.delivery import ROUNDS, WARM_UP, Server, Subscribers, process_cpu_s, started
from benchmarks.delivery_server import write_renders
from benchmarks.polling import INTERVAL_S, Timed
from benchmarks.render_farm import render_farm
from services.backends.remotion_lambda.backend import open_lambda_backend
from services.clock import SystemClock
from services.models import Caller
from services.realtime.pubsub import open_pubsub
from services.renders.requests import StartRequest
from services.runtime.services import compose
from services.settings import default_settings
from tests.conftest import PROPS
from tests.support.memory_store import MemoryStore
from tests.support.redis_server import RedisServer
from tests.support.remotion_farm import DEPLOYMENT

CLIENTS = 1000
RENDERS = 600  # in total, shared by the workers
LENGTH_S = 20.0
STEPS = 20


class Servers:
    """Several servers used as one, as behind a load balancer."""

    kind = "rendercast"

    def __init__(self, servers: list[Server]) -> None:
        self.port = ",".join(str(server.port) for server in servers)
        self._servers = servers

    def cpu_s(self) -> float:
        return sum(server.cpu_s() for server in self._servers)


def main(clients: int = CLIENTS) -> None:
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        redis = RedisServer(Path(folder))
        stack.callback(redis.stop)
        redis.start()
        file = write_renders(Path(folder) / "renders.json", redis.url, clients)
        print(f"\n## API processes: {clients} clients, one render each\n")
        print("| processes | CPU per change | changes per second | median latency | 99 % |\n|---|---:|---:|---:|---:|")
        for number in (1, 2, 4):
            _measure_api(number, redis.url, file, clients)
        print(f"\n## Workers: {RENDERS} renders of {LENGTH_S:.0f} s, a poll of each every {INTERVAL_S:.0f} s\n")
        print("| workers | polls | CPU per poll | share of a core, each |\n|---|---:|---:|---:|")
        for number in (1, 2):
            _measure_workers(number, redis.url)


def _measure_api(number: int, redis_url: str, file: Path, clients: int) -> None:
    with ExitStack() as stack:
        servers = Servers([stack.enter_context(started(Server("rendercast", redis_url, file))) for _ in range(number)])
        subscribers = stack.enter_context(started(Subscribers(servers, redis_url, file, clients)))
        subscribers.run_rounds(WARM_UP)
        before_s = servers.cpu_s()
        seen = subscribers.run_rounds(ROUNDS)
        cpu_s = (servers.cpu_s() - before_s) / (ROUNDS * clients)
        at_half = subscribers.run_rounds(ROUNDS, 2 * seen["took_s"] / ROUNDS)
        waits = " | ".join(f"{at_half[name] * 1e3:.1f} ms" for name in ("p50_s", "p99_s"))
        print(f"| {number} | {cpu_s * 1e6:.1f} µs | {ROUNDS * clients / seen['took_s']:.0f} | {waits} |", flush=True)


def _measure_workers(number: int, redis_url: str) -> None:
    with render_farm(seconds=LENGTH_S, steps=STEPS) as farm:
        command = [sys.executable, "-m", "benchmarks.scaling", "worker", redis_url, str(RENDERS // number)]
        workers = [
            subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ, **farm.urls}) for _ in range(number)
        ]
        results = [json.loads(worker.communicate()[0]) for worker in workers]
    polls, cpu_s, took_s = (sum(each[what] for each in results) for what in ("polls", "cpu_s", "took_s"))
    print(f"| {number} | {polls} | {cpu_s / polls * 1e3:.2f} ms | {cpu_s / took_s * 100:.0f} % |", flush=True)


async def work(redis_url: str, renders: int) -> None:
    """Run renders to their end as a worker does, and print the CPU and wall time in seconds."""
    clock = SystemClock()
    deployment = replace(DEPLOYMENT, capacity=renders, poll_interval=timedelta(seconds=INTERVAL_S))
    async with (
        open_pubsub(redis_url) as pubsub,
        open_lambda_backend(deployment, clock=clock, check=False) as backend,
    ):
        timed, store = Timed(backend), MemoryStore(clock)
        services = compose(
            default_settings(quota_limit=renders),
            clock=clock,
            store=store,
            pubsub=pubsub,
            backend=timed,  # type: ignore[arg-type]  # a proxy; __getattr__ is untyped
            with_worker=True,
        )
        assert services.worker is not None
        for _ in range(renders):
            await services.renders.start(Caller(id="ann"), StartRequest(animation=PROPS))
        cpu_s, started_at = process_cpu_s(os.getpid()), clock.now()
        working = asyncio.create_task(services.worker.run())
        while await store.unfinished(["ann"], first=1):  # noqa: ASYNC110
            await asyncio.sleep(0.5)
        result = {
            "polls": sum(map(len, timed.polled_at.values())),
            "cpu_s": process_cpu_s(os.getpid()) - cpu_s,
            "took_s": (clock.now() - started_at).total_seconds(),
        }
        working.cancel()
        await asyncio.wait([working])
    print(json.dumps(result))


if __name__ == "__main__":
    if sys.argv[1:2] == ["worker"]:
        uvloop.run(work(sys.argv[2], int(sys.argv[3])))
    else:
        main(*map(int, sys.argv[1:]))
