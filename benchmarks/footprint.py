"""Start-up time and idle memory of the processes: `python -m benchmarks.footprint [turns]`.

Measures CPU and wall time from the start to readiness, and the anonymous memory of a command's idle processes: of
itself, and of the renderer process that waits for a render, in `dev` for a minute.
"""

import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import httpx

from benchmarks.delivery import memory_bytes, process_cpu_s
from benchmarks.figures import Figure, figure
from tests.end_to_end.processes import Running
from tests.support.mongo_server import MongoServer
from tests.support.node_processes import descendants
from tests.support.redis_server import RedisServer

TURNS = 5
GROUP = "start and idle memory"
IDLE_S = 3.0
COMMAND = str(Path(sys.executable).with_name("rendercast"))


def main(turns: int = TURNS) -> Sequence[Figure]:
    """Print the figures of each command, and return those of `dev` and of the help."""
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        redis, mongo = RedisServer(Path(folder)), MongoServer(Path(folder) / "mongo")
        for server in (redis, mongo):
            stack.callback(server.stop)
            server.start()
        shared = {"redis_url": redis.url, "mongodb_url": mongo.url, "renderer": "text", "jwt_secret": "x" * 32}
        print("\n## Footprint\n\n| | CPU until ready | seconds until ready | memory when idle | of its renderer |")
        print("|---|---:|---:|---:|---:|")
        for command, settings in (("dev", {}), ("serve", shared), ("worker", shared)):
            samples = [_start(Path(tempfile.mkdtemp(dir=folder)), command, settings) for _ in range(turns)]
            columns = list(zip(*samples, strict=True))
            cpu_s, ready_s, memory, of_renderer = map(statistics.median, columns)
            if command == "dev":
                figures.append(figure(GROUP, "`rendercast dev` ready", columns[1], aim=0.5, unit=" s"))
                figures.append(
                    figure(
                        GROUP,
                        "`rendercast dev`, idle memory without its renderer process",
                        [each / 2**20 for each in columns[2]],
                        aim=50,
                        unit=" MiB",
                    )
                )
            memories = f"{memory / 2**20:.0f} MiB | {of_renderer / 2**20:.0f} MiB"
            row = f"{cpu_s:.2f} s | {ready_s:.2f} s | {memories}"
            print(f"| `rendercast {command}` | {row} |", flush=True)
        of_help = _cpu_s_of_help(turns)
        print(f"| `rendercast --help` | {statistics.median(of_help):.2f} s | | | |")
        return [*figures, figure(GROUP, "`rendercast --help`, CPU", of_help, aim=0.1, unit=" s")]


def _start(folder: Path, command: str, settings: Mapping[str, object]) -> tuple[float, float, float, float]:
    started = time.perf_counter()
    running = Running(folder, [COMMAND, command], {"port": 0, "data_dir": folder, **settings}, fork=False)
    try:
        while command != "worker" and not _is_ready(running.url):
            time.sleep(0.01)
        ready_s, cpu_s = time.perf_counter() - started, process_cpu_s(running.process.pid)
        time.sleep(IDLE_S)
        of_renderer = sum(memory_bytes(each) for each in descendants(running.process.pid))
        return cpu_s, ready_s, memory_bytes(running.process.pid), of_renderer
    finally:
        running.close()


def _is_ready(url: str) -> bool:
    return httpx.get(f"{url}/readyz", timeout=5, trust_env=False).is_success


def _cpu_s_of_help(turns: int) -> Sequence[float]:
    samples = []
    for _ in range(turns):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([COMMAND, "--help"], stdout=subprocess.DEVNULL, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        samples.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return samples


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
