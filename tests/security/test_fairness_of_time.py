"""One user's operations don't delay another user's query. Server, attacker and the other user are three processes.

Measured is the server's CPU time between a request and its response, which does not depend on the load of the machine.
"""

import statistics
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.delivery import Server, started
from benchmarks.delivery_server import write_renders
from benchmarks.fairness import RENDERS, attacked, give_all_to_one, measure, quantile_95
from tests.security.target import IS_LINUX
from tests.support.redis_server import RedisServer

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not IS_LINUX, reason="needs the /proc of Linux")]

QUERIES = 40
MAX_CPU_S = 0.02
MAX_FACTOR = 20  # of the time without an attack, which is 1 ms if the processor is not slow


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    with tempfile.TemporaryDirectory() as folder:
        server = RedisServer(Path(folder))
        server.start()
        yield server
        server.stop()


@pytest.mark.parametrize("attack", ["shapes, progress", "subscribing again", "many lists"])
def test_a_query_takes_little_time_during_another_users_attack(attack: str, redis: RedisServer, tmp_path: Path) -> None:
    renders = write_renders(tmp_path / "renders.json", redis.url, RENDERS + 1)
    token = give_all_to_one(renders)
    with started(Server("rendercast", redis.url, renders)) as server:
        before = measure(server, token, QUERIES)
        with attacked(attack, f"http://127.0.0.1:{server.port}", redis.url, renders):
            samples = measure(server, token, QUERIES)
    max_cpu_s = max(MAX_CPU_S, MAX_FACTOR * statistics.median(cpu_s for cpu_s, _ in before))
    assert quantile_95(tuple(cpu_s for cpu_s, _ in samples)) < max_cpu_s
