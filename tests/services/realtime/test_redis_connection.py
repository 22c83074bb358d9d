"""What comes from Redis together with a fault is not lost with it."""

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest
from redis.asyncio.connection import Connection
from redis.exceptions import InvalidResponse, NoPermissionError

from services.realtime.redis_connection import RedisCommands, RedisSubscriber

MESSAGES = b"*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$3\r\none\r\n*3\r\n$7\r\nmessage\r\n$1\r\nb\r\n$3\r\ntwo\r\n"
FAULTS = {b"-NOPERM no\r\n": NoPermissionError, b"?nonsense\r\n": InvalidResponse}


@pytest.fixture
async def connection() -> AsyncIterator[Connection]:
    """A connection to one that never says anything."""
    ours, theirs = socket.socketpair()
    with theirs:
        connection = Connection()
        connection._reader, connection._writer = await asyncio.open_connection(sock=ours)
        yield connection


@pytest.mark.parametrize("fault", FAULTS)
async def test_messages_before_a_fault_are_passed_on(connection: Connection, fault: bytes) -> None:
    heard: list[list[bytes]] = []
    line = RedisSubscriber(connection, on_messages=heard.extend, on_answer=lambda: None)
    line.data_received(MESSAGES + fault)
    assert heard == [[b"a", b"one"], [b"b", b"two"]]
    with pytest.raises(FAULTS[fault]):
        await line.run()
    await line.close()


async def test_answers_before_a_fault_are_given(connection: Connection) -> None:
    line = RedisCommands(connection)
    asked = [asyncio.create_task(line.ask("PUBLISH", "a", "message")) for _ in range(3)]
    await asyncio.sleep(0)
    line.data_received(b":1\r\n:1\r\n?nonsense\r\n")
    first, second, third = await asyncio.gather(*asked, return_exceptions=True)
    assert (first, second) == (None, None)
    assert isinstance(third, InvalidResponse)
    await line.close()
