"""Stores and publishes the changes of one leased render."""

import asyncio
import logging
from collections.abc import Callable
from datetime import timedelta

from services.background.backoff import backoff_s
from services.errors import LeaseLost, StoreUnavailable
from services.models import Render, RenderStatus
from services.ports import Clock, RenderStore
from services.realtime.hub import ProgressHub

log = logging.getLogger(__name__)


class ChangeRecorder:
    """Records the changes of one render, by compare-and-set on its revision, while this worker holds its lease.

    `render` is the newest known state. `last_attempted` is the newest state with an attempt: a QUEUED render has none,
    but the backend may still hold resources for the last one.
    """

    def __init__(
        self,
        render: Render,
        *,
        store: RenderStore,
        hub: ProgressHub,
        clock: Clock,
        worker_id: str,
        lease: timedelta,
    ) -> None:
        self.render = self.last_attempted = render
        self.is_lease_lost = False
        self._store = store
        self._hub = hub
        self._clock = clock
        self._worker_id = worker_id
        self._lease = lease
        self._interrupt = asyncio.Event()

    async def record(self, change: Callable[[Render], Render]) -> None:
        """Store and publish a change. If the render was changed concurrently, apply `change` to the newer state.

        `change` returns its argument if there is nothing to record. Waits while the store is unavailable. Raises
        `LeaseLost`.
        """
        while True:
            changed = change(self.render)
            if changed is self.render:
                return
            if await self._store_or_refresh(changed):
                await self._hub.publish(changed)
                return

    async def refresh(self) -> None:
        """Read the stored state. If the store is unavailable, keep the known state."""
        for render in await self._read_stored():
            self._set_render(render)

    async def pause(self, seconds: float) -> None:
        """Return after `seconds`, or as soon as `interrupt` is called."""
        await self._clock.wait(self._interrupt, timeout_s=seconds)
        self._interrupt.clear()

    def interrupt(self) -> None:
        """End the current pause, or the next one if there is none."""
        self._interrupt.set()

    def mark_lease_lost(self) -> None:
        """Reject all further changes: another worker may be running the render."""
        self.is_lease_lost = True
        self.interrupt()

    async def _store_or_refresh(self, changed: Render) -> bool:
        """Store a change; return whether it is stored. If it isn't, `render` is the newer state. Raises `LeaseLost`.

        An earlier call whose response was lost may have stored the change, and thereby ended the lease.
        """
        try:
            recorded = await self._store_change(changed)
        except LeaseLost:
            recorded = changed.status is not RenderStatus.RENDERING and changed in await self._read_stored()
            if not recorded:
                raise
        if recorded:
            self._set_render(changed)
        else:
            await self.refresh()
        return self.render == changed

    async def _store_change(self, changed: Render) -> bool:
        """Return whether the change was stored. Retries while the store is unavailable and the lease is held."""
        failures = 0
        while not self.is_lease_lost:
            try:
                return await self._store.record(changed, worker=self._worker_id, lease=self._lease)
            except StoreUnavailable as error:
                failures += 1
                log.warning("render %s could not be recorded: %s", changed.id, error)
                await self.pause(backoff_s(failures))
        raise LeaseLost(changed.id)

    async def _read_stored(self) -> tuple[Render, ...]:
        try:
            return tuple(await self._store.get_many([self.render.id]))
        except StoreUnavailable:
            return ()

    def _set_render(self, render: Render) -> None:
        self.render = render
        if render.status is not RenderStatus.QUEUED:
            self.last_attempted = render
