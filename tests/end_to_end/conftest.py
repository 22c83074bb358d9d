"""Fixtures that start Rendercast as processes and end them after the test, whether it passes or fails."""

import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.end_to_end.processes import Rendercast, quiet_window_s
from tests.end_to_end.production import Site
from tests.end_to_end.slow import SlowRenderers
from tests.support.mongo_server import MongoServer
from tests.support.redis_server import RedisServer

Start = Callable[..., Rendercast]


@pytest.fixture
def renderers(tmp_path_factory: pytest.TempPathFactory) -> SlowRenderers:
    """The renderers of the processes that `start` starts."""
    return SlowRenderers(tmp_path_factory.mktemp("renderers"))


@pytest.fixture
def start(tmp_path: Path, renderers: SlowRenderers) -> Iterator[Start]:
    """Start `rendercast dev`; all processes of a test share their data. The test fails if one logs a traceback."""
    started: list[Rendercast] = []
    window_s = quiet_window_s()

    def start(**settings: object) -> Rendercast:
        rendercast = Rendercast(tmp_path, **{"quota_window_s": window_s, **renderers.settings, **settings})
        started.append(rendercast)
        return rendercast

    yield start
    for rendercast in started:
        rendercast.close()
    assert all("Traceback" not in rendercast.log for rendercast in started), started[0].log


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[MongoServer, RedisServer]]:
    """A MongoDB and a Redis that tests may stop, restart and pause."""
    folder = tmp_path_factory.mktemp("servers")
    mongo, redis = MongoServer(folder / "data"), RedisServer(folder)
    try:
        mongo.start()
        redis.start()
        yield mongo, redis
    finally:
        mongo.stop(signal.SIGKILL)
        redis.stop(signal.SIGKILL)


@pytest.fixture
def site(servers: tuple[MongoServer, RedisServer], tmp_path: Path) -> Iterator[Site]:
    """A deployment on these servers, which are restored afterwards. The test fails if a process logs a traceback."""
    mongo, redis = servers
    site = Site(tmp_path, mongo=mongo, redis=redis)
    yield site
    site.close()
    for server in servers:
        server.restore()
    redis.command("FLUSHALL")
    assert all("Traceback" not in process.log for process in site.started), [process.log for process in site.started]
