"""What many tests use."""

import asyncio
import os
import uuid
from collections.abc import Callable, Iterator
from datetime import datetime

import pytest
import uvloop
from pymongo import MongoClient

from services.ids import new_render_id
from services.models import AnimationProps, AnimationStyle, Render
from tests.support.fakes import START_OF_TIME, FakeBackend, FakeClock, MemoryStore
from tests.support.mongo_server import MongoServer
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

MakeRender = Callable[..., Render]


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Return the loop that tests run on, which is the one that is served on."""
    return {"uvloop": uvloop.new_event_loop}


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
def backend() -> FakeBackend:
    return FakeBackend()


@pytest.fixture(scope="session")
def mongo_server_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A MongoDB for the whole run: the one that TEST_MONGODB_URL names, or one that is started here."""
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
    with MongoClient[dict[str, object]](mongo_server_url) as client:
        client.drop_database(name)


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """An S3 for the whole run."""
    with S3Server(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture
def farm(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Farm]:
    """A function that renders within a fraction of a second, and its bucket."""
    with running_farm(s3_server, monkeypatch) as farm:
        yield farm
