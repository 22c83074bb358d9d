"""The files of the renderers on this machine: an output and its poster for each finished render, in one folder."""

import logging
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from services.errors import BackendUnavailable
from services.media import FORMATS, OutputKind
from services.models import Output, Render

BUCKET = "local"
POSTER_SUFFIX = ".jpg"  # no format has this extension
PART_SUFFIX = ".part"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class OutputFiles:
    """The files in a folder. `exists`, `stored` and `delete` raise `BackendUnavailable` if it can't be used."""

    folder: Path

    def part(self, name: str) -> Path:
        """Return the path of an unfinished file."""
        return self.folder / f"{name}{PART_SUFFIX}"

    def output(self, render: Render) -> Path:
        """Return the path of a render's output."""
        return self.folder / f"{render.id}.{FORMATS[render.output_options.format].extension}"

    def poster(self, render: Render) -> Path | None:
        """Return the path of a render's poster; None for stills, which are shown themselves."""
        is_still = FORMATS[render.output_options.format].kind is OutputKind.STILL
        return None if is_still else self.folder / f"{render.id}{POSTER_SUFFIX}"

    def find(self, name: str) -> Path | None:
        """Return the path of an existing file."""
        path = self.folder / name
        return path if path.is_file() else None

    def exists(self, name: str) -> bool:
        """Return whether a file exists."""
        return self._size_bytes(self.folder / name) is not None

    def stored(self, render: Render) -> Output | None:
        """Return the location of a finished render's output; None if there is none."""
        path, poster = self.output(render), self.poster(render)
        size_bytes = self._size_bytes(path)
        if size_bytes is None:
            return None
        has_poster = poster is not None and poster.is_file()
        poster_key = poster.name if poster is not None and has_poster else None
        return Output(bucket=BUCKET, key=path.name, size_bytes=size_bytes, poster_key=poster_key)

    def store(self, render: Render, *, part: Path, poster_part: Path) -> None:
        """Rename the finished files to their final names, durably. Raises `OSError`.

        The poster, if there is one, is renamed first, so that it exists whenever the output does. If another worker has
        finished the same render, because this one was suspended and lost its lease, the other's files are kept.
        """
        path, poster = self.output(render), self.poster(render)
        if path.exists():
            return
        if poster is not None:
            _store_poster(path, poster, poster_part)
        part.rename(path)
        descriptor = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def delete(self, render: Render) -> None:
        """Remove the files of a render. Idempotent."""
        try:
            for path in (self.poster(render), self.output(render)):
                if path is not None:
                    path.unlink(missing_ok=True)
        except OSError as error:
            raise BackendUnavailable(f"the output of {render.id} can't be removed: {error}") from error

    def _size_bytes(self, path: Path) -> int | None:
        try:
            return path.stat().st_size
        except FileNotFoundError:
            return None
        except OSError as error:
            raise BackendUnavailable(f"{path.name} can't be read: {error}") from error


def _store_poster(path: Path, poster: Path, poster_part: Path) -> None:
    try:
        poster_part.rename(poster)
    except OSError as error:
        log.warning("%s has no poster: %s", path.name, error)
        remove(poster_part)


def remove(path: Path) -> None:
    """Remove an unneeded file, or a folder of such files, if it exists. Logs an error instead of raising it."""
    try:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    except OSError as error:
        log.warning("%s can't be removed: %s", path, error)
