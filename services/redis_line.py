"""The connection on which Redis tells what is published.

redis-py connects and signs in. From then on the messages of one reading are taken from its socket together and
passed on at once: redis-py's own way, a task that asks for one reply after the other, takes several times as long.
"""

import asyncio
from collections import deque
from collections.abc import Callable

import hiredis
from redis._parsers.base import BaseParser
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import InvalidResponse

QUIET_S = 2.5  # after so long without a word Redis is asked for one, and after as long again given up


class Line(asyncio.Protocol):
    """One connection that listens, from when it was made to when it is lost; `run` must be running.

    Redis answers in order, so the PING of `begin` is answered after everything that was subscribed before it.
    """

    def __init__(
        self,
        connection: AbstractConnection,
        *,
        on_message: Callable[[bytes, bytes], None],
        on_answer: Callable[[], None],
    ) -> None:
        self._connection = connection
        self._transport: asyncio.Transport = connection._writer.transport  # type: ignore[union-attr,assignment]  # noqa: SLF001
        self._on_message = on_message
        self._on_answer = on_answer
        self._unconfirmed: deque[asyncio.Event] = deque()
        self._replies = hiredis.Reader(protocolError=InvalidResponse, replyError=BaseParser.parse_error)
        self._loop = asyncio.get_running_loop()
        self._lost = asyncio.Event()
        self._why: Exception = ConnectionResetError("Connection closed by server.")
        self._heard_at = self._asked_at = self._loop.time()
        self._patience: asyncio.TimerHandle | None = None
        self._transport.set_protocol(self)

    def subscribe(self, channel: bytes) -> asyncio.Event:
        """Return an event that is set when Redis has confirmed the subscription, or the connection is lost."""
        confirmed = asyncio.Event()
        self._unconfirmed.append(confirmed)
        self._command("SUBSCRIBE", channel)
        return confirmed

    def unsubscribe(self, channel: bytes) -> None:
        """Let Redis send no more of the channel's messages."""
        self._command("UNSUBSCRIBE", channel)

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
        self._transport.abort()
        await self._connection.disconnect(nowait=True)

    def data_received(self, data: bytes) -> None:
        """Take in what Redis says."""
        self._heard_at = self._loop.time()
        try:
            self._replies.feed(data)
            while (reply := self._replies.gets()) is not False:
                self._take(reply)
        except Exception as fault:  # noqa: BLE001  # raised by `run`
            self._lose(fault)

    def connection_lost(self, exc: Exception | None) -> None:
        """Note that it is over."""
        self._lose(exc or self._why)

    def _take(self, reply: object) -> None:
        if isinstance(reply, list) and reply[0] == b"message":  # by far the most of them
            self._on_message(*reply[1:])
            return
        match reply:
            case [b"subscribe", *_]:
                self._unconfirmed.popleft().set()
            case b"PONG" | [b"pong", *_]:
                self._on_answer()
            case Exception():
                raise reply

    def _lose(self, why: Exception) -> None:
        if not self._lost.is_set():
            self._why = why
            self._lost.set()

    def _ask(self) -> None:
        """Ask for a sign of life, and look again whether there was one."""
        self._command("PING")
        self._asked_at = self._loop.time()
        self._patience = self._loop.call_at(self._asked_at + QUIET_S, self._look)

    def _look(self) -> None:
        if self._heard_at < self._asked_at:
            self._lose(TimeoutError())
        elif self._heard_at + QUIET_S > self._loop.time():
            self._patience = self._loop.call_at(self._heard_at + QUIET_S, self._look)
        else:
            self._ask()

    def _command(self, *words: str | bytes) -> None:
        """Tell Redis something, unless the connection is lost and `run` is about to say so: uvloop raises then."""
        if not self._transport.is_closing():
            self._transport.writelines(self._connection.pack_command(*words))
