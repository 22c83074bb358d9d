"""Files that are replaced completely or not at all."""

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO


@contextmanager
def replacing(target: Path, *, modified_at: float | None = None) -> Iterator[IO[bytes]]:
    """Yield a new file beside the target, which it replaces when the context exits without an error.

    It gets `modified_at`, in seconds since 1970, as its modification time, and the permissions of an existing target.
    If the target is a symbolic link, the link itself is replaced. Raises `OSError`.
    """
    start = target.name.encode()[:100].decode(errors="ignore")  # the name may be as long as the file system permits
    unfinished = target.with_name(f".{start}.{secrets.token_hex(4)}.part")
    try:
        with unfinished.open("xb") as file:
            yield file
        with suppress(FileNotFoundError):
            shutil.copymode(target, unfinished)
        if modified_at is not None:
            os.utime(unfinished, (modified_at, modified_at))
        unfinished.replace(target)
    finally:
        unfinished.unlink(missing_ok=True)
