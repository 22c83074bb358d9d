"""One attempt of the local backend: a child process, what it has told, and the files that it writes."""

import asyncio
import contextlib
import logging
import os
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from services.models import RenderPhase
from services.ports import Observation, Progress

EXIT_TIMEOUT_S = 5.0

log = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True)
class Attempt:
    """A child process and what it has told so far. It writes the video to `part`, its poster to `poster_part`."""

    process: asyncio.subprocess.Process
    part: Path
    poster_part: Path
    first_frame: tuple[int, datetime] | None = None
    state: Observation = field(
        default_factory=lambda: Progress(phase=RenderPhase.LAUNCHING, fraction=0.0, frames_rendered=0)
    )
    warnings: tuple[str, ...] = ()
    reader: asyncio.Task[None] | None = None

    async def end(self) -> None:
        """Stop reading and kill the child; its unfinished files are removed by the reader on its way out."""
        if self.reader is not None:
            self.reader.cancel()
            await asyncio.wait([self.reader])
        await self.kill()
        self.remove_parts()

    async def kill(self) -> None:
        """End the child at once, unless it has ended, and wait until it is gone."""
        if self.process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self.process.kill()
        await self.wait()

    async def wait(self) -> None:
        """Wait until the child is gone, but not for ever."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(EXIT_TIMEOUT_S):
                await self.process.wait()

    def keep(self, path: Path, poster: Path) -> int:
        """Give finished files their names, so that they survive a power cut, and return the video's size in bytes.

        The poster comes first, if there is one: who sees the video sees it too. If another worker finished the same
        render before, because this one was paused and lost it, that one's files stay.
        """
        if path.exists():
            return path.stat().st_size
        try:
            self.poster_part.rename(poster)
        except OSError as error:
            log.warning("%s has no poster: %s", path.name, error)
            remove(self.poster_part)
        self.part.rename(path)
        descriptor = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        return path.stat().st_size

    def remove_parts(self) -> None:
        """Remove what is left unfinished."""
        for part in (self.part, self.poster_part):
            remove(part)


def remove(path: Path) -> None:
    """Remove a file that nobody needs, if it is there; one that can't be removed is no reason to stop anything."""
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        log.warning("%s can't be removed: %s", path, error)
