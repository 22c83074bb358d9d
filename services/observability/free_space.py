"""The free space of a folder's file system."""

import asyncio
import math
import shutil
from pathlib import Path


class FreeSpace:
    """Reads the free space in a thread, because a network file system can hang. At most one read is in progress."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._reading: asyncio.Task[float] | None = None

    async def read(self, *, timeout_s: float) -> float:
        """Return the number of free bytes; NaN if the folder does not exist or does not respond in time."""
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(asyncio.to_thread(_free_bytes, self._folder))
        done, _ = await asyncio.wait([self._reading], timeout=timeout_s)
        return self._reading.result() if done else math.nan


def _free_bytes(folder: Path) -> float:
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return math.nan
