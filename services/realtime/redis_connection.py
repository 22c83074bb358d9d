"""Connections to Redis that are shared by many callers: one receives published messages, one sends commands.

redis-py connects and authenticates. Then the classes here take over the transport, parse all replies of one socket read
and handle them together. redis-py itself, which handles one command and its reply at a time, takes several times as
long.

Written for redis-py 8.1. It uses the private names `AbstractConnection._writer` and `redis._parsers.base.BaseParser`,
which no other module here uses; `tests/services/realtime/test_private_names.py` checks both.
"""

import asyncio
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Awaitable, Iterable, Sequence
from typing import Protocol

import hiredis
from redis._parsers.base import BaseParser
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import InvalidResponse

KEEPALIVE_S = 2.5  # after this time without data, PING is sent; after the same time again, the connection is lost


def pack(*words: str | bytes) -> bytes:
    """Return a command as it is sent."""
    packed: bytes = hiredis.pack_command(words)  # type: ignore[arg-type]
    return packed


class RedisConnection(asyncio.Protocol, ABC):
    """An established connection, until it is lost."""

    def __init__(self, connection: AbstractConnection) -> None:
        self._connection = connection
        self._transport: asyncio.Transport = connection._writer.transport  # type: ignore[union-attr,assignment]  # noqa: SLF001
        self._reader = hiredis.Reader(protocolError=InvalidResponse, replyError=BaseParser.parse_error)
        self._loop = asyncio.get_running_loop()
        self._received_at = self._loop.time()
        self._lost = asyncio.Event()
        self._error: Exception = ConnectionResetError("Connection closed by server.")
        self._transport.set_protocol(self)

    @property
    def is_lost(self) -> bool:
        """Whether nothing more will be received."""
        return self._lost.is_set() or self._transport.is_closing()

    async def close(self) -> None:
        """Close the connection, and end all calls that wait for it."""
        self.mark_lost(self._error)
        self._transport.abort()
        await self._connection.disconnect(nowait=True)

    def send_commands(self, commands: Iterable[bytes]) -> None:
        """Send packed commands. Do nothing if the connection is lost: callers get its error, and uvloop would raise."""
        if not self._transport.is_closing():
            self._transport.writelines(commands)

    @abstractmethod
    def handle_replies(self, replies: list[object]) -> None:
        """Handle the replies of one read, in order. An exception that it raises becomes the connection's error."""

    def mark_lost(self, error: Exception) -> None:
        """Mark the connection as lost; the first error is kept."""
        if not self._lost.is_set():
            self._error = error
            self._lost.set()

    def data_received(self, data: bytes) -> None:
        """Parse the data of one read, and handle all replies in it together."""
        self._received_at = self._loop.time()
        try:
            self._reader.feed(data)
            replies: list[object] = []
            try:
                while (reply := self._reader.gets()) is not False:
                    replies.append(reply)
            finally:
                self.handle_replies(replies)  # also those before a malformed one
        except Exception as error:  # noqa: BLE001  # raised to the callers that wait for the connection
            self.mark_lost(error)

    def connection_lost(self, exc: Exception | None) -> None:
        """Mark the connection as lost."""
        self.mark_lost(exc or self._error)


class SubscriptionHandler(Protocol):
    """Receives what Redis sends on a `RedisSubscriber`. Its methods run inside `data_received` and must not block."""

    def handle_messages(self, messages: list[list[bytes]], /) -> None:
        """Handle messages of one read, oldest first, each as `[channel, message]`. An exception ends the connection."""
        ...

    def handle_pong(self) -> None:
        """Handle the reply to a PING: all subscriptions requested before the PING are active."""
        ...


