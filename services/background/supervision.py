"""Supervision of background loops, and of work that must finish although its task is cancelled."""

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable, Coroutine
from typing import Protocol

from services.background.backoff import backoff_s

HEALTHY_S = 60.0  # after a run of this length, the delays start again with the shortest

log = logging.getLogger(__name__)


class BackgroundLoop(Protocol):
    """A background loop of a process."""

    @property
    def last_tick_s(self) -> float | None:
        """When the loop last completed an iteration, by the monotonic clock; None before the first."""
        ...

    async def run(self) -> None:
        """Run until cancelled."""
        ...


async def supervise(name: str, run: Callable[[], Awaitable[None]]) -> None:
    """Run `run` until cancelled. Whenever it raises or returns, restart it after a growing delay.

    An exception is logged with an id. One that is raised while the task is being cancelled ends the supervision.
    """
    failures = 0
    while True:
        started = asyncio.get_running_loop().time()
        try:
            await run()
        except Exception:
            error_id = secrets.token_hex(6)
            log.exception("error %s: the %s failed and is restarted", error_id, name, extra={"error_id": error_id})
            if is_cancelled():
                raise asyncio.CancelledError from None
        ran_s = asyncio.get_running_loop().time() - started
        failures = 1 if ran_s > HEALTHY_S else failures + 1
        await asyncio.sleep(backoff_s(failures))


async def finish_despite_cancellation(work: Coroutine[object, object, object], *, timeout_s: float) -> None:
    """Await `work`. If this task is cancelled meanwhile, `work` may continue for `timeout_s`; then it is cancelled.

    After that, `CancelledError` is raised; an exception of `work` is only logged.
    """
    task = asyncio.create_task(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task], timeout=timeout_s)
        task.cancel()
        if task.done() and not task.cancelled() and (error := task.exception()):
            log.warning("work that was finished despite cancellation failed: %s", error)
        raise


def is_cancelled() -> bool:
    """Return whether this task is being cancelled; an exception may have replaced its `CancelledError`."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
