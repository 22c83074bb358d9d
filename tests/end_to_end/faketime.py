"""Processes whose wall clock a test sets, by libfaketime (https://github.com/wolfcw/libfaketime)."""

import asyncio
import os
import time
from email.utils import parsedate_to_datetime
from pathlib import Path

import httpx
import pytest

from tests.support.api_client import TEST_TIMEOUT_S, pauses

LIBRARY = os.environ.get("LIBFAKETIME") or next(map(str, Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")), None)
MAX_DIFFERENCE_S = 600  # between the clock of a server and that of this process, far below a step of the tests
needs_libfaketime = pytest.mark.skipif(LIBRARY is None, reason="libfaketime is not installed")


class WallClock:
    """The wall clock of all processes that are started with `settings`."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "offset"
        self.settings = {
            "LD_PRELOAD": LIBRARY,
            "FAKETIME_TIMESTAMP_FILE": self._file,
            "FAKETIME_CACHE_DURATION": 1,
            "FAKETIME_DONT_FAKE_MONOTONIC": 1,
        }
        self._write(0)

    async def set_forward(self, seconds: int, *, url: str) -> None:
        """Set the clock to the machine's time plus `seconds`, and wait until the server at this URL has noticed it."""
        self._write(seconds)
        pause = pauses()
        async with asyncio.timeout(TEST_TIMEOUT_S), httpx.AsyncClient(trust_env=False) as client:
            while True:
                shown = parsedate_to_datetime((await client.get(url)).headers["date"])
                if abs(shown.timestamp() - time.time() - seconds) < MAX_DIFFERENCE_S:
                    return
                await asyncio.sleep(next(pause))

    def _write(self, seconds: int) -> None:
        unfinished = self._file.with_suffix(".new")
        unfinished.write_text(f"{seconds:+d}s")
        unfinished.rename(self._file)
