"""A `RenderBackend` that renders nothing; tests set the state of each attempt."""

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta
from urllib.parse import quote

from services.clock import SystemClock
from services.errors import BackendUnavailable, StartImpossible, StartRejected, StartUncertain
from services.media import Media, OutputFormat
from services.models import (
    TEXT_ANIMATION,
    Composition,
    CompositionKind,
    Download,
    Failure,
    Output,
    Render,
    RenderPhase,
    replace,
)
from services.ports import (
    AttemptFailed,
    AttemptFinished,
    AttemptMissing,
    AttemptProgress,
    Clock,
    Observation,
)

ANIMATION = Composition(
    id=TEXT_ANIMATION,
    kind=CompositionKind.VIDEO,
    width=1280,
    height=720,
    fps=30,
    duration_in_frames=90,
    outputs=tuple(OutputFormat),
    is_dynamic=True,
)


class Capacity:
    """The descriptor of a fake backend's capacity, 4 by default. A read sets `capacity_was_read`."""

    def __get__(self, backend: "FakeBackend | None", _: object = None) -> int:
        if backend is None:
            return 4
        backend.capacity_was_read.set()
        return backend._capacity

    def __set__(self, backend: "FakeBackend", value: int) -> None:
        backend._capacity = value


@dataclass
class FakeBackend:
    """A `RenderBackend` with at most one attempt a render, kept by render id.

    `overlaps` are the renders of which an attempt was started while another was running.
    `rejections` is how many starts are rejected first; `start_gate` delays the response to a start until it is set.
    `concurrency` limits the functions that run at once: an attempt is one function until it draws frames, then
    `functions`. `catalog` and `version` are the site's compositions and its version.
    """

    capacity: Capacity = Capacity()
    poll_interval: timedelta = timedelta(seconds=1)
    limit: timedelta = timedelta(minutes=5)
    rejections: int = 0
    concurrency: int | None = None
    functions: int = 1
    site: str = "fake"
    animation_composition_id: str = TEXT_ANIMATION
    version: str = "1"
    catalog: tuple[Composition, ...] = (ANIMATION,)
    formats: frozenset[OutputFormat] = frozenset(OutputFormat)
    impossible: Failure | None = None
    lost_responses: int = 0
    unavailable: bool = False
    stop_unavailable: bool = False
    persistent_failure: Failure | None = None
    start_gate: asyncio.Event | None = None
    rejected: int = 0
    starts: list[str] = field(default_factory=list)
    overlaps: list[str] = field(default_factory=list)
    stopped: list[str] = field(default_factory=list)
    abandoned: list[tuple[str, str | None]] = field(default_factory=list)
    attempts: dict[str, Observation] = field(default_factory=dict)
    outputs: set[str] = field(default_factory=set)
    unnoticed: dict[str, AttemptFinished] = field(default_factory=dict)
    signed: list[str] = field(default_factory=list)
    clock: Clock = field(default_factory=SystemClock)
    capacity_was_read: asyncio.Event = field(default_factory=asyncio.Event)
    _capacity: int = field(init=False)

    async def stop_starting(self) -> None:
        """Set the capacity to 0, and wait until the running worker has read it, after which it acquires no render."""
        self.capacity = 0
        self.capacity_was_read.clear()
        async with asyncio.timeout(30):
            await self.capacity_was_read.wait()

    async def site_version(self) -> str:
        if self.unavailable:
            raise BackendUnavailable("no response")
        return self.version

    async def compositions(self) -> tuple[Composition, ...]:
        if self.unavailable:
            raise BackendUnavailable("no response")
        return self.catalog

    def time_limit(self, render: Render) -> timedelta:
        del render
        return self.limit

    async def start(self, render: Render) -> str:
        if self.rejections:
            self.rejections -= 1
            raise StartRejected("no capacity")
        if not self._has_capacity(1):
            self.rejected += 1
            raise StartRejected("no capacity")
        if self.impossible is not None:
            raise StartImpossible(self.impossible)
        self.starts.append(render.id)
        if isinstance(self.attempts.get(render.id), AttemptProgress):
            self.overlaps.append(render.id)
        self.attempts[render.id] = AttemptProgress(phase=RenderPhase.LAUNCHING, fraction=0.0, frames_rendered=0)
        if self.lost_responses:
            self.lost_responses -= 1
            raise StartUncertain("no response")
        if self.start_gate is not None:
            await self.start_gate.wait()
        return f"attempt-{len(self.starts)}"

    async def observe(self, render: Render, *, check_output: bool = False) -> Observation:
        if self.unavailable:
            raise BackendUnavailable("no response", failure=self.persistent_failure)
        if check_output and (finished := self.unnoticed.get(render.id)):
            return finished
        return self.attempts.get(render.id, AttemptMissing())

    async def stop(self, render: Render) -> AttemptFinished | None:
        if self.unavailable or self.stop_unavailable:
            raise BackendUnavailable("no response", failure=self.persistent_failure)
        self.stopped.append(render.id)
        attempt = self.attempts.pop(render.id, None)
        return attempt if isinstance(attempt, AttemptFinished) else self.unnoticed.get(render.id)

    async def abandon(self, render: Render) -> None:
        self.abandoned.append((render.id, render.backend_render_id))

    def sign(self, output: Output, *, expires_in: timedelta, file_name: str | None = None) -> Download:
        self.signed.append(output.key)
        query = "" if file_name is None else f"?download={quote(file_name)}"
        return Download(url=f"https://videos.example/{output.key}{query}", expires_at=self.clock.now() + expires_in)

    def sign_poster(self, output: Output, *, expires_in: timedelta) -> Download | None:
        return (
            None
            if output.poster_key is None
            else self.sign(replace(output, key=output.poster_key), expires_in=expires_in)
        )

    def sign_preview(self, render: Render, *, expires_in: timedelta) -> Download | None:
        if render.preview_frame is None:
            return None
        output = Output(bucket="fake", key=f"{render.id}.preview.jpg?frame={render.preview_frame}", size_bytes=1)
        return self.sign(output, expires_in=expires_in)

    async def has_output(self, output: Output) -> bool:
        if self.unavailable:
            raise BackendUnavailable("no response")
        return output.key in self.outputs

    async def delete(self, render: Render) -> None:
        if self.unavailable:
            raise BackendUnavailable("no response")
        if render.output is not None:
            self.outputs.discard(render.output.key)

    def progress(
        self, render_id: str, frames: int, *, of: int = 90, media: Media | None = None, preview: int | None = None
    ) -> None:
        """Set the attempt's progress."""
        self.attempts[render_id] = AttemptProgress(
            phase=RenderPhase.RENDERING_FRAMES,
            fraction=frames / of,
            frames_rendered=frames,
            media=media,
            preview_frame=preview,
        )

    def draw(self, render_id: str, frames: int, *, of: int = 90) -> None:
        """Draw this many frames; the last finishes the attempt. It fails first if `concurrency` is exceeded."""
        attempt = self.attempts[render_id]
        assert isinstance(attempt, AttemptProgress)
        drawn = attempt.frames_rendered + frames
        if not attempt.frames_rendered and not self._has_capacity(self.functions - 1):
            self.break_down(render_id, retryable=True, busy=True)
        elif drawn < of:
            self.progress(render_id, drawn, of=of)
        else:
            self.finish(render_id)

    def _has_capacity(self, functions: int) -> bool:
        running = [attempt for attempt in self.attempts.values() if isinstance(attempt, AttemptProgress)]
        used = sum(self.functions if attempt.frames_rendered else 1 for attempt in running)
        return self.concurrency is None or used + functions <= self.concurrency

    def finish(self, render_id: str) -> None:
        """Finish the attempt with a video."""
        self.attempts[render_id] = self._store_output(render_id)

    def finish_unnoticed(self, render_id: str) -> None:
        """Store a video without a change of the attempt's progress."""
        self.unnoticed[render_id] = self._store_output(render_id)

    def _store_output(self, render_id: str) -> AttemptFinished:
        output = Output(bucket="fake", key=f"{render_id}.mp4", size_bytes=1000, poster_key=f"{render_id}.jpg")
        self.outputs.add(output.key)
        return AttemptFinished(output=output, cost_usd=0.01)

    def break_down(self, render_id: str, *, retryable: bool, busy: bool = False, code: str = "BROKEN") -> None:
        """Fail the attempt."""
        failure = Failure(code=code, message="It broke.", retryable=retryable)
        self.attempts[render_id] = AttemptFailed(failure=failure, busy=busy)

    def forget(self, render_id: str) -> None:
        """Remove the attempt, as if its process had ended."""
        self.attempts.pop(render_id, None)
