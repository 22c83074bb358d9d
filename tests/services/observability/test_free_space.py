"""The free space of a folder's file system."""

import asyncio
import math
import os
import shutil
import threading
from pathlib import Path

from services.observability.free_space import FreeSpace

TIMEOUT_S = 30.0


async def test_it_is_the_space_that_this_process_can_use(tmp_path: Path) -> None:
    assert 0 < await FreeSpace(tmp_path).read(timeout_s=TIMEOUT_S) <= shutil.disk_usage(tmp_path).total


async def test_it_is_unknown_without_the_folder(tmp_path: Path) -> None:
    assert math.isnan(await FreeSpace(tmp_path / "missing").read(timeout_s=TIMEOUT_S))


async def test_a_file_system_that_hangs_uses_one_thread(tmp_path: Path) -> None:
    started, released = threading.Event(), threading.Event()
    paths: list[str] = []

    class HangingFolder(type(tmp_path)):  # type: ignore[misc]  # the class of paths depends on the system
        def __fspath__(self) -> str:
            paths.append(str(tmp_path))
            started.set()
            released.wait(TIMEOUT_S)
            return str(tmp_path)

    space = FreeSpace(HangingFolder(os.fspath(tmp_path)))
    assert [math.isnan(await space.read(timeout_s=0.01)) for _ in range(3)] == [True] * 3
    assert await asyncio.to_thread(started.wait, TIMEOUT_S)
    assert len(paths) == 1
    released.set()
    async with asyncio.timeout(TIMEOUT_S):
        assert await space.read(timeout_s=TIMEOUT_S) > 0


async def test_it_is_read_each_time(tmp_path: Path) -> None:
    space = FreeSpace(tmp_path / "later")
    assert math.isnan(await space.read(timeout_s=TIMEOUT_S))
    (tmp_path / "later").mkdir()
    assert await space.read(timeout_s=TIMEOUT_S) > 0
