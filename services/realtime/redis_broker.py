"""Redis as a backend of broadcaster.

One connection receives messages for all channels; a second one publishes. The receiving connection is pinged when it is
idle. When it is lost, it is opened again, with backoff, and subscribed to all channels that have a listener; only then
is `reconnected` set. Redis keeps no messages for disconnected subscribers, so `reconnected` means that messages may
have been lost. The publishing connection is opened when it is needed, and kept while Redis replies on it.

Each command is sent once: redis-py's own retries are off, and every wait here has a timeout.

A server that becomes a replica keeps its connections and accepts messages, but no longer forwards them to all
subscribers. Its role is therefore checked at intervals, and both connections are opened again if it has changed: the
address then leads to the new primary.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from functools import lru_cache, partial

from broadcaster import BroadcastBackend, Event
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import RedisError

from services.background.backoff import backoff_s
from services.background.timeouts import CallTimeouts
from services.errors import PubSubUnavailable
from services.realtime.listeners import ListenerRegistry
from services.realtime.redis_connection import RedisCommands, RedisSubscriber, pack
from services.realtime.redis_errors import CONNECTION_ERRORS, REJECTIONS, NotPrimary, failure_reason
from services.realtime.redis_role import check_role
from services.realtime.redis_url import TIMEOUT_S, parse_redis_url

MAX_BACKOFF_S = 3.0
ROLE_INTERVAL_S = 2.5  # between two checks whether the server is still the primary

log = logging.getLogger(__name__)


class RedisBroker(BroadcastBackend):
    """A backend for `Broadcast` that reconnects.

    Received messages are passed to `listeners` directly, those of one socket read together. Subscribing works while
    Redis is unavailable: the channel is subscribed on reconnection. A channel's name in Redis is
    `rendercast:<db>:<channel>`: pub/sub in Redis ignores databases, so the prefix separates deployments that share a
    Redis under different database numbers.
    """

    def __init__(self, url: str) -> None:
        """Parse the URL without connecting. Raises `StartupError` if the URL can't be used."""
        self._address = parse_redis_url(url)
        self.listeners = ListenerRegistry()
        self._subscriber: RedisSubscriber | None = None
        self._subscribed: dict[str, asyncio.Event] = {}  # by channel: set when the subscription is confirmed
        self._commands: RedisCommands | None = None
        self._commands_lock = asyncio.Lock()
        self._timeouts = CallTimeouts(TIMEOUT_S)
        self._is_up = False
        self._failures = 0
        self._tasks: list[asyncio.Task[None]] = []
        self.reconnected = asyncio.Event()

    async def connect(self) -> None:
        """Connect and start receiving. Raises `PubSubUnavailable` if Redis can't be reached."""
        subscriber = self._start_subscriber(await self._connect())
        self._is_up = True
        self._tasks = [
            asyncio.create_task(self._keep_subscribed(subscriber), name="receive from Redis"),
            asyncio.create_task(self._watch_role(), name="check the role of Redis"),
        ]

    async def disconnect(self) -> None:
        """Close all connections."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._subscriber is not None:  # its task was cancelled before it ran
            await self._subscriber.close()
        await self._close_commands()

    async def subscribe(self, group: str) -> None:
        """Request the channel's messages without waiting; `wait_until_subscribed` waits."""
        if self._subscriber:
            self._subscribed[group] = self._subscriber.subscribe(self._redis_channel(group))
        else:
            self._subscribed[group] = confirmed = asyncio.Event()
            confirmed.set()

    async def unsubscribe(self, group: str) -> None:
        """Stop receiving the channel's messages, without waiting."""
        del self._subscribed[group]
        if self._subscriber:
            self._subscriber.unsubscribe(self._redis_channel(group))

    async def wait_until_subscribed(self, channel: str) -> None:
        """Wait until Redis has confirmed the subscription or the connection is lost.

        Takes at most twice `KEEPALIVE_S`: then a connection without replies is marked as lost. After a loss,
        `reconnected` is set when the subscription is active.
        """
        await self._subscribed[channel].wait()

    async def publish(self, channel: str, message: str) -> None:
        """Publish once. Raises `PubSubUnavailable` within `TIMEOUT_S`; the message may be published even then."""
        redis_channel, content = self._redis_channel(channel), _encode(message)
        await self._call(lambda commands: commands.execute("PUBLISH", redis_channel, content))

    async def publish_to_one(
        self, channels: Sequence[str], message: str, *, before: Sequence[tuple[str, str]] = ()
    ) -> None:
        """Publish the messages `before`, then `message` on one of the channels to which a process subscribes, once.

        Raises `PubSubUnavailable` within `TIMEOUT_S`; messages may be published even then. One that Redis rejects does
        not keep the others from being published. In a cluster, only the subscribers at the same node count.
        """
        packed = [pack("PUBLISH", self._redis_channel(channel), _encode(earlier)) for channel, earlier in before]
        packed.append(_subscribers_command(self._address.prefix, tuple(channels)))

        async def send(commands: RedisCommands) -> None:
            replies = await commands.execute_all(packed)
            numbers = replies[-1][1::2] if isinstance(replies[-1], list) else ()  # in the order of the names
            listened = [channel for channel, number in zip(channels, numbers, strict=False) if number]
            if listened:
                channel = random.choice(listened)  # noqa: S311
                await commands.execute("PUBLISH", self._redis_channel(channel), _encode(message))
            for reply in replies:
                if isinstance(reply, Exception):
                    raise reply.with_traceback(None)

        await self._call(send)

    async def check(self) -> None:
        """Return if Redis replies, is the primary, and we are subscribed.

        Raises `PubSubUnavailable` within `TIMEOUT_S` if not.
        """
        if not self._is_up:
            raise PubSubUnavailable(f"Redis at {self._address.display_name} is unavailable.")
        await self._call(lambda commands: check_role(commands.execute))

    async def next_published(self) -> Event:
        """Never return: messages go to `listeners` directly."""
        while True:
            await asyncio.Event().wait()

    def handle_messages(self, messages: list[list[bytes]]) -> None:
        """Decode messages of one socket read and dispatch them together."""
        start = len(self._address.prefix)
        self.listeners.dispatch([(_decode(channel[start:]), _decode(message)) for channel, message in messages])

    def handle_pong(self) -> None:
        """Set `reconnected` if this is the first reply after a reconnection."""
        if not self._is_up:
            log.info("Redis at %s is available again", self._address.display_name)
            self._is_up = True
            self._failures = 0
            self.reconnected.set()

    async def _watch_role(self) -> None:
        """Check the server's role at intervals while it is available, until cancelled."""
        while True:
            await asyncio.sleep(ROLE_INTERVAL_S)
            if self._is_up:
                with suppress(PubSubUnavailable):  # logged if the connection is lost
                    await self.check()

    async def _call(self, call: Callable[[RedisCommands], Awaitable[object]]) -> None:
        """Run a call on the publishing connection. Raises `PubSubUnavailable` within `TIMEOUT_S`."""
        commands = None

        async def run() -> None:
            nonlocal commands
            commands = await self._open_commands()
            await call(commands)

        try:
            await self._timeouts.run(run())
        except TimeoutError as error:
            if commands is self._commands:
                await self._close_commands()  # on this connection the next command would time out as well
            raise self._unavailable(error) from error
        except NotPrimary as error:
            await self._leave(error)
            raise self._unavailable(error) from error
        except PubSubUnavailable as error:  # from connecting
            if isinstance(error.__cause__, NotPrimary):
                await self._leave(error.__cause__)
            raise
        except CONNECTION_ERRORS as error:
            raise self._unavailable(error) from error

    async def _leave(self, error: NotPrimary) -> None:
        """Give up both connections, so that the address is looked up again."""
        await self._close_commands()
        if self._subscriber:
            self._subscriber.mark_lost(error)

    async def _open_commands(self) -> RedisCommands:
        async with self._commands_lock:
            if self._commands is None or self._commands.is_lost:
                await self._close_commands()
                self._commands = RedisCommands(await self._connect())
            return self._commands

    async def _close_commands(self) -> None:
        commands, self._commands = self._commands, None
        if commands is not None:
            with suppress(RedisError, OSError):
                await commands.close()

    async def _connect(self) -> AbstractConnection:
        connection = self._address.new_connection()
        try:
            async with asyncio.timeout(TIMEOUT_S):
                await connection.connect()  # type: ignore[no-untyped-call]
                await check_role(partial(_execute, connection))
        except BaseException as error:
            await connection.disconnect(nowait=True)
            if isinstance(error, CONNECTION_ERRORS):
                raise self._unavailable(error) from error
            raise
        return connection

    def _start_subscriber(self, connection: AbstractConnection) -> RedisSubscriber:
        subscriber = self._subscriber = RedisSubscriber(connection, handler=self)
        self._subscribed = {channel: subscriber.subscribe(self._redis_channel(channel)) for channel in self._subscribed}
        return subscriber

    async def _keep_subscribed(self, subscriber: RedisSubscriber) -> None:
        """Run the subscriber and replace it whenever it is lost, until cancelled."""
        while True:
            why = await self._run_until_lost(subscriber)
            if self._is_up:
                log.warning("Redis at %s is unavailable: %s", self._address.display_name, why)
            self._is_up = False
            if self._commands is not None and self._commands.is_idle:  # most likely lost as well
                await self._close_commands()
            subscriber = self._start_subscriber(await self._reconnect(why))

    async def _run_until_lost(self, subscriber: RedisSubscriber) -> str:
        """Return why the connection was lost."""
        why = ""
        try:
            await subscriber.run()
        except CONNECTION_ERRORS as error:
            why = failure_reason(error)
        except Exception as error:
            log.exception("the connection to Redis failed unexpectedly")
            why = type(error).__name__
        finally:
            self._subscriber = None
            await subscriber.close()
        return why

    async def _reconnect(self, why: str) -> AbstractConnection:
        """Connect again, with backoff. A rejection is logged once, unless it was the reason of the loss."""
        while True:
            self._failures += 1
            await asyncio.sleep(backoff_s(self._failures, base_s=0.2, max_s=MAX_BACKOFF_S))
            try:
                return await self._connect()
            except PubSubUnavailable as error:
                rejection = failure_reason(error.__cause__) if isinstance(error.__cause__, REJECTIONS) else why
                log.log(logging.WARNING if rejection != why else logging.DEBUG, "%s", error)
                why = rejection
            except Exception:
                log.exception("Redis at %s can't be reached", self._address.display_name)

    def _redis_channel(self, channel: str) -> bytes:
        return self._address.prefix + _encode(channel)

    def _unavailable(self, error: BaseException) -> PubSubUnavailable:
        return PubSubUnavailable(f"Redis at {self._address.display_name} can't be reached: {failure_reason(error)}.")


async def _execute(connection: AbstractConnection, *words: str | bytes) -> object:
    """Send a command on a connection that is not shared yet, and return the reply. Raises an error reply."""
    await connection.send_command(*words, check_health=False)
    reply: object = await connection.read_response()
    return reply


@lru_cache(1)
def _subscribers_command(prefix: bytes, channels: tuple[str, ...]) -> bytes:
    """Return the command that counts the channels' subscribers. Making it for 64 channels takes 40 µs."""
    return pack("PUBSUB", "NUMSUB", *(prefix + _encode(channel) for channel in channels))


def _encode(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _decode(text: bytes) -> str:
    try:
        return text.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return text.decode("utf-8", "replace")
