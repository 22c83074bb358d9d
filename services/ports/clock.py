"""The contract of a clock."""

import asyncio
from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """Time, injected so that tests don't wait."""

    def now(self) -> datetime:
        """Return the current time, timezone-aware, in UTC."""
        ...

    def monotonic(self) -> float:
        """Return the seconds since an arbitrary moment. Steps of the wall clock don't change them."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return after `seconds`."""
        ...

    async def wait(self, event: asyncio.Event, *, timeout_s: float) -> bool:
        """Return True once `event` is set, or False after `timeout_s`."""
        ...
