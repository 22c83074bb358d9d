"""Loads the fields of `schema.render.Render` that are computed when requested: queue position and signed URLs."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field
from typing import TypeVar

from services.models import Download, Render, RenderPage
from services.renders.service import RenderService

S = TypeVar("S")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class RenderServiceLoader:
    """Implements `schema.render.RenderLoader` with the render service. Each read of the store is made in `reads`."""

    service: RenderService
    reads: AbstractAsyncContextManager[None] = field(default_factory=nullcontext)

    def queue_position(self, render: Render) -> "asyncio.Future[int | None]":
        """Return the render's place in the queue, as a future: several fields can await the same count."""
        return asyncio.ensure_future(self._read(self.service.queue_position, render))

    def has_next(self, page: RenderPage) -> "asyncio.Future[bool]":
        """Return whether there are older renders after the page, as a future: several fields can await it."""
        return asyncio.ensure_future(self._read(self.service.has_next, page))

    def has_previous(self, page: RenderPage) -> "asyncio.Future[bool]":
        """Return whether there are newer renders before the page, as a future."""
        return asyncio.ensure_future(self._read(self.service.has_previous, page))

    async def count(self, page: RenderPage) -> int:
        """Return the number of renders in the page's list."""
        return await self._read(self.service.count, page)

    def output_download(self, render: Render, *, as_attachment: bool) -> Download | None:
        """Return a signed URL of the output; None if there is none. If `as_attachment`, browsers save the file."""
        return self.service.sign(render, as_attachment=as_attachment)

    def poster_download(self, render: Render) -> Download | None:
        """Return a signed URL of the poster; None if there is none."""
        return self.service.sign_poster(render)

    def preview_download(self, render: Render) -> Download | None:
        """Return a signed URL of the newest preview; None if there is none."""
        return self.service.sign_preview(render)

    async def _read(self, read: Callable[[S], Awaitable[T]], source: S) -> T:
        async with self.reads:
            return await read(source)
