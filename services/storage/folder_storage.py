"""The output storage in a folder, from which this server serves them by signed URL."""

import asyncio
import contextlib
import errno
import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from services.errors import BackendUnavailable, StartupError
from services.models import Download, Failure, Output, Render
from services.ports import Clock
from services.renders.failure_messages import OWNER_MESSAGES
from services.storage.keys import FOLDER_BUCKET, is_stored_name, output_name, poster_name, preview_name, stored_names
from services.storage.unfinished_files import prepare_work_folder, unfinished
from services.storage.url_signing import KEY_FILE, DownloadSigner

DISK_FULL = Failure(
    code="RENDERER_OUT_OF_DISK",
    message=OWNER_MESSAGES["RENDERER_OUT_OF_DISK"],
    retryable=True,
    detail="The disk of RENDERCAST_DATA_DIR is full.",
)

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderStorage:
    """An `OutputStorage` in a folder, and the URLs of this server for it. Open it with `open_folder_storage`."""

    folder: Path
    signer: DownloadSigner
    base_url: str
    clock: Clock

    @property
    def work_folder(self) -> Path:
        """The folder of the outputs itself, so that a finished file only has to be renamed."""
        return self.folder

    async def stored(self, render: Render) -> Output | None:
        """Return the render's output; None if there is none."""
        return await asyncio.to_thread(self._stored, render)

    async def store(self, render: Render, *, output: Path, poster: Path | None) -> Output:
        """Rename finished files to their final names, durably."""
        return await asyncio.to_thread(self._store, render, output, poster)

    async def has_output(self, output: Output) -> bool:
        """Return whether the file exists."""
        return await asyncio.to_thread(self._size_bytes, output.key) is not None

    async def delete(self, render: Render) -> None:
        """Remove the files of a render, also those of another format: a damaged render's format is not known."""
        await asyncio.to_thread(self._delete, render)

    async def store_preview(self, render: Render, jpeg: bytes) -> None:
        """Replace the file of the preview."""
        await asyncio.to_thread(self._store_preview, preview_name(render), jpeg)

    async def delete_preview(self, render: Render) -> None:
        """Remove the file of the preview."""
        await asyncio.to_thread(self._remove, preview_name(render))

    async def delete_ended_before(self, moment: datetime) -> int:
        """Remove the files of renders that were written before; return their number."""
        return await asyncio.to_thread(self._delete_written_before, moment)

    def sign(self, output: Output, *, expires_in: timedelta, file_name: str | None = None) -> Download:
        """Return a URL of this server. It includes `file_name`, which the signature covers."""
        return self._sign(output.key, expires_in, file_name=file_name)

    def sign_poster(self, output: Output, *, expires_in: timedelta) -> Download | None:
        """Return a URL of this server for the poster; None if there is none."""
        return None if output.poster_key is None else self._sign(output.poster_key, expires_in)

    def sign_preview(self, render: Render, *, frame: int, expires_in: timedelta) -> Download:
        """Return a URL of this server. The frame in it only makes it different."""
        signed = self._sign(preview_name(render), expires_in)
        return Download(url=f"{signed.url}&frame={frame}", expires_at=signed.expires_at)

    def find_download(self, name: str, *, expires: str, signature: str, file_name: str | None = None) -> Path | None:
        """Return the file of a signed URL; None if the URL is invalid or expired or the file doesn't exist."""
        now = self.clock.now()
        if not self.signer.verify(name, expires=expires, signature=signature, now=now, file_name=file_name):
            return None
        path = self.folder / name
        return path if path.is_file() else None

    def _sign(self, name: str, expires_in: timedelta, *, file_name: str | None = None) -> Download:
        expires_at = (self.clock.now() + expires_in).replace(microsecond=0)
        path = self.signer.sign(name, expires_at, file_name=file_name)
        return Download(url=f"{self.base_url}/files/{path}", expires_at=expires_at)

    def _stored(self, render: Render) -> Output | None:
        key, poster = output_name(render), poster_name(render)
        size_bytes = self._size_bytes(key)
        if size_bytes is None:
            return None
        poster_key = poster if poster is not None and (self.folder / poster).is_file() else None
        return Output(bucket=FOLDER_BUCKET, key=key, size_bytes=size_bytes, poster_key=poster_key)

    def _store(self, render: Render, output: Path, poster: Path | None) -> Output:
        if (stored := self._stored(render)) is not None:
            return stored
        with _unavailable(f"the output of {render.id} can't be stored"):
            poster_key = self._store_poster(render, poster)
            size_bytes = _sync(output)
            output.rename(self.folder / output_name(render))
            _sync(self.folder)
        return Output(bucket=FOLDER_BUCKET, key=output_name(render), size_bytes=size_bytes, poster_key=poster_key)

    def _store_poster(self, render: Render, poster: Path | None) -> str | None:
        name = poster_name(render)
        if name is None or poster is None or not poster.exists():
            return None
        try:
            _sync(poster)
            poster.rename(self.folder / name)
        except OSError as error:
            log.warning("render %s has no poster: %s", render.id, error)
            return None
        return name

    def _delete(self, render: Render) -> None:
        for name in stored_names(render.id):
            self._remove(name)

    def _delete_written_before(self, moment: datetime) -> int:
        deleted = 0
        with _unavailable("old outputs can't be removed"):
            for path in self.folder.iterdir():
                with contextlib.suppress(FileNotFoundError):  # another process has just removed it
                    if is_stored_name(path.name) and path.stat().st_mtime < moment.timestamp():
                        path.unlink()
                        deleted += 1
        return deleted

    def _remove(self, name: str) -> None:
        with _unavailable(f"{name} can't be removed"):
            (self.folder / name).unlink(missing_ok=True)

    def _store_preview(self, name: str, jpeg: bytes) -> None:
        part = unfinished(self.folder, name)
        with _unavailable(f"{name} can't be stored"):
            part.write_bytes(jpeg)
            part.rename(self.folder / name)

    def _size_bytes(self, name: str) -> int | None:
        with _unavailable(f"{name} can't be read"):
            try:
                return (self.folder / name).stat().st_size
            except FileNotFoundError:
                return None


def open_folder_storage(data_dir: Path, *, base_url: str, clock: Clock, shared: bool) -> FolderStorage:
    """Open the storage in a data folder, which other processes may use too if it is `shared`.

    Unfinished files that no process can be writing are removed. Raises `StartupError` if the folder can't be written.
    """
    folder = data_dir.resolve() / "outputs"
    try:
        prepare_work_folder(folder, shared=shared)
        signer = DownloadSigner.from_file(data_dir / KEY_FILE)
    except OSError as error:
        raise StartupError(f"The folder {folder} can't be used for videos: {error}.") from error
    return FolderStorage(folder=folder, signer=signer, base_url=base_url, clock=clock)


@contextlib.contextmanager
def _unavailable(problem: str) -> Iterator[None]:
    """Raise `BackendUnavailable` for an error of the file system."""
    try:
        yield
    except OSError as error:
        is_full = error.errno in {errno.ENOSPC, errno.EDQUOT}
        raise BackendUnavailable(f"{problem}: {error}", failure=DISK_FULL if is_full else None) from error


def _sync(path: Path) -> int:
    """Write a file or folder to the disk; return its size in bytes."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
        return os.fstat(descriptor).st_size
    finally:
        os.close(descriptor)
