"""Start-up time and idle memory of the processes: `python -m benchmarks.footprint [turns]`.

Measures CPU and wall time from the start to readiness, and the anonymous memory of an idle process.
"""

import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

import httpx

from benchmarks.delivery import memory_bytes, process_cpu_s
from tests.end_to_end.processes import Running
from tests.support.mongo_server import MongoServer
from tests.support.redis_server import RedisServer

TURNS = 5
IDLE_S = 3.0
COMMAND = str(Path(sys.executable).with_name("rendercast"))


def main(turns: int = TURNS) -> None:
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        redis, mongo = RedisServer(Path(folder)), MongoServer(Path(folder) / "mongo")
        for server in (redis, mongo):
            stack.callback(server.stop)
            server.start()
        shared = {"redis_url": redis.url, "mongodb_url": mongo.url, "renderer": "text", "jwt_secret": "x" * 32}
        print("\n## Footprint\n\n| | CPU until ready | seconds until ready | memory when idle |")
        print("|---|---:|---:|---:|")
        for command, settings in (("dev", {}), ("serve", shared), ("worker", shared)):
            samples = [_start(Path(tempfile.mkdtemp(dir=folder)), command, settings) for _ in range(turns)]
            cpu_s, ready_s, memory = (statistics.median(column) for column in zip(*samples, strict=True))
            row = f"{cpu_s:.2f} s | {ready_s:.2f} s | {memory / 2**20:.0f} MiB"
            print(f"| `rendercast {command}` | {row} |", flush=True)
        print(f"| `rendercast --help` | {_cpu_s_of_help(turns):.2f} s | | |")


def _start(folder: Path, command: str, settings: Mapping[str, object]) -> tuple[float, float, float]:
    started = time.perf_counter()
    running = Running(folder, [COMMAND, command], {"port": 0, "data_dir": folder, **settings})
    try:
        while command != "worker" and not _is_ready(running.url):
            time.sleep(0.01)
        ready_s, cpu_s = time.perf_counter() - started, process_cpu_s(running.process.pid)
        time.sleep(IDLE_S)
        return cpu_s, ready_s, memory_bytes(running.process.pid)
    finally:
        running.close()


def _is_ready(url: str) -> bool:
    return httpx.get(f"{url}/readyz", timeout=5, trust_env=False).is_success


def _cpu_s_of_help(turns: int) -> float:
    samples = []
    for _ in range(turns):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([COMMAND, "--help"], stdout=subprocess.DEVNULL, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        samples.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return statistics.median(samples)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
