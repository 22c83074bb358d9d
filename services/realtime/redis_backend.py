"""Redis as the broker that broadcaster carries messages through.

One connection listens, however many channels there are, and one other publishes. The listening connection is asked
for a sign of life when it is quiet; once it is lost it is made anew, again and again, subscribed to everything that is
wanted by then, and only then `resumed` is set. Pub/sub in Redis keeps nothing for those who are away, so `resumed`
says: messages may have been missed. The other is made when something is to be published, and kept while it answers.

Each command is sent once: redis-py's own retries are off, and every wait here has an end.
"""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress

from broadcaster._backends.base import BroadcastBackend
from broadcaster._base import Event
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import RedisError

from services.backoff import backoff_s
from services.errors import PubSubUnavailable
from services.realtime.redis_connection import RedisCommands, RedisSubscriber
from services.realtime.redis_url import FAULTS, LIMIT_S, read_url, reason

MAX_BACKOFF_S = 3.0

log = logging.getLogger(__name__)


class RedisBroadcast(BroadcastBackend):
    """A backend for `Broadcast` that outlives its connections.

    What is published is passed to `on_messages` at once, together if it came together: channels and messages.
    Subscribing works while Redis is away: the channel is then subscribed when it is back. Channels are called
    `rendercast:<db>:<channel>` in Redis, whose pub/sub doesn't know databases, so that deployments which share a Redis
    under different database numbers hear only themselves.
    """

    def __init__(self, url: str) -> None:
        """Read the URL and connect nothing yet. Raises `StartupError` if the URL can't be used."""
        self._broker = read_url(url)
        self._begun: dict[str, asyncio.Event] = {}
        self._line: RedisSubscriber | None = None
        self._asker: RedisCommands | None = None
        self._dialling = asyncio.Lock()
        self.on_messages: Callable[[list[tuple[str, str]]], None] = _nobody
        self._is_up = False
        self._failures = 0
        self._listener: asyncio.Task[None] | None = None
        self.resumed = asyncio.Event()

    async def connect(self) -> None:
        """Begin to listen. Raises `PubSubUnavailable` if Redis doesn't let us now."""
        line = self._open_line(await self._dial())
        self._is_up = True
        self._listener = asyncio.create_task(self._keep_listening(line), name="listen to Redis")

    async def disconnect(self) -> None:
        """Close all connections."""
        if self._listener is not None:
            self._listener.cancel()
            await asyncio.gather(self._listener, return_exceptions=True)
        await self._hang_up()

    async def subscribe(self, group: str) -> None:
        """Want the channel's messages from now on. Waits for nothing: `begin` does."""
        self._begun[group] = self._line.subscribe(self._in_redis(group)) if self._line else _over()

    async def unsubscribe(self, group: str) -> None:
        """Want no more of the channel's messages. Waits for nothing."""
        del self._begun[group]
        if self._line:
            self._line.unsubscribe(self._in_redis(group))

    async def begin(self, channel: str) -> None:
        """Wait until Redis has confirmed the subscription, or is away: then `resumed` will be set after it has.

        Takes at most twice `QUIET_S`, since a connection without any answer is lost after that.
        """
        await self._begun[channel].wait()

    async def publish(self, channel: str, message: str) -> None:
        """Publish once. Raises `PubSubUnavailable` within `LIMIT_S` if that failed; it may have been published."""
        await self._ask("PUBLISH", self._in_redis(channel), _encode(message))

    async def check(self) -> None:
        """Return if Redis answers and we listen. Raises `PubSubUnavailable` within `LIMIT_S` if not."""
        if not self._is_up:
            raise PubSubUnavailable(f"Redis at {self._broker.name} is away.")
        await self._ask("PING")

    async def next_published(self) -> Event:
        """Never return: nobody has to ask for what is passed on."""
        while True:
            await asyncio.Event().wait()

    async def _ask(self, *command: str | bytes) -> None:
        asker = None
        try:
            async with asyncio.timeout(LIMIT_S):
                asker = await self._connected_asker()
                await asker.ask(*command)
        except TimeoutError as error:
            if asker is self._asker:
                await self._hang_up()  # whoever comes next would have to wait as well
            raise self._unavailable(error) from error
        except FAULTS as error:
            raise self._unavailable(error) from error

    async def _connected_asker(self) -> RedisCommands:
        async with self._dialling:
            if self._asker is None or self._asker.is_lost:
                await self._hang_up()
                self._asker = RedisCommands(await self._dial())
            return self._asker

    async def _hang_up(self) -> None:
        asker, self._asker = self._asker, None
        if asker is not None:
            with suppress(RedisError, OSError):
                await asker.close()

    async def _dial(self) -> AbstractConnection:
        connection = self._broker.new_connection()
        try:
            async with asyncio.timeout(LIMIT_S):
                await connection.connect()  # type: ignore[no-untyped-call]
                await connection.send_command("PING", check_health=False)
                await connection.read_response()
        except BaseException as error:
            await connection.disconnect(nowait=True)
            if isinstance(error, FAULTS):
                raise self._unavailable(error) from error
            raise
        return connection

    def _open_line(self, connection: AbstractConnection) -> RedisSubscriber:
        line = self._line = RedisSubscriber(connection, on_messages=self._pass_on, on_answer=self._on_answer)
        self._begun = {channel: line.subscribe(self._in_redis(channel)) for channel in self._begun}
        return line

    async def _keep_listening(self, line: RedisSubscriber) -> None:
        while True:
            why = await self._listen_until_lost(line)
            if self._is_up:
                log.warning("Redis at %s is away: %s", self._broker.name, why)
            self._is_up = False
            if self._asker is not None and self._asker.is_idle:  # most likely it is lost as well
                await self._hang_up()
            line = self._open_line(await self._dial_until_connected())

    async def _listen_until_lost(self, line: RedisSubscriber) -> str:
        why = ""
        try:
            await line.run()
        except FAULTS as lost:
            why = reason(lost)
        except Exception as lost:
            log.exception("the connection to Redis was given up")
            why = type(lost).__name__
        finally:
            self._line = None
            await line.close()
        return why

    async def _dial_until_connected(self) -> AbstractConnection:
        while True:
            self._failures += 1
            await asyncio.sleep(backoff_s(self._failures, first_s=0.2, longest_s=MAX_BACKOFF_S))
            try:
                return await self._dial()
            except PubSubUnavailable as error:
                log.debug("%s", error)
            except Exception:
                log.exception("Redis at %s can't be reached", self._broker.name)

    def _pass_on(self, messages: list[list[bytes]]) -> None:
        begin = len(self._broker.prefix)
        self.on_messages([(_decode(channel[begin:]), _decode(message)) for channel, message in messages])

    def _on_answer(self) -> None:
        if not self._is_up:
            log.info("Redis at %s is back", self._broker.name)
            self._is_up = True
            self._failures = 0
            self.resumed.set()

    def _in_redis(self, channel: str) -> bytes:
        return self._broker.prefix + _encode(channel)

    def _unavailable(self, error: BaseException) -> PubSubUnavailable:
        return PubSubUnavailable(f"Redis at {self._broker.name} can't be reached: {reason(error)}.")


def _nobody(messages: list[tuple[str, str]]) -> None:
    del messages


def _over() -> asyncio.Event:
    event = asyncio.Event()
    event.set()
    return event


def _encode(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _decode(text: bytes) -> str:
    try:
        return text.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return text.decode("utf-8", "replace")
