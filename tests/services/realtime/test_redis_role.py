"""Permissions of the documented Redis user, and servers that are no primary."""

import asyncio
import logging
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from services.errors import PubSubUnavailable, StartupError
from services.realtime.pubsub import open_pubsub
from services.realtime.redis_errors import ACL_RULES
from services.settings import CHECKOUT
from tests.support.redis_pubsub import assert_works, until, until_lost, until_reconnected
from tests.support.redis_server import RedisServer
from tests.support.server_process import TIMEOUT_S, free_port

SECRET = "hush-4711"  # noqa: S105
USER = ("ann", "on", f">{SECRET}")


@pytest.fixture
def other(tmp_path: Path) -> Iterator[RedisServer]:
    (tmp_path / "other").mkdir()
    started = RedisServer(tmp_path / "other")
    started.start()
    yield started
    started.stop()


def as_user(server: RedisServer, *words: str) -> str:
    """Run a command as the user `ann` and return the reply."""
    return server.command("AUTH", "ann", SECRET, "\r\n" + " ".join(words)).splitlines()[1]


def test_the_documented_rules_are_those_that_messages_name() -> None:
    assert f"`{ACL_RULES}`" in (CHECKOUT / "docs" / "operating.md").read_text(encoding="utf-8")


async def test_the_documented_permissions_suffice_and_allow_no_administration(server: RedisServer) -> None:
    server.command("ACL", "SETUSER", *USER, ACL_RULES)
    async with open_pubsub(server.url.replace("//", f"//ann:{SECRET}@")) as pubsub:
        await assert_works(pubsub)
        await pubsub.check()
    for command in ("CLIENT KILL TYPE normal", "CLIENT PAUSE 1", "CLIENT LIST", "CONFIG GET *", "KEYS *", "GET a"):
        assert as_user(server, command).startswith("-NOPERM"), command
    assert as_user(server, "PUBLISH other:0:a message").startswith("-NOPERM")


async def test_single_commands_as_permissions_suffice(server: RedisServer) -> None:
    server.command("ACL", "SETUSER", *USER, "+ping", "+subscribe", "+unsubscribe", "+publish", "&rendercast:*")
    async with open_pubsub(server.url.replace("//", f"//ann:{SECRET}@")) as pubsub:
        await assert_works(pubsub)
        await pubsub.check()


async def test_a_rejected_command_does_not_keep_the_others_from_being_executed(server: RedisServer) -> None:
    """Of a start: those that publish its renders, count the idle workers and wake one of them."""
    allowed = ("+ping", "+subscribe", "+publish", "&rendercast:0:a", "&rendercast:0:idle")
    messages: list[str] = []
    idle: list[str] = []
    server.command("ACL", "SETUSER", *USER, *allowed)
    async with (
        open_pubsub(server.url) as listening,
        listening.subscribe("a", messages.extend),
        listening.subscribe("idle", idle.extend),
        open_pubsub(server.url.replace("//", f"//ann:{SECRET}@")) as pubsub,
    ):
        with pytest.raises(PubSubUnavailable):  # no permission to count
            await pubsub.publish_to_one(["idle"], "queued", before=[("a", "1")])
        await until(lambda: messages == ["1"])
        server.command("ACL", "SETUSER", "ann", "+pubsub|numsub")
        with pytest.raises(PubSubUnavailable):  # no permission for the channel
            await pubsub.publish_to_one(["idle"], "queued", before=[("rejected", "0"), ("a", "2")])
        await until(lambda: (messages, idle) == (["1", "2"], ["queued"]))


async def test_missing_permissions_are_named(server: RedisServer) -> None:
    server.command("ACL", "SETUSER", *USER, "+@pubsub", "&rendercast:*")
    with pytest.raises(StartupError) as rejected:
        async with open_pubsub(server.url.replace("//", f"//ann:{SECRET}@")):
            pass
    assert f"who needs {ACL_RULES}" in str(rejected.value)
    assert SECRET not in repr(rejected.value)


