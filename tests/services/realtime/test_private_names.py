"""Fails with a clear sentence when broadcaster or redis-py no longer has a private name that the code uses."""

import inspect
from importlib import import_module
from importlib.metadata import version

from broadcaster import Broadcast
from redis.asyncio.connection import Connection

USERS = {
    "broadcaster": "services/realtime/broadcast.py",
    "redis": "services/realtime/redis_connection.py",
}


def check(library: str, name: str, *, exists: bool) -> None:
    assert exists, f"{library} {version(library)} has no {name}: adapt {USERS[library]} or bound {library}."


async def test_broadcaster_has_a_backend() -> None:
    backend = getattr(Broadcast("memory://"), "_backend", None)
    for name in ("subscribe", "unsubscribe", "next_published"):
        exists = inspect.iscoroutinefunction(getattr(backend, name, None))
        check("broadcaster", f"coroutine Broadcast._backend.{name}", exists=exists)


async def test_broadcaster_runs_the_overridden_listener() -> None:
    runs = False

    class Probe(Broadcast):
        async def _listener(self) -> None:
            nonlocal runs
            runs = True

    async with Probe("memory://") as broadcast:
        await broadcast._listener_task
    check("broadcaster", "call of Broadcast._listener in connect()", exists=runs)


def test_redis_has_the_parser_of_error_replies() -> None:
    try:
        parser = getattr(import_module("redis._parsers.base"), "BaseParser", None)
    except ImportError:
        parser = None
    exists = callable(getattr(parser, "parse_error", None))
    check("redis", "redis._parsers.base.BaseParser.parse_error", exists=exists)


def test_redis_has_the_stream_writer_of_a_connection() -> None:
    check("redis", "Connection()._writer", exists=hasattr(Connection(), "_writer"))
