"""Waits for what sends no notification, such as a change in another process."""

import asyncio
from collections.abc import Callable

from tests.support.api_client import RETRY_S, TEST_TIMEOUT_S


async def wait_until(condition: Callable[[], object]) -> None:
    """Wait until the condition holds. Raises `TimeoutError`."""
    async with asyncio.timeout(TEST_TIMEOUT_S):
        while not condition():  # noqa: ASYNC110  # there is no event
            await asyncio.sleep(RETRY_S)
