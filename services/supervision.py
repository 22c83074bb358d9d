"""Background loops that outlive their own faults."""

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable

from services.backoff import backoff_s

HEALTHY_S = 60.0  # one that ran this long was well: the wait after its next fault begins small again

log = logging.getLogger(__name__)


async def keep_running(name: str, run: Callable[[], Awaitable[None]]) -> None:
    """Run `run` until cancelled; when it raises, log that with an id and start it again after a growing wait."""
    failures = 0
    while True:
        began = asyncio.get_running_loop().time()
        try:
            await run()
        except Exception:
            log.exception("error %s: the %s stopped and is started again", secrets.token_hex(6), name)
            if is_cancelled():
                raise asyncio.CancelledError from None
        ran_s = asyncio.get_running_loop().time() - began
        failures = 1 if ran_s > HEALTHY_S else failures + 1
        await asyncio.sleep(backoff_s(failures))


def is_cancelled() -> bool:
    """Return whether this task is asked to end; a fault on its way out may have taken the place of that."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
