"""Fixtures for all tests, and the marker `slow`.

A test is slow if it starts a browser, Node or Rendercast as a process, or runs for long. The marker comes from its
folder or a fixture, or is in its module. The guard enforces it for programs.
"""

import asyncio
import gc
import os
import signal
import sys
import uuid
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import uvloop
from hypothesis import HealthCheck, settings

from services.ids import new_render_id
from services.models import AnimationProps, AnimationStyle, Render
from tests.support import aws_models, leftovers
from tests.support.certificates import Authority
from tests.support.fake_backend import FakeBackend
from tests.support.fake_clock import START_OF_TIME, FakeClock
from tests.support.memory_store import MemoryStore
from tests.support.mongo_server import MongoServer, connect_to_mongo
from tests.support.remotion_farm import Farm, running_farm
from tests.support.s3_server import S3Server

PROPS = AnimationProps(
    text="Hello",
    style=AnimationStyle.FADE_IN,
    font_family="Inter",
    font_size=72.0,
    color="#ffffff",
    background_color=None,
    duration_in_frames=90,
    fps=30,
)

TESTS = Path(__file__).parent
# The order in which they run: the files that take longest first, so that no worker is left with one at the end.
SLOW_FOLDERS = ("end_to_end", "remotion_helper", "examples", "browser", "clients")
LONGEST_FAST_FOLDER = "transport"
# boto3 on `s3_server` takes 0.3 s of CPU time for each test, the server 1.5 s to start. The tests with MongoDB and its
# server took a fifth of the time of the fast tests.
SLOW_FIXTURES = {"s3_server", "mongo_server_url"}
SLOW_PROGRAMS = {"chromium", "make", "node", "npm", "rendercast", "secantusd-py"}

MakeRender = Callable[..., Render]


class SlowProgramGuard:
    """An audit hook that fails a test without the marker that starts a slow program."""

    def __init__(self) -> None:
        self.is_active = False

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.is_active and event == "subprocess.Popen":
            executable, command, *_ = arguments
            name = Path(os.fsdecode(executable or command[0])).name
            if name in SLOW_PROGRAMS:
                raise AssertionError(f"A test that starts {name} needs the marker `slow`.")


GUARD = SlowProgramGuard()


# Hypothesis's limits of 200 ms for an example, and on the time to generate them, depend on the machine.
settings.register_profile("any_machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])


def pytest_configure() -> None:
    settings.load_profile("any_machine")
    aws_models.share()
    leftovers.kill_at_end()
    sys.addaudithook(GUARD)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Collect without garbage collection: scanning modules and tests, which stay, again and again took 3 s."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of slow folders and of slow fixtures, and run slow tests first."""
    for item in items:
        is_in_slow_folder = _folder(item.path) in SLOW_FOLDERS
        if is_in_slow_folder or not SLOW_FIXTURES.isdisjoint(getattr(item, "fixturenames", ())):
            item.add_marker("slow")
    items.sort(key=_position)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Guard a test with its fixtures."""
    GUARD.is_active = item.get_closest_marker("slow") is None
    try:
        return (yield)
    finally:
        GUARD.is_active = False


@cache
def _folder(path: Path) -> str:
    """Return the folder of a file of tests. Not for each test: finding it takes a tenth of the collection."""
    return path.relative_to(TESTS).parts[0]


def _position(item: pytest.Item) -> int:
    folder = _folder(item.path)
    if folder in SLOW_FOLDERS:
        return SLOW_FOLDERS.index(folder)
    if item.get_closest_marker("slow") is not None:
        return -1
    return len(SLOW_FOLDERS) + (folder != LONGEST_FAST_FOLDER)


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Return the event loop of the tests, which is that of the server."""
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture(autouse=True)
def signal_handlers() -> Iterator[None]:
    """Restore the handlers of SIGINT and SIGTERM, which commands that run in this process replace."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        if signal.getsignal(number) is not handler:
            signal.signal(number, handler)


@pytest.fixture
def props() -> AnimationProps:
    return PROPS


@pytest.fixture
def make_render() -> MakeRender:
    def make(*, owner: str = "ann", at: datetime = START_OF_TIME, **values: object) -> Render:
        given = {"id": new_render_id(at), "owner": owner, "props": PROPS, "created_at": at, **values}
        return Render(**given)  # type: ignore[arg-type]

    return make


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def memory_store(clock: FakeClock) -> MemoryStore:
    return MemoryStore(clock)


@pytest.fixture
def backend(clock: FakeClock) -> FakeBackend:
    return FakeBackend(clock=clock)


@pytest.fixture(scope="session")
def mongo_server_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a MongoDB for all tests of a worker: that in TEST_MONGODB_URL, or a server started here."""
    if url := os.environ.get("TEST_MONGODB_URL"):
        yield url
        return
    server = MongoServer(tmp_path_factory.mktemp("mongo") / "data")
    server.start()
    yield server.url
    server.stop()


@pytest.fixture
def mongo_url(mongo_server_url: str) -> Iterator[str]:
    """The URL of an empty database, removed after the test."""
    name = f"test-{uuid.uuid4()}"
    yield f"{mongo_server_url}/{name}"
    with connect_to_mongo(mongo_server_url) as client:
        client.drop_database(name)


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """An S3 server for all tests of a worker."""
    with S3Server(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def farm(s3_server: S3Server, authority: Authority, monkeypatch: pytest.MonkeyPatch) -> Iterator[Farm]:
    """A function that renders within a fraction of a second, and its bucket."""
    with running_farm(s3_server, authority, monkeypatch) as farm:
        yield farm
