"""Runs a command that SIGINT and SIGTERM stop, also as process 1 of a container, where they do nothing by default."""

import asyncio
import signal
from collections.abc import Coroutine

from services.errors import StartupError


def run_interruptibly(work: Coroutine[None, None, None], *, message: str) -> None:
    """Run `work`. If a signal stops it, raise `StartupError` with the message."""
    asyncio.run(_run(work, message))


async def _run(work: Coroutine[None, None, None], message: str) -> None:
    task = asyncio.ensure_future(work)
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    try:
        await task
    except asyncio.CancelledError:
        raise StartupError(message) from None
