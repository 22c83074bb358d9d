"""Another user's small query during attacks by one user: `python -m benchmarks.fairness [queries [attack…]]`.

The server, the attacker and the other user are separate processes. For each query of the other user, the server's CPU
time between request and response is measured: on an idle machine it is the latency, and other load does not change it.
An attacker stays within the default limits. The server keeps its data in memory, or in the MongoDB at
`BENCHMARK_MONGODB_URL`, and changes come over Redis.
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx

from benchmarks.attacks import ATTACKS, SMALL_QUERY
from benchmarks.delivery import Server, started
from benchmarks.delivery_server import write_renders
from tests.support.redis_server import RedisServer

QUERIES = 200
RENDERS = 100  # of the attacker
PAUSE_S = 0.01  # between two queries of the other user


@contextmanager
def attacked(name: str, url: str, redis_url: str, renders_file: Path) -> Iterator[None]:
    """Attack the server from another process while the context is open."""
    command = [sys.executable, "-m", "benchmarks.attacks", name, url, redis_url, str(renders_file)]
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
    main(*map(int, sys.argv[1:2]), names=tuple(sys.argv[2:]))
