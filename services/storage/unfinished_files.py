"""The unfinished files of this machine's renders, in the work folder of the storage."""

import contextlib
import logging
import shutil
import time
from pathlib import Path

PART_SUFFIX = ".part"
MAX_REMOVALS = 3
MAX_WRITING_S = 86_400.0  # an unfinished file not modified for a day belongs to no running process

log = logging.getLogger(__name__)


def unfinished(folder: Path, name: str) -> Path:
    """Return the path of an unfinished file, or of a folder of such files."""
    return folder / f"{name}{PART_SUFFIX}"


def prepare_work_folder(folder: Path, *, shared: bool) -> None:
    """Create the folder, and remove the unfinished files that no process can be writing. Raises `OSError`.

    Other processes may use the folder too if it is `shared`.
    """
    folder.mkdir(exist_ok=True)
    for part in folder.glob(f"*{PART_SUFFIX}"):
        with contextlib.suppress(FileNotFoundError):  # another process that shares the folder has just finished it
            if not shared or time.time() - part.stat().st_mtime > MAX_WRITING_S:
                remove(part)


def remove(path: Path) -> None:
    """Remove an unneeded file, or a folder of such files, if it exists. Logs an error instead of raising it."""
    try:
        if path.is_dir() and not path.is_symlink():
            _remove_folder(path)
        else:
            path.unlink(missing_ok=True)
    except OSError as error:
        log.warning("%s can't be removed: %s", path, error)


def _remove_folder(path: Path) -> None:
    """Remove a folder. It is repeated, because a process that was just killed may still create a file in it."""
    for _ in range(MAX_REMOVALS - 1):
        with contextlib.suppress(OSError):
            shutil.rmtree(path)
            return
    shutil.rmtree(path)
