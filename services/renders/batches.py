"""The use cases of batches: the caller's renders with the same `batch_id`.

A batch needs no step to create it. It has ended when all of its renders have, and goes on when more are started.
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from services.errors import BatchNotFound, InvalidInput, PathProblem, RenderAlreadyFinished, RenderNotFound
from services.models import Caller, Render, RenderFilter, RenderStatus, StartAllResult
from services.models.batches import BatchCancellation, BatchProgress
from services.renders import lifecycle
from services.renders.batch_progress import read_batch
from services.renders.batch_requests import batch_id_problems, validate_batch
from services.renders.render_tokens import require_user_token
from services.renders.requests import BatchRequest, StartRequest
from services.renders.service import RenderService

PROGRESS_INTERVAL_S = 1.0  # between two states of a subscription
PAGE = 100  # renders that are cancelled in one step


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchService:
    """Starts, returns, watches and cancels batches. Callers with a render token get `RenderTokenForbidden`.

    Any async method may raise `StoreUnavailable`, and `start` and `check` also `BackendUnavailable`.
    """

    renders: RenderService

    async def start(self, caller: Caller, request: BatchRequest) -> StartAllResult:
        """Queue all the renders, each for one unit of quota, or none.

        A render whose idempotency key the caller used before is returned instead of started. Raises `InvalidInput`,
        `IdempotencyKeyReused`, `RenderServiceNotConfigured` or `RenderQuotaExceeded`; none of them uses quota.
        """
        require_user_token(caller)
        starter = self.renders.starter
        inputs = await validate_batch(request, await starter.validator(), take_turn=partial(self._turn, caller))
        return await starter.start_all(caller, inputs)

    async def check(self, caller: Caller, renders: Sequence[StartRequest]) -> Sequence[PathProblem]:
        """Return the problems for which `start` would reject these renders. Raises `RenderServiceNotConfigured`."""
        require_user_token(caller)
        request = BatchRequest(batch_id="check", renders=renders)
        validator = await self.renders.starter.validator()
        try:
            await validate_batch(request, validator, take_turn=partial(self._turn, caller))
        except InvalidInput as error:
            return error.problems
        return ()

    async def progress(self, caller: Caller, batch_id: str) -> BatchProgress | None:
        """Return the progress of the caller's batch; None if it has no renders."""
        require_user_token(caller)
        if batch_id_problems(batch_id):
            return None
        store, now = self.renders.store, self.renders.clock.now()
        return await read_batch(store, owner=caller.id, batch_id=batch_id, now=now)

    async def watch(self, caller: Caller, batch_id: str) -> AsyncGenerator[BatchProgress, None]:
        """Yield the progress, then each newer one, at most each `PROGRESS_INTERVAL_S`; end when all renders have ended.

        It also ends if all renders are deleted. Raises `BatchNotFound` if there are none at first. To unsubscribe
        early, close the iterator (`contextlib.aclosing`).
        """
        latest: BatchProgress | None = None
        async with self.renders.hub.watch_batch(caller, batch_id) as watch:
            while True:
                await watch.changed.wait()
                watch.changed.clear()
                progress = await watch.read(partial(self._progress_in_turn, caller, batch_id))
                if progress is None and latest is None:
                    raise BatchNotFound
                if progress is None:
                    return
                if progress != latest:
                    latest = progress
                    yield progress
                if progress.has_ended:
                    return
                await self.renders.clock.sleep(PROGRESS_INTERVAL_S)

    async def cancel(self, caller: Caller, batch_id: str) -> tuple[BatchCancellation, BatchProgress]:
        """Cancel the QUEUED renders, and set `cancel_requested` for the RENDERING ones, which their workers cancel.

        Returns the progress after it. Renders that are started during the call may not be cancelled. Raises
        `BatchNotFound`.
        """
        require_user_token(caller)
        found: list[Render] = []
        last_id: str | None = None
        while page := await self._unfinished(caller, batch_id, older_than=last_id):
            last_id = page[-1].id
            await self._turn(caller)
            found += await self._cancel_page(caller, page)
        progress = await self.progress(caller, batch_id)
        if progress is None:
            raise BatchNotFound
        statuses = [render.status for render in found]
        cancellation = BatchCancellation(
            cancelled=statuses.count(RenderStatus.CANCELLED), stopping=statuses.count(RenderStatus.RENDERING)
        )
        return cancellation, progress

    async def _progress_in_turn(self, caller: Caller, batch_id: str) -> BatchProgress | None:
        await self._turn(caller)
        return await self.progress(caller, batch_id)

    async def _turn(self, caller: Caller) -> None:
        await self.renders.hub.scheduler.turn(caller.turn_key)

    async def _unfinished(self, caller: Caller, batch_id: str, *, older_than: str | None) -> Sequence[Render]:
        if batch_id_problems(batch_id):
            return ()
        matching = RenderFilter(statuses=lifecycle.ACTIVE, batch_id=batch_id)
        return await self.renders.store.list(owner=caller.id, first=PAGE, matching=matching, older_than=older_than)

    async def _cancel_page(self, caller: Caller, page: Sequence[Render]) -> Sequence[Render]:
        """Cancel these renders; return the new states of those that were not ended or being cancelled before."""
        now = self.renders.clock.now()
        changed = {render.id: lifecycle.begin_cancel(render, now=now) for render in page if not render.cancel_requested}
        recorded = await asyncio.shield(self.renders.record_all(list(changed.values())))
        found = [render for render_id, render in changed.items() if render_id in recorded]
        for render_id in changed.keys() - recorded:  # another process changed it meanwhile
            with suppress(RenderAlreadyFinished, RenderNotFound):
                found.append(await self.renders.cancel(caller, render_id))
        return found
