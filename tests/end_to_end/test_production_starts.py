"""Starts of `serve` and `worker` that can't succeed end with one sentence, in a few seconds; a stop ends in order."""

import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.end_to_end.processes import COMMAND, spawn_program
from tests.end_to_end.production import SETTINGS, Site, open_client, readiness
from tests.support.api_client import TEST_TIMEOUT_S
from tests.support.mongo_server import MongoServer
from tests.support.redis_server import RedisServer
from tests.support.server_process import free_port

MAX_START_S = 25  # five for a server that doesn't answer, and what a busy machine adds
SECRET = "hunter2"  # noqa: S105  # a password of nobody
AWAY = {
    "MONGODB_URL": f"mongodb://ann:{SECRET}@127.0.0.1:{{port}}/x?timeoutMS=5000",
    "REDIS_URL": f"redis://:{SECRET}@127.0.0.1:{{port}}",
}

Servers = tuple[MongoServer, RedisServer]


def refusal(folder: Path, servers: Servers, *command: str, **settings: str | None) -> str:
    """Return what a start that can't succeed says, which is one line without a secret. None unsets a variable."""
    mongo, redis = servers
    given = {**SETTINGS, "MONGODB_URL": f"{mongo.url}/test-starts", "REDIS_URL": redis.url, **settings}
    asked_at = time.monotonic()
    process = spawn_program(
        folder, [COMMAND, *command], {name: value for name, value in given.items() if value is not None}
    )
    try:
        said, _ = process.communicate(timeout=TEST_TIMEOUT_S)
    finally:
        process.kill()
    text = (folder / "stderr").read_text()
    assert (process.returncode, said) == (1, b""), text
    assert time.monotonic() - asked_at < MAX_START_S
    assert text.startswith("rendercast: ")
    assert (text[-1], text.count("\n")) == ("\n", 1), text
    assert SECRET not in text
    return text.removeprefix("rendercast: ").removesuffix("\n")


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@pytest.mark.parametrize("command", [("serve", "--port", "0"), ("worker",)], ids=["serve", "worker"])
@pytest.mark.parametrize("name", ["MONGODB_URL", "REDIS_URL"])
def test_a_missing_url_is_named(tmp_path: Path, servers: Servers, command: tuple[str, ...], name: str) -> None:
    assert refusal(tmp_path, servers, *command, **{name: None}).startswith(f"{name} is not set")


def test_a_server_that_is_not_there_or_says_nothing_is_named_by_its_host(
    tmp_path: Path, servers: Servers, silent_port: int
) -> None:
    closed_port = free_port()

    def said(name: str, port: int) -> str:
        folder = tmp_path / f"{name} {port}"
        folder.mkdir()
        return refusal(folder, servers, "worker", **{name: AWAY[name].format(port=port)})

    with ThreadPoolExecutor() as threads:
        asked = [(port, threads.submit(said, name, port)) for name in AWAY for port in (closed_port, silent_port)]
    for port, answer in asked:
        assert f"127.0.0.1:{port}" in answer.result()


@pytest.mark.parametrize("name", ["MONGODB_URL", "REDIS_URL"])
def test_a_url_of_something_else_is_refused(tmp_path: Path, servers: Servers, name: str) -> None:
    said = refusal(tmp_path, servers, "worker", **{name: f"http://ann:{SECRET}@127.0.0.1"})
    assert name in said or "Redis" in said


def test_memory_is_no_pubsub_of_several_processes(tmp_path: Path, servers: Servers) -> None:
    assert "can't share memory" in refusal(tmp_path, servers, "serve", "--port", "0", REDIS_URL="memory://")


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])  # noqa: S104  # never listened on
def test_an_api_that_could_not_tell_who_calls_is_refused(tmp_path: Path, servers: Servers, host: str) -> None:
    said = refusal(tmp_path, servers, "serve", "--port", "0", "--host", host, jwt_secret=None)
    assert "RENDERCAST_JWT_ISSUER" in said
    assert "RENDERCAST_JWT_SECRET" in said


def test_an_issuer_beside_a_secret_is_refused(tmp_path: Path, servers: Servers) -> None:
    said = refusal(tmp_path, servers, "serve", "--port", "0", jwt_issuer="https://issuer.test")
    assert "RENDERCAST_JWT_ISSUER and RENDERCAST_JWT_SECRET are both set" in said


async def test_an_address_that_others_can_reach_is_taken(site: Site) -> None:
    (rendercast,) = site.start("serve --port 0 --host 0.0.0.0 --with-worker")
    async with open_client(rendercast.url) as client:
        await readiness(client, 200)
        render_id = await client.start_render(durationInFrames=2)
        assert (await client.until(render_id, status="COMPLETE"))["attempt"] == 1
    assert rendercast.end() == 0
