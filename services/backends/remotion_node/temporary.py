"""The folders for temporary files of render hosts. Those of workers that were killed are removed at the next start.

The folders of a host's unfinished outputs are linked in its own one, so that they are removed with it.
"""

import contextlib
import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from services.backends.remotion_node.processes import kill_all

_PREFIX = "rendercast-node-"
_LINKS = "unfinished-*"  # see `Host.link`
_MAX_REMOVALS = 100
_REMOVAL_INTERVAL_S = 0.02


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """Create a folder that is removed at the end, and locked until then. Raises `OSError`."""
    _remove_abandoned()
    folder, descriptor = _create()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(descriptor)


def remove_with_users(folder: Path) -> None:
    """Kill all processes that use a folder, and remove it with the unfinished outputs of its hosts. Blocks.

    It is repeated, because threads of a killed process can end a system call after its main thread, and create a file.
    """
    kill_all(str(folder))
    removed = [*_unfinished(folder), folder]
    for _ in range(_MAX_REMOVALS):
        for each in removed:
            shutil.rmtree(each, ignore_errors=True)
        if not any(each.exists() for each in removed):
            return
        time.sleep(_REMOVAL_INTERVAL_S)
        kill_all(str(folder))


def _unfinished(folder: Path) -> Iterator[Path]:
    """Yield the folders of unfinished outputs that are linked in the folder of a host, or of a worker's hosts."""
    for link in (*folder.glob(_LINKS), *folder.glob(f"*/{_LINKS}")):
        with contextlib.suppress(OSError):  # it is not a link, or is being removed
            yield link.readlink()


def _create() -> tuple[Path, int]:
    """Return a new folder and the descriptor that locks it."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
        with contextlib.suppress(FileNotFoundError):  # another process has removed it before it was locked
            descriptor = os.open(folder, os.O_RDONLY)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if folder.exists():
                return folder, descriptor
            os.close(descriptor)


def _remove_abandoned() -> None:
    """Remove the folders that no process has locked, and kill the processes that use them."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError), _locked(folder):
            remove_with_users(folder)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Lock a folder. Raises `OSError` if another process has locked it, or it belongs to another user."""
    if folder.stat().st_uid != os.getuid():
        raise PermissionError(folder)
    descriptor = os.open(folder, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)
