"""Connections to Redis that many use at once: one on which it tells what is published, one on which it is asked.

redis-py connects and signs in. From then on the replies of one reading are taken from the socket together and passed on
at once: redis-py's own way, in which a connection is for one question and its answer at a time, takes several times as
long.
"""

import asyncio
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable

import hiredis
from redis._parsers.base import BaseParser
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import InvalidResponse

QUIET_S = 2.5  # after so long without a word Redis is asked for one, and after as long again given up


class RedisConnection(asyncio.Protocol, ABC):
    """One connection, from when it was made to when it is lost."""

    def __init__(self, connection: AbstractConnection) -> None:
        self._connection = connection
        self._transport: asyncio.Transport = connection._writer.transport  # type: ignore[union-attr,assignment]  # noqa: SLF001
        self._reader = hiredis.Reader(protocolError=InvalidResponse, replyError=BaseParser.parse_error)
        self._loop = asyncio.get_running_loop()
        self._heard_at = self._loop.time()
        self._lost = asyncio.Event()
        self._why: Exception = ConnectionResetError("Connection closed by server.")
        self._transport.set_protocol(self)

    @property
    def is_lost(self) -> bool:
        """Whether nothing more will be heard."""
        return self._lost.is_set() or self._transport.is_closing()

    async def close(self) -> None:
        """Let go of the connection and of all who wait for it."""
        self.lose(self._why)
        self._transport.abort()
        await self._connection.disconnect(nowait=True)

    def command(self, *words: str | bytes) -> None:
        """Send a command, unless the connection is lost, of which those who wait are told: uvloop would raise."""
        if not self._transport.is_closing():
            self._transport.writelines(self._connection.pack_command(*words))

    @abstractmethod
    def take(self, replies: list[object]) -> None:
        """Take what came together; what this raises is why the connection is lost."""

    def lose(self, why: Exception) -> None:
        """Note that it is over, and why if that is not known."""
        if not self._lost.is_set():
            self._why = why
            self._lost.set()

    def data_received(self, data: bytes) -> None:
        """Take in what Redis says."""
        self._heard_at = self._loop.time()
        try:
            self._reader.feed(data)
            replies: list[object] = []
            try:
                while (reply := self._reader.gets()) is not False:
                    replies.append(reply)
            finally:
                self.take(replies)  # what came before a fault too
        except Exception as fault:  # noqa: BLE001  # whoever waits is told
            self.lose(fault)

    def connection_lost(self, exc: Exception | None) -> None:
        """Note that it is over."""
        self.lose(exc or self._why)


class RedisSubscriber(RedisConnection):
    """A connection that is told of messages; `run` must be running.

    Redis answers in order, so the PING of `run` is answered after everything that was subscribed before it.
    """

    def __init__(
        self,
        connection: AbstractConnection,
        *,
        on_messages: Callable[[list[list[bytes]]], None],
        on_answer: Callable[[], None],
    ) -> None:
        self._on_messages = on_messages
        self._on_answer = on_answer
        self._unconfirmed: deque[asyncio.Event] = deque()
        self._asked_at = 0.0
        self._patience: asyncio.TimerHandle | None = None
        super().__init__(connection)

    def subscribe(self, channel: bytes) -> asyncio.Event:
        """Return an event that is set when Redis has confirmed the subscription, or the connection is lost."""
        confirmed = asyncio.Event()
        self._unconfirmed.append(confirmed)
        self.command("SUBSCRIBE", channel)
        return confirmed

    def unsubscribe(self, channel: bytes) -> None:
        """Let Redis send no more of the channel's messages."""
        self.command("UNSUBSCRIBE", channel)

    async def run(self) -> None:
        """Return never; raise why the connection was lost once it is."""
        self._ask()
        await self._lost.wait()
        raise self._why

    async def close(self) -> None:
        """Let go of the connection and of all who wait for it."""
        if self._patience is not None:
            self._patience.cancel()
        for confirmed in self._unconfirmed:
            confirmed.set()
        await super().close()

    def take(self, replies: list[object]) -> None:
        """Pass messages on, and note answers."""
        messages = []
        try:
            for reply in replies:
                if isinstance(reply, list) and reply[0] == b"message":  # by far the most of them
                    messages.append(reply[1:])
                else:
                    self._take_answer(reply)
        finally:
            if messages:
                self._on_messages(messages)

    def _take_answer(self, reply: object) -> None:
        match reply:
            case [b"subscribe", *_]:
                self._unconfirmed.popleft().set()
            case b"PONG" | [b"pong", *_]:
                self._on_answer()
            case Exception():
                raise reply

    def _ask(self) -> None:
        """Ask for a sign of life, and look again whether there was one."""
        self.command("PING")
        self._asked_at = self._loop.time()
        self._patience = self._loop.call_at(self._asked_at + QUIET_S, self._look)

    def _look(self) -> None:
        if self._heard_at < self._asked_at:
            self.lose(TimeoutError())
        elif self._heard_at + QUIET_S > self._loop.time():
            self._patience = self._loop.call_at(self._heard_at + QUIET_S, self._look)
        else:
            self._ask()


class RedisCommands(RedisConnection):
    """A connection for any number of questions at once, which Redis answers in their order."""

    def __init__(self, connection: AbstractConnection) -> None:
        self._unanswered: deque[asyncio.Future[None]] = deque()
        super().__init__(connection)

    @property
    def is_idle(self) -> bool:
        """Whether no answer is awaited."""
        return not self._unanswered

    async def ask(self, *words: str | bytes) -> None:
        """Return once Redis has answered. Raises what it answers with, or why the connection was lost meanwhile."""
        if self.is_lost:
            raise self._why
        answered: asyncio.Future[None] = self._loop.create_future()
        self._unanswered.append(answered)
        self.command(*words)
        await answered

    def take(self, replies: list[object]) -> None:
        """Give each answer to who asked first, unless they have given up."""
        for reply in replies:
            answered = self._unanswered.popleft()
            if answered.done():
                continue
            if isinstance(reply, Exception):
                answered.set_exception(reply)
            else:
                answered.set_result(None)

    def lose(self, why: Exception) -> None:
        """Tell all who wait for an answer."""
        super().lose(why)
        while self._unanswered:
            answered = self._unanswered.popleft()
            if not answered.done():
                answered.set_exception(self._why)
