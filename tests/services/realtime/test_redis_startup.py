"""Pub/sub with Redis servers, addresses and credentials of all kinds, and the rejections at the start."""

import asyncio
from pathlib import Path

import pytest

from services.errors import PubSubUnavailable, StartupError
from services.realtime.pubsub import open_pubsub
from services.realtime.redis_errors import ACL_RULES
from tests.support.redis_pubsub import assert_works, until_reconnected
from tests.support.redis_server import RedisServer
from tests.support.server_process import TIMEOUT_S, free_port

SECRET = "hush-4711"  # noqa: S105  # a password that must not be shown


async def rejection(url: str) -> str:
    with pytest.raises(StartupError) as rejected:
        async with open_pubsub(url):
            pass
    assert SECRET not in repr(rejected.value)
    assert "\n" not in str(rejected.value)
    return str(rejected.value)


async def test_an_unreachable_redis_stops_the_start() -> None:
    port = free_port()
    assert f"Redis at 127.0.0.1:{port} can't be reached" in await rejection(f"redis://ann:{SECRET}@127.0.0.1:{port}/2")
    assert "nowhere.sock" in await rejection(f"unix://:{SECRET}@/nowhere.sock")
    assert "nowhere.invalid:6379" in await rejection(f"redis://:{SECRET}@nowhere.invalid")


@pytest.mark.slow
async def test_a_redis_that_hangs_stops_the_start(server: RedisServer) -> None:
    server.pause()
    assert "no reply in time" in await rejection(server.url)


async def test_another_kind_of_server_stops_the_start() -> None:
    async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request: " + (await reader.read(1000)).replace(b"\r\n", b" ") + b"\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(respond, "127.0.0.1", 0) as other:
        port = other.sockets[0].getsockname()[1]
        assert f"127.0.0.1:{port}" in await rejection(f"redis://:{SECRET}@127.0.0.1:{port}")
        assert f"127.0.0.1:{port}" in await rejection(f"rediss://:{SECRET}@127.0.0.1:{port}")


async def test_passwords_and_users_are_accepted_or_rejected(server: RedisServer) -> None:
    server.command("CONFIG", "SET", "requirepass", SECRET)
    server.command("AUTH", SECRET, "\r\n" + "ACL SETUSER ann on", f">{SECRET}x", ACL_RULES)
    address = server.url.removeprefix("redis://")
    for login in (f":{SECRET}", f"ann:{SECRET}x"):
        async with open_pubsub(f"redis://{login}@{address}/3") as pubsub:
            await assert_works(pubsub)
    for login in ("", f":{SECRET}y@", f"ann:{SECRET}@", f"bob:{SECRET}@"):
        message = await rejection(f"redis://{login}{address}")
        assert message.startswith(f"Redis at {address} can't be reached: it doesn't accept the user or password")


async def test_a_missing_permission_is_logged_and_blocks_no_caller(
    server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    server.command("ACL", "SETUSER", "ann", "on", f">{SECRET}", "+@all", "resetchannels")
    address = server.url.removeprefix("redis://")
    async with (
        asyncio.timeout(TIMEOUT_S),
        open_pubsub(f"redis://ann:{SECRET}@{address}") as pubsub,
        pubsub.subscribe("a", print),
    ):
        with pytest.raises(PubSubUnavailable):
            await pubsub.check()
        with pytest.raises(PubSubUnavailable, match="permit"):
            await pubsub.publish("a", "message")
        server.command("ACL", "SETUSER", "ann", "allchannels")
        await until_reconnected(pubsub)
        await assert_works(pubsub)
    assert "permit" in caplog.text


async def test_it_works_over_a_unix_socket(tmp_path: Path) -> None:
    server = RedisServer(tmp_path, "--unixsocket", str(tmp_path / "redis.sock"))
    server.start()
    try:
        async with open_pubsub(f"unix://{tmp_path}/redis.sock?db=1") as pubsub:
            await assert_works(pubsub)
    finally:
        server.stop()


async def test_it_works_on_a_node_of_a_cluster(tmp_path: Path) -> None:
    server = RedisServer(tmp_path, "--cluster-enabled", "yes", "--cluster-port", str(free_port()))
    server.start()
    try:
        async with open_pubsub(server.url) as pubsub:
            await assert_works(pubsub)
    finally:
        server.stop()
