"""The commands of the stores in compose.yaml: Redis runs with its own, MongoDB's key file is made."""

import os
import re
import stat
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from services.errors import PubSubUnavailable, StartupError
from services.realtime.redis_broker import RedisBroker
from services.settings import CHECKOUT
from tests.deploy.compose import SERVICES, script
from tests.support.redis_server import REDIS_COMMAND, RedisServer

PASSWORD = "0a" * 32


class ComposeRedis(RedisServer):
    """A Redis server with the configuration of compose.yaml."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        (folder / "redis-server").symlink_to(REDIS_COMMAND)

    @property
    def arguments(self) -> str:
        """The arguments that other users of the machine can read."""
        assert self._process is not None
        return Path(f"/proc/{self._process.pid}/cmdline").read_text()

    def _command(self) -> Sequence[str | Path]:
        configuration = script("redis").replace('save ""', f'save ""\nport {self.port}')
        environment = [f"PATH={self._folder}:{os.environ['PATH']}", f"REDIS_PASSWORD={PASSWORD}"]
        return ["env", *environment, "sh", "-c", configuration]


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ComposeRedis]:
    server = ComposeRedis(tmp_path_factory.mktemp("redis"))
    server.start()
    yield server
    server.stop()


async def test_redis_accepts_the_password_of_its_user(redis: ComposeRedis) -> None:
    broker = RedisBroker(f"redis://rendercast:{PASSWORD}@127.0.0.1:{redis.port}")
    await broker.connect()
    try:
        await broker.subscribe("renders")
        await broker.wait_until_subscribed("renders")
        await broker.publish("renders", "{}")
        await broker.check()
    finally:
        await broker.disconnect()


@pytest.mark.parametrize("user", ["", "rendercast:wrong@", f":{PASSWORD}@", f"default:{PASSWORD}@"])
async def test_redis_rejects_others(redis: ComposeRedis, user: str) -> None:
    with pytest.raises((PubSubUnavailable, StartupError)):
        await RedisBroker(f"redis://{user}127.0.0.1:{redis.port}").connect()


def test_redis_has_the_documented_rules() -> None:
    documented = re.findall(r"ACL SETUSER rendercast .*", (CHECKOUT / "docs" / "operating.md").read_text("utf-8"))
    (commands,) = {" ".join(re.findall(r"[+-]@\w+", rules)) for rules in documented}
    assert f"-@all {commands}" in script("redis")


@pytest.mark.parametrize(
    "command",
    [
        *("CLIENT KILL TYPE pubsub", "CLIENT PAUSE 1", "CONFIG GET maxmemory", "FLUSHALL", "SHUTDOWN"),
        *("GET a", "KEYS *", "SET a b", "PUBLISH other b", "SUBSCRIBE other"),
    ],
)
def test_redis_permits_its_user_nothing_but_messages_of_rendercast(redis: ComposeRedis, command: str) -> None:
    assert redis.command(f"AUTH rendercast {PASSWORD}\r\n{command}").startswith("+OK\r\n-NOPERM")


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="the list of processes is read from /proc")
def test_redis_does_not_show_its_password_in_the_list_of_processes(redis: ComposeRedis) -> None:
    assert "redis-server" in redis.arguments or "valkey-server" in redis.arguments
    assert PASSWORD not in redis.arguments


def test_mongodb_gets_a_private_random_key(tmp_path: Path) -> None:
    """A key file has 6 to 1024 base64 characters, and only its owner can read it."""
    entrypoint = tmp_path / "docker-entrypoint.sh"
    entrypoint.write_text('#!/bin/sh\necho "$@"\n')
    entrypoint.chmod(0o755)
    keys = set()
    for attempt in ("first", "second"):
        key = tmp_path / attempt
        shell, option, _ = SERVICES["mongo"]["command"]
        made = subprocess.run(
            [shell, option, script("mongo").replace("/tmp/key", str(key))],  # noqa: S108
            capture_output=True,
            text=True,
            check=True,
            env={"PATH": f"{tmp_path}:{os.environ['PATH']}"},
        )
        assert made.stdout == f"mongod --replSet rs0 --bind_ip_all --keyFile {key}\n"
        assert stat.S_IMODE(key.stat().st_mode) == 0o600
        assert 6 <= len(key.read_text()) <= 1024
        keys.add(key.read_text())
    assert len(keys) == 2
