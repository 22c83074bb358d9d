"""The bundles in the data folder, which several processes may use."""

import contextlib
import fcntl
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from services.backends.remotion_node.bundles import Bundle, bundle_version
from services.errors import StartupError

NEW_PREFIX = "new-"
LOCK_SUFFIX = ".lock"
MAX_WRITING_S = 3600.0  # bundling has a shorter time limit


class BundleStore:
    """The folder `bundles/`. Each process holds a lock on the bundles that it may use, so that no other removes them.

    The kernel releases the locks of a process that ends, even if it crashes.
    """

    def __init__(self, folder: Path) -> None:
        """Create the folder, and remove what interrupted processes left. Raises `StartupError`."""
        self._folder = folder
        self._locks: dict[str, int] = {}
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for path in folder.glob(f"{NEW_PREFIX}*"):
                if time.time() - path.stat().st_mtime > MAX_WRITING_S:
                    shutil.rmtree(path, ignore_errors=True)
        except OSError as error:
            raise StartupError(f"The folder {folder} can't be used for bundles: {error}.") from error

    @contextlib.contextmanager
    def new_folder(self) -> Iterator[Path]:
        """Yield the path of a folder for a new bundle. What is left there is removed."""
        path = self._folder / f"{NEW_PREFIX}{secrets.token_hex(4)}"
        try:
            yield path
        finally:
            shutil.rmtree(path, ignore_errors=True)

    def add(self, new: Path) -> Bundle:
        """Store a new bundle under its version and lock it. Raises `OSError`."""
        version = bundle_version(new)
        if version not in self._locks:
            self._locks[version] = _lock(self._lock_path(version), fcntl.LOCK_SH)
        path = self._folder / version
        if not path.exists():
            with contextlib.suppress(FileExistsError):  # another process has just stored the same bundle
                _rename(new, path)
        return Bundle(path, version)

    def remove_unused(self, *, kept: set[str]) -> None:
        """Remove all bundles but those of these versions and those that other processes use."""
        for version in self._locks.keys() - kept:
            os.close(self._locks.pop(version))
        for path in self._folder.iterdir():
            if path.is_dir() and not path.name.startswith(NEW_PREFIX) and path.name not in kept:
                self._remove(path)

    def close(self) -> None:
        """Release all locks."""
        for version in list(self._locks):
            os.close(self._locks.pop(version))

    def _remove(self, path: Path) -> None:
        lock = self._lock_path(path.name)
        try:
            descriptor = _lock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:  # in use
            return
        try:
            with self.new_folder() as removed, contextlib.suppress(FileNotFoundError):
                path.rename(removed)  # at once, so that no interrupted removal leaves a part of a bundle
            lock.unlink(missing_ok=True)
        finally:
            os.close(descriptor)

    def _lock_path(self, version: str) -> Path:
        return self._folder / f"{version}{LOCK_SUFFIX}"


def _lock(path: Path, operation: int) -> int:
    """Lock a file, which is created if it doesn't exist; return its descriptor. Raises `OSError`."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, operation)
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(descriptor), path.stat()):
                    return descriptor
        except OSError:
            os.close(descriptor)
            raise
        os.close(descriptor)  # the file was removed before it was locked


def _rename(new: Path, path: Path) -> None:
    """Rename a folder. Raises `FileExistsError` if the other folder exists and is not empty."""
    try:
        new.rename(path)
    except OSError:
        if path.exists():
            raise FileExistsError(path) from None
        raise
