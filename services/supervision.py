"""Background loops that outlive their own faults."""

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable, Coroutine
from datetime import datetime
from typing import Protocol

from services.backoff import backoff_s

HEALTHY_S = 60.0  # one that ran this long was well: the wait after its next fault begins small again

log = logging.getLogger(__name__)


class BackgroundLoop(Protocol):
    """A loop that `run` keeps going until cancelled. `last_tick_at` is when it last went round; None before that."""

    last_tick_at: datetime | None

    async def run(self) -> None:
        """Run until cancelled."""
        ...


async def keep_running(name: str, run: Callable[[], Awaitable[None]]) -> None:
    """Run `run` until cancelled; when it raises, log that with an id and start it again after a growing wait."""
    failures = 0
    while True:
        began = asyncio.get_running_loop().time()
        try:
            await run()
        except Exception:
            error_id = secrets.token_hex(6)
            told = {"error_id": error_id}
            log.exception("error %s: the %s stopped and is started again", error_id, name, extra=told)
            if is_cancelled():
                raise asyncio.CancelledError from None
        ran_s = asyncio.get_running_loop().time() - began
        failures = 1 if ran_s > HEALTHY_S else failures + 1
        await asyncio.sleep(backoff_s(failures))


async def finish_though_cancelled(work: Coroutine[object, object, None], *, patience_s: float) -> None:
    """Let `work` end even if this task is cancelled meanwhile, which then takes effect `patience_s` later at most."""
    task = asyncio.create_task(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task], timeout=patience_s)
        task.cancel()
        if task.done() and not task.cancelled() and (error := task.exception()):
            log.warning("what was let end before stopping failed: %s", error)
        raise


def is_cancelled() -> bool:
    """Return whether this task is asked to end; a fault on its way out may have taken the place of that."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
