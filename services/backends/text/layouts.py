"""Lays out texts in renderer processes, for previews: this process does not load the libraries that draw."""

import asyncio
import contextlib
import logging
from asyncio.subprocess import Process
from typing import Final

import msgspec

from services.backends.text.child_messages import DoneMessage, ErrorMessage, LayoutMessage, parse_message
from services.backends.text.renderers import Renderers
from services.errors import BackendUnavailable
from services.models.text_layout import TextLayout

_TIMEOUT_S: Final = 10.0  # a layout takes 20 ms, the start of a process a quarter of a second

log = logging.getLogger(__name__)


class TextLayouts:
    """Runs one layout at a time, in a process that renders nothing meanwhile."""

    def __init__(self, renderers: Renderers) -> None:
        self._renderers = renderers
        self._turn = asyncio.Lock()

    async def lay_out(self, job: bytes) -> TextLayout | None:
        """Return the layout of a job with `layout_only` (see `job.py`); None if its fonts are too large.

        Raises `BackendUnavailable`.
        """
        async with self._turn:
            try:
                async with asyncio.timeout(_TIMEOUT_S):
                    return await self._lay_out(job)
            except (OSError, ValueError, TimeoutError) as error:
                log.warning("a text can't be laid out: %s", str(error) or type(error).__name__)
                raise BackendUnavailable("The text can't be laid out now.") from error

    async def _lay_out(self, job: bytes) -> TextLayout | None:
        process = await self._renderers.take()
        try:
            layout = await _response(process, job)
        except BaseException:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
            raise
        self._renderers.give_back(process)
        return layout


async def _response(process: Process, job: bytes) -> TextLayout | None:
    """Send the job and return the layout. Raises `OSError`, or `ValueError` for any other response."""
    if process.stdin is None or process.stdout is None:
        raise OSError("The process has no pipes.")
    process.stdin.write(job)
    await process.stdin.drain()
    layout: TextLayout | None = None
    async for line in process.stdout:
        match parse_message(line):
            case LayoutMessage(layout=content):
                layout = msgspec.convert(content, TextLayout | None)
            case DoneMessage():
                return layout
            case ErrorMessage(message=message, detail=detail):
                raise ValueError(detail or message)
            case _:
                pass
    raise OSError("The process ended.")
