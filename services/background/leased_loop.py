"""The polling loop of the worker and of the webhook deliverer: acquires leased items and processes each in a task."""

import asyncio
import logging
from collections.abc import Awaitable
from contextlib import AbstractAsyncContextManager, nullcontext
from functools import partial
from typing import Generic, Protocol, TypeVar

from services.background.backoff import backoff_s
from services.errors import StoreUnavailable
from services.ports import Clock


class LeasedItem(Protocol):
    """An item that a worker leases."""

    @property
    def id(self) -> str:
        """The id by which the store leases it."""
        ...


Item = TypeVar("Item", bound=LeasedItem)

log = logging.getLogger(__name__)


class LeasedWork(Protocol[Item]):
    """The items of a `LeasedLoop`: how to acquire, process and release them."""

    @property
    def has_capacity(self) -> bool:
        """Whether another item may be acquired now."""
        ...

    @property
    def poll_interval_s(self) -> float:
        """Seconds until the next poll, unless the loop is woken."""
        ...

    async def acquire(self) -> Item | None:
        """Lease the next item that is due; None if there is none. Raises `StoreUnavailable`."""
        ...

    async def process(self, item: Item) -> None:
        """Process an acquired item until this worker is done with it. Raises only `CancelledError`."""
        ...

    async def release(self) -> None:
        """End all leases that are still held."""
        ...


class LeasedLoop(Generic[Item]):
    """Acquires items while there is capacity, and processes each in its own task.

    `name` is the plural of the items in log lines. `items` are those acquired whose task has not ended, by id.
    `last_tick_s` is when the store was last polled, by the monotonic clock; None before the first poll. Setting `wake`
    ends the wait for the next poll.
    """

    def __init__(self, work: LeasedWork[Item], *, name: str, clock: Clock) -> None:
        self.items: dict[str, Item] = {}
        self.last_tick_s: float | None = None
        self._work = work
        self._name = name
        self._clock = clock
        self.wake = asyncio.Event()

    async def run(self, *, within: AbstractAsyncContextManager[object] | None = None) -> None:
        """Run inside the context `within` until cancelled; then cancel the tasks, await them and release all leases."""
        try:
            async with within or nullcontext(), asyncio.TaskGroup() as tasks:
                await self._poll(tasks)
        finally:
            await self._work.release()

    async def _poll(self, tasks: asyncio.TaskGroup) -> None:
        failures = 0
        while True:
            self.wake.clear()
            try:
                await self._acquire_all(tasks)
                failures = 0
            except StoreUnavailable as error:
                failures += 1
                log.warning("%s can't be acquired: %s", self._name, error)
            self.last_tick_s = self._clock.monotonic()
            wait_s = backoff_s(failures) if failures else self._work.poll_interval_s
            await self._clock.wait(self.wake, timeout_s=wait_s)

    async def _acquire_all(self, tasks: asyncio.TaskGroup) -> None:
        while self._work.has_capacity:
            item = await self._work.acquire()
            if item is None:
                return
            self.last_tick_s = self._clock.monotonic()  # thousands of items may be acquired after another worker's end
            self.items[item.id] = item
            tasks.create_task(self._work.process(item)).add_done_callback(partial(self._remove, item))

    def _remove(self, item: Item, task: asyncio.Task[None]) -> None:
        """Remove the item after its task, which may have been cancelled before its first step."""
        del task
        if self.items.get(item.id) is item:
            del self.items[item.id]
        self.wake.set()


async def release_leases(release: Awaitable[None], *, name: str) -> None:
    """Await a store's release of leases, which continues if this task is cancelled. `StoreUnavailable` is logged."""
    try:
        await asyncio.shield(release)
    except StoreUnavailable as error:
        log.warning("leases of %s could not be released and will expire: %s", name, error)
