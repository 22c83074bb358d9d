"""Stores the previews of a backend's renders, and deletes each when its render has ended."""

import asyncio
import logging
from dataclasses import replace
from typing import Final, Protocol

from services.errors import BackendUnavailable
from services.models import Render
from services.ports import AttemptProgress, Observation

STORING_TIMEOUT_S: Final = 10.0
CLOSING_TIMEOUT_S: Final = 2.0

log = logging.getLogger(__name__)


class PreviewStorage(Protocol):
    """The part of an output storage that stores previews. Both methods raise `BackendUnavailable`."""

    async def store_preview(self, render: Render, jpeg: bytes) -> None:
        """Store the preview of a running render in place of the former one."""
        ...

    async def delete_preview(self, render: Render) -> None:
        """Delete the preview, if there is one."""
        ...


class PreviewPublisher:
    """Runs one call of the storage per render at a time, in tasks, so that no render waits for it.

    After an error, which is logged, no further preview of the attempt is stored.
    """

    def __init__(self, storage: PreviewStorage) -> None:
        self._storage = storage
        self._frames: dict[str, int] = {}
        self._failed: set[str] = set()
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def offer(self, render: Render, jpeg: bytes, *, frame: int) -> None:
        """Store a preview, unless the storage is still busy with another one of the render.

        `frame` is the number of frames that were drawn when it was made.
        """
        if render.id not in self._failed and render.id not in self._tasks:
            self._run(render, asyncio.create_task(self._store(render, jpeg, frame), name=f"preview {render.id}"))

    def observed(self, render: Render, observation: Observation) -> Observation:
        """Return an observation of the render, with the number of its newest stored preview if it is in progress."""
        frame = self._frames.get(render.id)
        if frame is None or not isinstance(observation, AttemptProgress):
            return observation
        return replace(observation, preview_frame=frame)

    def end(self, render: Render) -> None:
        """Delete the render's preview: its attempt has ended. Returns at once."""
        self._clear(render)
        removing = self._remove(render, after=self._tasks.get(render.id))
        self._run(render, asyncio.create_task(removing, name=f"end preview {render.id}"))

    async def wait(self, render: Render) -> None:
        """Wait until the render's preview is stored or deleted; each may take `STORING_TIMEOUT_S`."""
        if task := self._tasks.get(render.id):
            await asyncio.wait([task])

    async def close(self) -> None:
        """Wait for the storage, for at most `CLOSING_TIMEOUT_S`, and cancel what is left."""
        if tasks := set(self._tasks.values()):
            _, pending = await asyncio.wait(tasks, timeout=CLOSING_TIMEOUT_S)
            for task in pending:
                task.cancel()
            await asyncio.wait(tasks)

    def _run(self, render: Render, task: asyncio.Task[None]) -> None:
        self._tasks[render.id] = task
        task.add_done_callback(lambda ended: self._forget(render, ended))

    def _forget(self, render: Render, task: asyncio.Task[None]) -> None:
        if self._tasks.get(render.id) is task:
            del self._tasks[render.id]

    def _clear(self, render: Render) -> None:
        self._frames.pop(render.id, None)
        self._failed.discard(render.id)

    async def _store(self, render: Render, jpeg: bytes, frame: int) -> None:
        try:
            async with asyncio.timeout(STORING_TIMEOUT_S):
                await self._storage.store_preview(render, jpeg)
        except (BackendUnavailable, TimeoutError) as error:
            self._failed.add(render.id)
            log.warning("render %s has no further previews: %r", render.id, error)
        else:
            self._frames[render.id] = frame

    async def _remove(self, render: Render, *, after: asyncio.Task[None] | None) -> None:
        if after is not None:
            await asyncio.wait([after])
            self._clear(render)
        try:
            async with asyncio.timeout(STORING_TIMEOUT_S):
                await self._storage.delete_preview(render)
        except (BackendUnavailable, TimeoutError) as error:
            log.info("the preview of render %s can't be deleted: %r", render.id, error)
