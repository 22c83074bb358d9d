"""Processes whose wall clock a test sets, by libfaketime (https://github.com/wolfcw/libfaketime)."""

import os
from pathlib import Path

import pytest

LIBRARY = os.environ.get("LIBFAKETIME") or next(map(str, Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")), None)
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
        self.set_forward(0)

    def set_forward(self, seconds: int) -> None:
        """Set the clock to the machine's time plus `seconds`. The processes notice it within a second."""
        unfinished = self._file.with_suffix(".new")
        unfinished.write_text(f"{seconds:+d}s")
        unfinished.rename(self._file)