class RedisSubscriber(RedisConnection):
    """A connection that receives published messages. `run` must be running.

    Redis replies in order, so the reply to the PING of `run` follows those to all earlier SUBSCRIBE commands.
    """

    def __init__(self, connection: AbstractConnection, handler: SubscriptionHandler) -> None:
        self._handler = handler
        self._unconfirmed: deque[asyncio.Event] = deque()  # one for each channel
        self._requested: list[bytes] = []  # channels of the SUBSCRIBE command that will be sent next
        self._confirmed: asyncio.Event | None = None  # of that command
        self._pinged_at = 0.0
        self._keepalive_timer: asyncio.TimerHandle | None = None
        super().__init__(connection)

    def subscribe(self, channel: bytes) -> asyncio.Event:
        """Return an event that is set when Redis has confirmed the subscription, or the connection is closed.

        One command subscribes to all channels that are requested in one iteration of the event loop.
        """
        if self._confirmed is None:
            self._confirmed = asyncio.Event()
            self._loop.call_soon(self._send_requested)
        self._requested.append(channel)
        self._unconfirmed.append(self._confirmed)
        return self._confirmed

    def unsubscribe(self, channel: bytes) -> None:
        """Stop receiving the channel's messages."""
        self._send_requested()
        self.send_commands([pack("UNSUBSCRIBE", channel)])

    async def run(self) -> None:
        """Keep the connection alive until it is lost, then raise its error. Never returns."""
        self._send_ping()
        await self._lost.wait()
        raise self._error

    async def close(self) -> None:
        """Close the connection, and set the events of unconfirmed subscriptions."""
        if self._keepalive_timer is not None:
            self._keepalive_timer.cancel()
        for confirmed in self._unconfirmed:
            confirmed.set()
        await super().close()

    def handle_replies(self, replies: list[object]) -> None:
        """Pass all messages to the handler in one call, and handle the replies to this connection's commands."""
        messages = []
        try:
            for reply in replies:
                if isinstance(reply, list) and reply[0] == b"message":  # by far the most frequent
                    messages.append(reply[1:])
                else:
                    self._handle_command_reply(reply)
        finally:
            if messages:
                self._handler.handle_messages(messages)

    def _handle_command_reply(self, reply: object) -> None:
        match reply:
            case [b"subscribe", *_]:
                confirmed = self._unconfirmed.popleft()
                if not self._unconfirmed or self._unconfirmed[0] is not confirmed:  # the last channel of its command
                    confirmed.set()
            case b"PONG" | [b"pong", *_]:
                self._handler.handle_pong()
            case Exception():
                raise reply

    def _send_requested(self) -> None:
        requested, self._requested = self._requested, []
        self._confirmed = None
        if requested:
            self.send_commands([pack("SUBSCRIBE", *requested)])

    def _send_ping(self) -> None:
        self._send_requested()
        self.send_commands([pack("PING")])
        self._pinged_at = self._loop.time()
        self._keepalive_timer = self._loop.call_at(self._pinged_at + KEEPALIVE_S, self._check_keepalive)

    def _check_keepalive(self) -> None:
        """Mark the connection as lost if it received nothing since the PING; send another PING if it is idle again."""
        if self._received_at < self._pinged_at:
            self.mark_lost(TimeoutError())
        elif self._received_at + KEEPALIVE_S > self._loop.time():
            self._keepalive_timer = self._loop.call_at(self._received_at + KEEPALIVE_S, self._check_keepalive)
        else:
            self._send_ping()


class RedisCommands(RedisConnection):
    """A connection for any number of concurrent commands; Redis replies in their order."""

    def __init__(self, connection: AbstractConnection) -> None:
        self._pending: deque[_Batch] = deque()
        self._unsent: list[bytes] = []
        super().__init__(connection)

    @property
    def is_idle(self) -> bool:
        """Whether no reply is pending."""
        return not self._pending

    async def execute(self, *words: str | bytes) -> object:
        """Send a command and return its reply. Raises an error reply, or the error of a lost connection."""
        [reply] = await self.execute_all([pack(*words)])
        if isinstance(reply, Exception):
            raise reply.with_traceback(None)  # that of a lost connection is raised to all callers
        return reply

    def execute_all(self, commands: Sequence[bytes]) -> Awaitable[list[object]]:
        """Send one or more packed commands; return an awaitable of their replies in order, among them errors.

        Raises the error of a lost connection. If it is lost later, the error takes the place of the missing replies.
        All commands of one iteration of the event loop are sent in one write, which takes most of a command's time.
        """
        if self.is_lost:
            raise self._error
        batch = _Batch(self._loop.create_future(), len(commands))
        self._pending.append(batch)
        if not self._unsent:
            self._loop.call_soon(self._send_unsent)
        self._unsent += commands
        return batch.replied

    def _send_unsent(self) -> None:
        unsent, self._unsent = self._unsent, []
        self.send_commands(unsent)

    def handle_replies(self, replies: list[object]) -> None:
        """Add each reply to the oldest pending batch; replies to cancelled callers are dropped."""
        for reply in replies:
            if self._pending[0].add(reply):
                self._pending.popleft()

    def mark_lost(self, error: Exception) -> None:
        """Mark the connection as lost, and end all pending batches with its error."""
        super().mark_lost(error)
        while self._pending:
            batch = self._pending.popleft()
            while not batch.add(self._error):
                pass


class _Batch:
    """Commands that are sent together, and their replies."""

    __slots__ = ("_missing", "_replies", "replied")

    def __init__(self, replied: asyncio.Future[list[object]], size: int) -> None:
        self.replied = replied
        self._replies: list[object] = []
        self._missing = size

    def add(self, reply: object) -> bool:
        """Add the next reply. Returns whether it is the last; then the caller gets all of them."""
        self._replies.append(reply)
        self._missing -= 1
        if self._missing:
            return False
        if not self.replied.done():
            self.replied.set_result(self._replies)
        return True
