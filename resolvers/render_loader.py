"""Loads the fields of `schema.render.Render` that are computed when requested: queue position and signed URLs."""

import asyncio
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field

from services.models import Download, Render, RenderPage
from services.renders.service import RenderService


@dataclass(frozen=True, slots=True)
class RenderServiceLoader:
    """Implements `schema.render.RenderLoader` with the render service. Each read of the store is made in `reads`."""

    service: RenderService
    reads: AbstractAsyncContextManager[None] = field(default_factory=nullcontext)

    def queue_position(self, render: Render) -> "asyncio.Future[int | None]":
        """Return the render's place in the queue, as a future: several fields can await the same count."""
        return asyncio.ensure_future(self._queue_position(render))

    async def count(self, page: RenderPage) -> int:
        """Return the number of renders in the page's list."""
        async with self.reads:
            return await self.service.count(page)

    def output_download(self, render: Render, *, saves: bool) -> Download | None:
        """Return a signed URL of the output; None if there is none. If `saves`, browsers save the file."""
        return self.service.sign(render, saves=saves)

    def poster_download(self, render: Render) -> Download | None:
        """Return a signed URL of the poster; None if there is none."""
        return self.service.sign_poster(render)

    def preview_download(self, render: Render) -> Download | None:
        """Return a signed URL of the newest preview; None if there is none."""
        return self.service.sign_preview(render)

    async def _queue_position(self, render: Render) -> int | None:
        async with self.reads:
            return await self.service.queue_position(render)
