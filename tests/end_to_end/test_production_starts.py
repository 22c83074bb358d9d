"""Starts of `serve` and `worker` that can't succeed end with a one-line error within seconds."""

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

MAX_START_S = 25  # 5 for a server that doesn't respond, and the delay of a busy machine
SECRET = "hunter2"  # noqa: S105  # an example
UNAVAILABLE = {
    "MONGODB_URL": f"mongodb://ann:{SECRET}@127.0.0.1:{{port}}/x?timeoutMS=5000",
    "REDIS_URL": f"redis://:{SECRET}@127.0.0.1:{{port}}",
}

Servers = tuple[MongoServer, RedisServer]


def rejection(folder: Path, servers: Servers, *command: str, **settings: str | None) -> str:
    """Return the error of a start that fails: one line without a secret. None unsets a variable."""
    mongo, redis = servers
    given = {**SETTINGS, "MONGODB_URL": f"{mongo.url}/test-starts", "REDIS_URL": redis.url, **settings}
    started_at = time.monotonic()
    process = spawn_program(
        folder, [COMMAND, *command], {name: value for name, value in given.items() if value is not None}
    )
    try:
        output, _ = process.communicate(timeout=TEST_TIMEOUT_S)
    finally:
        process.kill()
    text = (folder / "stderr").read_text()
    assert (process.returncode, output) == (1, b""), text
    assert time.monotonic() - started_at < MAX_START_S
    assert text.startswith("rendercast: ")
    assert (text[-1], text.count("\n")) == ("\n", 1), text
    assert SECRET not in text
    return text.removeprefix("rendercast: ").removesuffix("\n")


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port that accepts connections and sends nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@pytest.mark.parametrize("command", [("serve", "--port", "0"), ("worker",)], ids=["serve", "worker"])
@pytest.mark.parametrize("name", ["MONGODB_URL", "REDIS_URL"])
def test_a_missing_url_is_named(tmp_path: Path, servers: Servers, command: tuple[str, ...], name: str) -> None:
    assert rejection(tmp_path, servers, *command, **{name: None}).startswith(f"{name} is not set")


def test_a_server_that_is_unavailable_or_sends_nothing_is_named_by_its_host(
    tmp_path: Path, servers: Servers, silent_port: int
) -> None:
    ports = (free_port(), silent_port)

    def startup_error(name: str, port: int) -> str:
        folder = tmp_path / f"{name} {port}"
        folder.mkdir()
        return rejection(folder, servers, "worker", **{name: UNAVAILABLE[name].format(port=port)})

    with ThreadPoolExecutor() as threads:
        results = [(port, threads.submit(startup_error, name, port)) for name in UNAVAILABLE for port in ports]
    for port, result in results:
        assert f"127.0.0.1:{port}" in result.result()


@pytest.mark.parametrize("name", ["MONGODB_URL", "REDIS_URL"])
def test_a_url_with_another_scheme_is_rejected(tmp_path: Path, servers: Servers, name: str) -> None:
    error = rejection(tmp_path, servers, "worker", **{name: f"http://ann:{SECRET}@127.0.0.1"})
    assert name in error or "Redis" in error


def test_memory_pubsub_is_rejected_for_several_processes(tmp_path: Path, servers: Servers) -> None:
    assert "can't share memory" in rejection(tmp_path, servers, "serve", "--port", "0", REDIS_URL="memory://")


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])  # noqa: S104  # never listened on
def test_an_api_without_authentication_is_rejected(tmp_path: Path, servers: Servers, host: str) -> None:
    error = rejection(tmp_path, servers, "serve", "--port", "0", "--host", host, jwt_secret=None)
    assert "RENDERCAST_JWT_ISSUER" in error
    assert "RENDERCAST_JWT_SECRET" in error


def test_an_issuer_beside_a_secret_is_rejected(tmp_path: Path, servers: Servers) -> None:
    error = rejection(tmp_path, servers, "serve", "--port", "0", jwt_issuer="https://issuer.test")
    assert "RENDERCAST_JWT_ISSUER and RENDERCAST_JWT_SECRET are both set" in error


async def test_an_address_that_is_not_loopback_is_accepted(site: Site) -> None:
    (rendercast,) = site.start("serve --port 0 --host 0.0.0.0 --with-worker")
    async with open_client(rendercast.url) as client:
        await readiness(client, 200)
        render_id = await client.start_render(durationInFrames=2)
        assert (await client.until(render_id, status="COMPLETE"))["attempt"] == 1
    assert rendercast.end() == 0
