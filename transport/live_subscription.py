"""A subscription that needs no task while its states are pushed, which is nearly always.

A task of some KiB per idle subscription would be most of its memory. Here a task is started for each event that can't
be pushed, such as a result for a client that reads slowly.
"""

import asyncio
from contextlib import suppress
from contextvars import copy_context

from graphql import GraphQLError

from resolvers.compiled_subscriptions import CompiledSubscription
from resolvers.errors import mask_error
from services.realtime.subscribers import Subscriber
from transport.results import CLIENT_DISCONNECTED, ResultSender, encode_message


class LiveSubscription:
    """Sends the events of a subscription after `start`, until the last one or `close`. Exceptions are logged."""

    __slots__ = ("_compiled", "_context", "_ended", "_max_bytes", "_sender", "_subscriber", "_task")

    def __init__(self, compiled: CompiledSubscription, sender: ResultSender, *, max_bytes: int) -> None:
        self._compiled = compiled
        self._sender = sender
        self._max_bytes = max_bytes
        self._context = copy_context()  # for the log
        self._subscriber: Subscriber
        self._task: asyncio.Task[None] | None = None
        self._ended: asyncio.Future[None] | None = None

    async def start(self) -> bool:
        """Subscribe, and return True; if that fails, send the error and return False."""
        try:
            self._subscriber = await self._compiled.open()
        except Exception as error:  # noqa: BLE001  # `failure` logs it, unless it is the client's
            result = self._compiled.failure(error)
            await self._sender.send(encode_message(result, self._sender.framing, max_bytes=self._max_bytes))
            await self._sender.complete()
            return False
        self._subscriber.wait(self._resume)
        return True

    async def wait(self) -> None:
        """Wait until the subscription has ended."""
        if self._subscriber.owner is not None:
            self._ended = asyncio.get_running_loop().create_future()
            await self._ended

    async def close(self) -> None:
        """End the subscription without sending anything. Does nothing if it has ended."""
        if self._task is not None and not self._task.done():
            self._task.cancel()
            await asyncio.wait([self._task])
        await self._end()

    def _resume(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._send_next(), context=self._context)

    async def _send_next(self) -> None:
        """Send the next event, and wait for another one without a task unless it was the last."""
        try:
            is_last = await self._send_event()
        except CLIENT_DISCONNECTED:
            is_last = True  # the transport detects it too
        except Exception as error:  # noqa: BLE001  # logged with its id
            is_last = True
            with suppress(*CLIENT_DISCONNECTED):
                await self._sender.fail([mask_error(GraphQLError(str(error)), error)])
        if is_last:
            await self._end()
        else:
            self._subscriber.wait(self._resume)

    async def _send_event(self) -> bool:
        """Send the next event, and the completion if it is the last. Returns whether it is."""
        taken = self._subscriber.pop()
        if taken is not None:
            event, published_at = taken
            result = await self._compiled.result(event)
            await self._sender.send(encode_message(result, self._sender.framing, max_bytes=self._max_bytes))
            self._subscriber.observe_lag(published_at)
            if not self._subscriber.ends_with(event):
                return False
        await self._sender.complete()
        return True

    async def _end(self) -> None:
        await self._compiled.close(self._subscriber)
        if self._ended is not None and not self._ended.done():
            self._ended.set_result(None)
