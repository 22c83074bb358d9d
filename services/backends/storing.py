"""The part of a `RenderBackend` that is the same for all that store their outputs themselves."""

from collections.abc import Callable
from datetime import timedelta

from services.backends.previews.publisher import PreviewPublisher
from services.models import Download, Output, Render
from services.storage.ports import OutputStorage


class StoringBackend:
    """Signs, finds and deletes the outputs in its storage, and stores the previews of what this process renders.

    `on_change` is set by the worker (see `ReportsChanges`).
    """

    def __init__(self, storage: OutputStorage) -> None:
        self.storage = storage
        self.on_change: Callable[[str], None] = _ignore
        self._previews = PreviewPublisher(storage)

    def sign(self, output: Output, *, expires_in: timedelta, file_name: str | None = None) -> Download:
        """Return a URL of the output."""
        return self.storage.sign(output, expires_in=expires_in, file_name=file_name)

    def sign_poster(self, output: Output, *, expires_in: timedelta) -> Download | None:
        """Return a URL of the poster; None if there is none."""
        return self.storage.sign_poster(output, expires_in=expires_in)

    def sign_preview(self, render: Render, *, expires_in: timedelta) -> Download | None:
        """Return a URL of the newest preview; None if there is none."""
        frame = render.preview_frame
        return None if frame is None else self.storage.sign_preview(render, frame=frame, expires_in=expires_in)

    async def has_output(self, output: Output) -> bool:
        """Return whether the output is still stored. Raises `BackendUnavailable`."""
        return await self.storage.has_output(output)

    async def delete(self, render: Render) -> None:
        """Delete the files of a render. Raises `BackendUnavailable`.

        A preview that this process is still storing is deleted too, so that none is left when this returns.
        """
        await self._previews.wait(render)
        await self.storage.delete(render)


def _ignore(render_id: str) -> None:
    """Do nothing: no worker polls this backend."""
