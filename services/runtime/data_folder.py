"""The data folder, which one process at a time may use for a store."""

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import SecretStr

from services.errors import StartupError
from services.settings import Settings
from services.storage.url_signing import KEY_FILE, read_key

STORE_FILE = "rendercast.sqlite3"
PROBE_BYTES = 64 * 1024
REMEDY = "Fix that, or set RENDERCAST_DATA_DIR to another folder."


def make_folder(folder: Path) -> None:
    """Create the folder unless it exists. Raises `StartupError`."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _not_writable(folder, error) from error


@contextmanager
def lock_folder(folder: Path) -> Iterator[None]:
    """Create the folder and hold its lock. The kernel releases the lock when this process ends, even if it crashes.

    Raises `StartupError` if another process holds the lock, or if the folder is not writable.
    """
    make_folder(folder)
    try:
        descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise _not_writable(folder, error) from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise StartupError(
                f"The data folder {folder} is in use by another Rendercast process. Stop it, "
                "or set RENDERCAST_DATA_DIR to another folder."
            ) from error
        yield
    finally:
        os.close(descriptor)


def with_own_secret(settings: Settings) -> Settings:
    """Return the settings with a secret for render tokens: the one set, or the data folder's own.

    Raises `StartupError` if that can't be read or created.
    """
    if settings.auth.render_token_secret is not None:
        return settings
    path = settings.storage.data_dir / KEY_FILE
    try:
        key = read_key(path)
    except OSError as error:
        raise StartupError(f"The file {path} can't be used: {error.strerror or error}. {REMEDY}") from error
    return settings.replace(render_token_secret=SecretStr(key.hex()))


def check_writable(folder: Path) -> None:
    """Write a temporary file to the folder. Raises `OSError`, for example if its disk is full or read-only."""
    with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
        file.write(bytes(PROBE_BYTES))


def _not_writable(folder: Path, error: OSError) -> StartupError:
    return StartupError(f"The data folder {folder} is not writable: {error.strerror}. {REMEDY}")
