"""Background loops that outlive their own faults."""

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable

from services.backoff import backoff_s

log = logging.getLogger(__name__)


async def keep_running(name: str, run: Callable[[], Awaitable[None]]) -> None:
    """Run `run` until cancelled; when it raises, log that with an id and start it again after a growing wait."""
    failures = 0
    while True:
        try:
            await run()
        except Exception:
            failures += 1
            log.exception("error %s: the %s stopped and is started again", secrets.token_hex(6), name)
        await asyncio.sleep(backoff_s(failures))
