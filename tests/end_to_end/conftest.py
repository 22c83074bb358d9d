"""Fixtures that start Rendercast as processes and end them after the test, whether it passes or fails."""

import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.end_to_end.on_lambda import RemotionSite, lambda_settings
from tests.end_to_end.processes import Rendercast, assert_no_traceback, quiet_window_s
from tests.end_to_end.production import Site
from tests.end_to_end.slow import SlowRenderers
from tests.services.backends.conftest import node_bundle
from tests.support.lambda_server import LambdaServer
from tests.support.mongo_server import MongoServer
from tests.support.redis_server import RedisServer
from tests.support.remotion_farm import BUCKET
from tests.support.s3_server import S3Server

__all__ = ["node_bundle"]

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
    for rendercast in started:
        assert_no_traceback(rendercast.log)


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
    for process in site.started:
        assert_no_traceback(process.log)


@pytest.fixture
def function(s3_server: S3Server) -> Iterator[LambdaServer]:
    """A Remotion Lambda function whose renders take two seconds."""
    s3_server.make_bucket(BUCKET)
    with LambdaServer(s3_server, seconds_per_render=2, steps=8) as function:
        yield function


@pytest.fixture
def remotion_site(s3_server: S3Server, function: LambdaServer) -> RemotionSite:
    """The site of the function."""
    return RemotionSite(function, s3_server)


@pytest.fixture
def deployment(s3_server: S3Server, function: LambdaServer, remotion_site: RemotionSite) -> dict[str, object]:
    """The settings with which `site` renders on the function."""
    return lambda_settings(function, s3_server, remotion_site)
