"""Bundles of a Remotion project: folders with an `index.html`, which Remotion's renderer opens in the browser."""

import asyncio
import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from services.errors import BackendUnavailable, StartupError

INDEX = "index.html"
MAP_SUFFIX = ".map"
VERSION_LENGTH = 16
BLOCK_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle. `version` changes with its content, and is the same for the same content on each machine."""

    folder: Path
    version: str


class Bundles(Protocol):
    """The bundles of a project, of which the current one changes with the project. `changed` is set when it does."""

    changed: asyncio.Event

    async def current(self) -> Bundle:
        """Return the current bundle. Raises `BackendUnavailable` if there is none."""
        ...

    async def acquire(self) -> Bundle:
        """Return the current bundle, which is not removed until it is released. Raises `BackendUnavailable`."""
        ...

    def release(self, bundle: Bundle) -> None:
        """Release an acquired bundle."""
        ...


class SiteFolder:
    """A folder that the operator has bundled. It may be bundled again in place, which `changed` does not report."""

    def __init__(self, folder: Path) -> None:
        """Raises `StartupError` if the folder is not a bundle."""
        self._folder = folder
        self._hashed: tuple[int, str] | None = None
        self.changed = asyncio.Event()
        if not (folder / INDEX).is_file():
            raise StartupError(
                f"REMOTION_SITE is {folder}, which has no {INDEX}: set it to a folder that `npx remotion bundle` made."
            )

    async def current(self) -> Bundle:
        """Return the folder. Raises `BackendUnavailable` if it can't be read."""
        return await asyncio.to_thread(self._read)

    acquire = current

    def release(self, bundle: Bundle) -> None:
        """Do nothing: the folder is never removed."""

    def _read(self) -> Bundle:
        """Hash the files if the index, which each bundling writes last, has changed since they were hashed."""
        try:
            changed_ns = (self._folder / INDEX).stat().st_mtime_ns
            if self._hashed is None or self._hashed[0] != changed_ns:
                self._hashed = changed_ns, bundle_version(self._folder)
        except OSError as error:
            raise BackendUnavailable(f"the bundle {self._folder} can't be read: {error}") from error
        return Bundle(self._folder, self._hashed[1])


def bundle_version(folder: Path) -> str:
    """Return a hash of a bundle's files. Raises `OSError`.

    The index and the source maps don't count: they contain the path of the project.
    """
    digest = hashlib.sha256(usedforsecurity=False)
    for path in sorted(_files(folder)):
        if path.name == INDEX or path.suffix == MAP_SUFFIX:
            continue
        digest.update(f"\n{path.relative_to(folder)}\n{path.stat().st_size}\n".encode(errors="surrogateescape"))
        with path.open("rb") as file:
            while block := file.read(BLOCK_BYTES):
                digest.update(block)
    return digest.hexdigest()[:VERSION_LENGTH]


def _files(folder: Path) -> Iterator[Path]:
    for parent, _, names in os.walk(folder, followlinks=True):
        for name in names:
            if (path := Path(parent, name)).is_file():
                yield path
