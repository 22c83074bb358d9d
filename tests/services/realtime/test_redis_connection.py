"""Replies that arrive together with an error are handled before it."""

import asyncio
import socket
import traceback
from collections.abc import AsyncIterator

import pytest
from redis.asyncio.connection import Connection
from redis.exceptions import InvalidResponse, NoPermissionError

from services.realtime.redis_connection import RedisCommands, RedisSubscriber

MESSAGES = b"*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$3\r\none\r\n*3\r\n$7\r\nmessage\r\n$1\r\nb\r\n$3\r\ntwo\r\n"
ERRORS = {b"-NOPERM no\r\n": NoPermissionError, b"?nonsense\r\n": InvalidResponse}


@pytest.fixture
async def connection() -> AsyncIterator[Connection]:
    """A connection to a server that sends nothing."""
    ours, theirs = socket.socketpair()
    with theirs:
        connection = Connection()
        connection._reader, connection._writer = await asyncio.open_connection(sock=ours)
        yield connection


class RecordingHandler:
    """A `SubscriptionHandler` that records messages."""

    def __init__(self) -> None:
        self.messages: list[list[bytes]] = []

    def handle_messages(self, messages: list[list[bytes]]) -> None:
        self.messages += messages

    def handle_pong(self) -> None:
        pass


@pytest.mark.parametrize("error", ERRORS)
async def test_messages_before_an_error_are_passed_on(connection: Connection, error: bytes) -> None:
    handler = RecordingHandler()
    subscriber = RedisSubscriber(connection, handler)
    subscriber.data_received(MESSAGES + error)
    assert handler.messages == [[b"a", b"one"], [b"b", b"two"]]
    with pytest.raises(ERRORS[error]):
        await subscriber.run()
    await subscriber.close()


async def test_replies_before_an_error_reach_their_commands(connection: Connection) -> None:
    commands = RedisCommands(connection)
    pending = [asyncio.create_task(commands.execute("PUBLISH", "a", "message")) for _ in range(3)]
    await asyncio.sleep(0)
    commands.data_received(b":1\r\n:1\r\n?nonsense\r\n")
    first, second, third = await asyncio.gather(*pending, return_exceptions=True)
    assert (first, second) == (1, 1)
    assert isinstance(third, InvalidResponse)
    await commands.close()


async def test_the_error_of_a_lost_connection_has_the_traceback_of_one_caller(connection: Connection) -> None:
    commands = RedisCommands(connection)
    pending = [asyncio.create_task(commands.execute("PUBLISH", "a", "message")) for _ in range(100)]
    await asyncio.sleep(0)
    await commands.close()
    errors = await asyncio.gather(*pending, return_exceptions=True)
    assert all(isinstance(error, ConnectionResetError) for error in errors)
    error = errors[-1]
    assert isinstance(error, BaseException)
    assert len(traceback.extract_tb(error.__traceback__)) < 10
