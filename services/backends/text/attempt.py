"""An attempt of the text backend: a child process, the state that it last reported, and the files that it writes."""

import asyncio
import contextlib
import dataclasses
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from services.clock import Stopwatch
from services.models import Failure, RenderPhase, replace
from services.ports import AttemptFailed, AttemptFinished, AttemptProgress, Observation
from services.renders.failure_messages import OWNER_MESSAGES
from services.storage.unfinished_files import remove

EXIT_TIMEOUT_S = 5.0

RENDERER_CRASHED = Failure(code="RENDERER_CRASHED", message=OWNER_MESSAGES["RENDERER_CRASHED"], retryable=True)


@dataclass(slots=True, kw_only=True)
class Attempt:
    """A child process and the state it last reported. It writes the output to `part`, the poster to `poster_part`.

    `silence` measures the time since the child's last message; its limit is `max_silence_s`, in running time.
    `first_progress` is the number of frames in the first report of progress, and its time of the monotonic clock.
    """

    process: asyncio.subprocess.Process
    part: Path
    poster_part: Path
    silence: Stopwatch
    max_silence_s: float
    first_progress: tuple[int, float] | None = None
    state: Observation = field(
        default_factory=lambda: AttemptProgress(phase=RenderPhase.LAUNCHING, fraction=0.0, frames_rendered=0)
    )
    warnings: tuple[str, ...] = ()
    is_storing: bool = False
    reader: asyncio.Task[None] | None = None

    @property
    def is_finished(self) -> bool:
        """Whether the output is stored, so that the child may run other attempts."""
        return isinstance(self.state, AttemptFinished)

    def report_progress(self, frames: int, *, total: int, now: datetime, now_s: float) -> None:
        """Set the state to this progress, with an estimate from the rate since the first report."""
        self.first_progress = self.first_progress or (frames, now_s)
        first, since_s = self.first_progress
        remaining_s = (now_s - since_s) * (total - frames) / (frames - first) if frames > first else None
        estimate = None if remaining_s is None else (now + timedelta(seconds=remaining_s)).replace(microsecond=0)
        self.state = AttemptProgress(
            phase=RenderPhase.RENDERING_FRAMES if frames < total else RenderPhase.ENCODING,
            fraction=frames / total,
            frames_rendered=frames,
            estimated_completion_at=estimate,
            warnings=self.warnings,
        )

    def report_storing(self) -> None:
        """Set the state to an attempt that is done, and whose files are being stored, however long that takes."""
        self.is_storing = True
        if isinstance(self.state, AttemptProgress):
            self.state = dataclasses.replace(
                self.state, phase=RenderPhase.COMBINING, fraction=1.0, estimated_completion_at=None
            )

    async def kill_if_hung(self) -> None:
        """Kill the child and set the state to failed if it has sent no message for `max_silence_s`."""
        if self.is_storing:
            return
        if isinstance(self.state, AttemptProgress) and self.silence.elapsed_s > self.max_silence_s:
            self.state = AttemptFailed(
                failure=replace(
                    RENDERER_CRASHED, detail=f"The renderer sent no message for {self.max_silence_s:.0f} s."
                )
            )
            await self.kill()

    async def end(self) -> None:
        """Stop reading, kill the child and remove its unfinished files."""
        if self.reader is not None:
            self.reader.cancel()
            await asyncio.wait([self.reader])
        await self.kill()
        self.remove_parts()

    async def kill(self) -> None:
        """Kill the child and wait for its end, unless it has finished this attempt."""
        if self.is_finished:
            return
        if self.process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self.process.kill()
        await self.wait()

    async def wait(self) -> None:
        """Wait for the child's end, for at most `EXIT_TIMEOUT_S`."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(EXIT_TIMEOUT_S):
                await self.process.wait()

    def remove_parts(self) -> None:
        """Remove the unfinished files."""
        for part in (self.part, self.poster_part):
            remove(part)