async def test_a_password_that_is_changed_later_is_named_once_in_the_log(
    server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_pubsub(server.url) as pubsub:
        server.command("ACL", "SETUSER", "default", "resetpass", f">{SECRET}")
        server.command("AUTH", SECRET, "\r\n" + "CLIENT KILL TYPE pubsub")
        server.command("AUTH", SECRET, "\r\n" + "CLIENT KILL TYPE normal")
        await until(lambda: pubsub._redis is not None and pubsub._redis._failures >= 3)
        server.command("AUTH", SECRET, "\r\n" + "ACL SETUSER default nopass")
        await until_reconnected(pubsub)
        await assert_works(pubsub)
    assert [("password" in message) for message in caplog.messages].count(True) == 1
    assert SECRET not in caplog.text


async def test_a_replica_stops_the_start(server: RedisServer, other: RedisServer) -> None:
    server.command("REPLICAOF", "127.0.0.1", str(other.port))
    with pytest.raises(StartupError, match="it is a replica"):
        async with open_pubsub(server.url):
            pass


async def test_a_primary_that_becomes_a_replica_is_left_until_it_is_promoted(
    server: RedisServer, other: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "services")
    async with open_pubsub(server.url) as pubsub:
        await assert_works(pubsub)
        server.command("REPLICAOF", "127.0.0.1", str(other.port))
        await until_lost(pubsub)
        with pytest.raises(PubSubUnavailable):
            await pubsub.check()
        with pytest.raises(PubSubUnavailable, match="it is a replica"):
            await pubsub.publish("a", "to no subscriber")
        server.command("REPLICAOF", "NO", "ONE")
        await until_reconnected(pubsub)
        await assert_works(pubsub)
    lost, back = caplog.messages
    assert "it is a replica" in lost
    assert "available again" in back


async def test_a_replica_is_left_if_the_publishing_connection_is_lost_as_well(
    server: RedisServer, other: RedisServer
) -> None:
    async with open_pubsub(server.url) as pubsub:
        await assert_works(pubsub)
        server.command("REPLICAOF", "127.0.0.1", str(other.port))
        server.command("CLIENT", "KILL", "TYPE", "normal")
        for _ in range(2):  # the first call may find the connection that is being closed
            with suppress(PubSubUnavailable):
                await pubsub.publish("a", "to no subscriber")
        await until_lost(pubsub)
        server.command("REPLICAOF", "NO", "ONE")
        await until_reconnected(pubsub)
        await assert_works(pubsub)


async def test_a_replica_in_a_cluster_is_used(tmp_path: Path) -> None:
    nodes = [_cluster_node(tmp_path / name) for name in ("primary", "replica")]
    primary, replica = nodes
    try:
        for node in nodes:
            node.start()
        primary.command("CLUSTER", "ADDSLOTSRANGE", "0", "16383")
        replica.command("CLUSTER", "MEET", "127.0.0.1", str(primary.port), str(primary.bus_port))
        await until(lambda: _id_of(primary) in replica.command("CLUSTER", "NODES"))
        await until(lambda: replica.command("CLUSTER", "REPLICATE", _id_of(primary)).startswith("+OK"))
        await until(lambda: "role:slave" in replica.command("INFO", "replication"))
        async with open_pubsub(replica.url) as pubsub, open_pubsub(primary.url) as other:
            inbox: list[str] = []
            async with other.subscribe("a", inbox.extend):
                await pubsub.check()
                async with asyncio.timeout(TIMEOUT_S):
                    while not inbox:
                        await pubsub.publish("a", "over the cluster's bus")  # lost while the nodes still connect
                        await asyncio.sleep(0.05)
    finally:
        for node in nodes:
            node.stop()


class ClusterNode(RedisServer):
    """A node of a cluster."""

    def __init__(self, folder: Path) -> None:
        self.bus_port = free_port()
        super().__init__(folder, "--cluster-enabled", "yes", "--cluster-port", str(self.bus_port))


def _cluster_node(folder: Path) -> ClusterNode:
    folder.mkdir()
    return ClusterNode(folder)


def _id_of(node: RedisServer) -> str:
    return node.command("CLUSTER", "MYID").splitlines()[1]


async def test_a_sentinel_stops_the_start(tmp_path: Path, server: RedisServer) -> None:
    (tmp_path / "sentinel").mkdir()
    configuration = tmp_path / "sentinel" / "sentinel.conf"
    configuration.write_text(f"sentinel monitor primary 127.0.0.1 {server.port} 1\n")
    sentinel = SentinelServer(tmp_path / "sentinel")
    sentinel.start()
    try:
        with pytest.raises(StartupError, match="it is a Sentinel"):
            async with open_pubsub(sentinel.url):
                pass
    finally:
        sentinel.stop()


class SentinelServer(RedisServer):
    """A Sentinel; its configuration is in the folder."""

    def _command(self) -> list[str | Path]:
        program, *_ = super()._command()
        return [program, self._folder / "sentinel.conf", "--sentinel", "--port", str(self.port), "--bind", "127.0.0.1"]


async def test_opening_and_closing_at_once_leaves_no_connection(server: RedisServer) -> None:
    async with open_pubsub(server.url):
        pass
    await until(lambda: server.clients("normal") == server.clients("pubsub") == 0)
