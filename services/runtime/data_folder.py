"""The data folder: one process at a time may keep a store in it."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from services.errors import StartupError

STORE_FILE = "rendercast.sqlite3"


def make_folder(folder: Path) -> None:
    """Have the folder be there. Raises `StartupError`."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(folder, error) from error


@contextmanager
def hold_folder(folder: Path) -> Iterator[None]:
    """Make the folder and keep every other process out of it. The kernel lets go when this process ends, however.

    Raises `StartupError`.
    """
    make_folder(folder)
    try:
        descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise _unwritable(folder, error) from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise StartupError(
                f"The data folder {folder} is in use by another Rendercast. Stop that one, "
                "or set RENDERCAST_DATA_DIR to another folder."
            ) from error
        yield
    finally:
        os.close(descriptor)


def _unwritable(folder: Path, error: OSError) -> StartupError:
    return StartupError(
        f"The data folder {folder} can't be written: {error.strerror}. "
        "Mend that, or set RENDERCAST_DATA_DIR to another folder."
    )
