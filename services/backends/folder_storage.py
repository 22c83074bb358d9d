"""The storage of outputs in a folder, from which this server serves them by signed URL."""

import contextlib
import time
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from services.backends.output_files import PART_SUFFIX, OutputFiles, remove
from services.backends.url_signing import DownloadSigner
from services.errors import StartupError
from services.models import Download, Output, Render
from services.ports import Clock

MAX_WRITING_S = 86_400.0  # an unfinished file not modified for a day belongs to no running process


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderStorage:
    """The outputs in a folder, and the URLs of this server for them. Open it with `open_folder_storage`."""

    files: OutputFiles
    signer: DownloadSigner
    base_url: str
    clock: Clock

    def sign(self, output: Output, *, expires_in: timedelta, file_name: str | None = None) -> Download:
        """Return a URL of this server. It includes `file_name`, which the signature covers."""
        return self._sign(output.key, expires_in, file_name=file_name)

    def sign_poster(self, output: Output, *, expires_in: timedelta) -> Download | None:
        """Return a URL of this server for the poster; None if there is none."""
        return None if output.poster_key is None else self._sign(output.poster_key, expires_in)

    def find_download(self, name: str, *, expires: str, signature: str, file_name: str | None = None) -> Path | None:
        """Return the file of a signed URL; None if the URL is invalid or expired or the file doesn't exist."""
        now = self.clock.now()
        if not self.signer.verify(name, expires=expires, signature=signature, now=now, file_name=file_name):
            return None
        return self.files.find(name)

    def _sign(self, name: str, expires_in: timedelta, *, file_name: str | None = None) -> Download:
        expires_at = (self.clock.now() + expires_in).replace(microsecond=0)
        path = self.signer.sign(name, expires_at, file_name=file_name)
        return Download(url=f"{self.base_url}/files/{path}", expires_at=expires_at)


class FolderBackend:
    """The part of a `RenderBackend` that is the same for all whose outputs are in a folder of this machine."""

    def __init__(self, storage: FolderStorage) -> None:
        self.storage = storage

    def sign(self, output: Output, *, expires_in: timedelta, file_name: str | None = None) -> Download:
        """Return a URL of this server. It includes `file_name`, which the signature covers."""
        return self.storage.sign(output, expires_in=expires_in, file_name=file_name)

    def sign_poster(self, output: Output, *, expires_in: timedelta) -> Download | None:
        """Return a URL of this server for the poster; None if there is none."""
        return self.storage.sign_poster(output, expires_in=expires_in)

    async def has_output(self, output: Output) -> bool:
        """Return whether the file exists. Raises `BackendUnavailable` if the folder can't be read."""
        return self.storage.files.exists(output.key)

    async def delete(self, render: Render) -> None:
        """Remove the files. Raises `BackendUnavailable` if the folder can't be written."""
        self.storage.files.delete(render)


def open_folder_storage(data_dir: Path, *, base_url: str, clock: Clock, shared: bool) -> FolderStorage:
    """Open the storage in a data folder, which other processes may use too if it is `shared`.

    Unfinished files that no process can be writing are removed. Raises `StartupError` if the folder can't be written.
    """
    folder = data_dir / "outputs"
    try:
        folder.mkdir(exist_ok=True)
        for part in folder.glob(f"*{PART_SUFFIX}"):
            with contextlib.suppress(FileNotFoundError):  # another process that shares the folder has just finished it
                if not shared or time.time() - part.stat().st_mtime > MAX_WRITING_S:
                    remove(part)
        signer = DownloadSigner.from_file(data_dir / "download-key")
    except OSError as error:
        raise StartupError(f"The folder {folder} can't be used for videos: {error}.") from error
    return FolderStorage(files=OutputFiles(folder), signer=signer, base_url=base_url, clock=clock)
