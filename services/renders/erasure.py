"""Erases everything that is stored about one owner. Only `rendercast forget` uses it."""

from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass

from services.errors import RenderAlreadyFinished, RenderNotFound
from services.ids import time_of
from services.models import TERMINAL, Caller, Render, RenderFilter, RenderStatus
from services.ports import Clock, RenderBackend, RenderStore
from services.renders import lifecycle
from services.renders.lifecycle import ACTIVE
from services.renders.service import RenderService

PAGE = 100
CANCEL_TIMEOUT_S = 120.0  # in which workers must have ended the renders whose cancellation was requested
CHECK_INTERVAL_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasure:
    """What was erased, or would be. `without_file` are COMPLETE renders whose video was not found in the storage.

    `renders` includes damaged ones, if the store knows that no other version can read them (see `ErasedRecords`).
    `unfinished` and `unreadable` are the ids of renders that are still stored: their workers have not ended them in
    time, or this version can't read them. In a preview, `unfinished` are those that would be cancelled.
    """

    renders: int
    without_file: int
    messages: int
    quota_windows: int
    unfinished: Sequence[str]
    unreadable: Sequence[str]

    @property
    def is_empty(self) -> bool:
        """Whether nothing was stored."""
        return not (self.renders or self.messages or self.quota_windows or self.unfinished or self.unreadable)


class Eraser:
    """Erases an owner's renders, stored files, webhook messages and quota. Every step can be repeated.

    It cancels and deletes like the user. With `stops_attempts`, no worker can be running, so attempts are stopped here.
    Methods raise `StoreUnavailable` and `BackendUnavailable`; a repeated call then continues.
    """

    def __init__(
        self,
        *,
        renders: RenderService,
        store: RenderStore,
        backend: RenderBackend,
        clock: Clock,
        stops_attempts: bool,
    ) -> None:
        self._renders = renders
        self._store = store
        self._backend = backend
        self._clock = clock
        self._stops_attempts = stops_attempts

    async def preview(self, owner: str) -> Erasure:
        """Return what `erase` would erase, without changing anything."""
        statuses = {render.id: render.status async for render in self._readable(owner)}
        records = await self._store.erase_records(owner, dry_run=True)
        return Erasure(
            renders=len(statuses) + len(records.damaged),
            without_file=0,
            messages=records.messages,
            quota_windows=records.quota_windows,
            unfinished=[render_id for render_id, status in statuses.items() if not status.is_terminal],
            unreadable=await self._others(owner, {*statuses, *records.damaged}),
        )

    async def erase(self, owner: str) -> Erasure:
        """Cancel the owner's unfinished renders, then erase everything, and return what was erased and what was not."""
        await self._cancel_unfinished(owner)
        renders, without_file = await self._erase_renders(owner)
        unfinished = {render.id async for render in self._readable(owner)}
        if await self._others(owner, unfinished):
            await self._delete_files_of_damaged(owner)
        records = await self._store.erase_records(owner, dry_run=False)
        return Erasure(
            renders=renders + len(records.damaged),
            without_file=without_file,
            messages=records.messages,
            quota_windows=records.quota_windows,
            unfinished=sorted(unfinished),
            unreadable=await self._others(owner, unfinished),
        )

    async def _readable(self, owner: str) -> AsyncIterator[Render]:
        """Yield all of the owner's renders that this version can read, newest first."""
        older_than = None
        while page := await self._store.list(owner=owner, first=PAGE, matching=RenderFilter(), older_than=older_than):
            for render in page:
                yield render
            older_than = page[-1].id

    async def _others(self, owner: str, known: Collection[str]) -> Sequence[str]:
        """Return the ids of the owner's stored renders that are not `known`."""
        return [render_id for render_id in await self._store.render_ids(owner) if render_id not in known]

    async def _cancel_unfinished(self, owner: str) -> None:
        until_s = self._clock.monotonic() + CANCEL_TIMEOUT_S
        while renders := await self._store.list(owner=owner, first=PAGE, matching=RenderFilter(statuses=ACTIVE)):
            for render in renders:
                await self._cancel(render)
            if self._clock.monotonic() >= until_s:
                return
            if any(render.status is RenderStatus.RENDERING for render in renders) and not self._stops_attempts:
                await self._clock.sleep(CHECK_INTERVAL_S)

    async def _cancel(self, render: Render) -> None:
        """Cancel the render, or have its worker cancel it. It may have ended or been changed meanwhile."""
        if self._stops_attempts and render.status is RenderStatus.RENDERING:
            await self._backend.stop(render)
            await self._store.record(lifecycle.cancel(render, now=self._clock.now()))
            return
        with suppress(RenderAlreadyFinished, RenderNotFound):
            await self._renders.cancel(Caller(id=render.owner), render.id)

    async def _erase_renders(self, owner: str) -> tuple[int, int]:
        """Delete all ended renders with their files; return how many there were, and how many had no video."""
        erased = without_file = 0
        while renders := await self._store.list(owner=owner, first=PAGE, matching=RenderFilter(statuses=TERMINAL)):
            for render in renders:
                if render.output is not None and not await self._backend.has_output(render.output):
                    without_file += 1
                with suppress(RenderNotFound):  # its owner has just deleted it
                    await self._renders.delete(Caller(id=owner), render.id)
                    erased += 1
        return erased, without_file

    async def _delete_files_of_damaged(self, owner: str) -> None:
        """Delete the stored files of the damaged renders, before the store deletes these with the owner's records."""
        for render_id in (await self._store.erase_records(owner, dry_run=True)).damaged:
            await self._backend.delete(Render(id=render_id, owner=owner, created_at=time_of(render_id)))
