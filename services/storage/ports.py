"""The contract of an output storage. All storages pass the tests in `tests/services/storage/`."""

from datetime import timedelta
from pathlib import Path
from typing import Protocol

from services.models import Download, Output, Render


class OutputStorage(Protocol):
    """Stores the output of each finished render, with its poster, and the preview of each running one.

    Asynchronous methods raise `BackendUnavailable` if the storage can't be used now, with a `failure` if an operator
    must act first. A file is stored completely or not at all, also if the call is cancelled.
    """

    @property
    def work_folder(self) -> Path:
        """Absolute path of a folder of this machine for unfinished files, whose names end with `PART_SUFFIX`."""
        ...

    async def stored(self, render: Render) -> Output | None:
        """Return the render's stored output; None if there is none."""
        ...

    async def store(self, render: Render, *, output: Path, poster: Path | None) -> Output:
        """Store finished files of the work folder durably, and return the stored output.

        The poster, if the file exists, is stored first, so that it exists whenever the output does; one that can't be
        stored is logged. An output that is stored already, because another worker has finished the same render, is
        kept and returned. The files may be moved.
        """
        ...

    async def has_output(self, output: Output) -> bool:
        """Return whether the output is still stored."""
        ...

    async def delete(self, render: Render) -> None:
        """Delete the render's output, poster and preview. Idempotent."""
        ...

    def sign(self, output: Output, *, expires_in: timedelta, file_name: str | None = None) -> Download:
        """Return a URL of the output, as `RenderBackend.sign` does."""
        ...

    def sign_poster(self, output: Output, *, expires_in: timedelta) -> Download | None:
        """Return a URL of the poster, as `RenderBackend.sign_poster` does."""
        ...

    async def store_preview(self, render: Render, jpeg: bytes) -> None:
        """Store the preview of a running render, a JPEG, in place of the former one."""
        ...

    async def delete_preview(self, render: Render) -> None:
        """Delete the render's preview. Idempotent."""
        ...

    def sign_preview(self, render: Render, *, frame: int, expires_in: timedelta) -> Download:
        """Return a URL of the render's preview, which differs for each `frame`. Does no I/O."""
        ...
