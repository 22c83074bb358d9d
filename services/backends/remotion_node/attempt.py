"""An attempt of the node backend: a job of a render host, and the state that it last reported."""

import asyncio
import json
import logging
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

from services.backends.internal_errors import log_internal_error
from services.backends.remotion_node import failures
from services.backends.remotion_node.host_messages import (
    CompositionMessage,
    DoneMessage,
    FailedMessage,
    FrameMessage,
    JobMessage,
    ProgressMessage,
)
from services.backends.remotion_node.jobs import HostEnd, HostLost, Job
from services.backends.remotion_node.options import render_kind, render_options
from services.backends.remotion_node.posters import make_poster
from services.backends.remotion_node.previews import Previews
from services.backends.remotion_options import Capture
from services.backends.remotion_props import props_of
from services.media import FORMATS, Media, output_media
from services.models import Render, RenderPhase
from services.ports import AttemptFailed, AttemptFinished, AttemptMissing, AttemptProgress, Clock, Observation
from services.storage.finished_files import NotStored, store_finished
from services.storage.keys import poster_name
from services.storage.ports import OutputStorage
from services.storage.unfinished_files import remove

# After so many interruptions, a render whose host ends while it runs nothing else is taken to be the cause, and the end
# counts as one of its attempts, of which it has 3 by default. Even if something else ends two of three hosts, and 50
# kills over 30 renders (test_node_kills.py) end fewer, 13 such ends in a row happen to one render in 200. A render that
# ends each host costs 13 starts of one, about a second of CPU time each.
MAX_LOST_HOSTS = 10
# The shares of drawing and encoding in the progress, as Remotion's own.
_DRAWING, _ENCODING = 0.7, 0.3

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unfinished:
    """The folder of an attempt's unfinished files: Remotion requires the extension of the format."""

    folder: Path
    extension: str

    @property
    def output(self) -> Path:
        """The unfinished output."""
        return self.folder / f"output.{self.extension}"

    @property
    def poster(self) -> Path:
        """The unfinished poster."""
        return self.folder / "poster.jpg"

    @property
    def last_frame(self) -> Path:
        """The frame of which the poster is made."""
        return self.folder / "last-frame"


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderSettings:
    """The settings of a deployment for all its renders."""

    capture: Capture
    license_key: str | None
    cpu_second_usd: float


class JobFailed(Exception):  # noqa: N818  # not a bug
    """The host has reported an error of the job."""

    def __init__(self, message: FailedMessage) -> None:
        self.message = message
        super().__init__(message.message)


class Attempt:
    """Runs a render as a job of a host. Frames are drawn only once the caller has seen the real size and length.

    `on_change` is called when the caller should observe it at once: at its end, and while it waits for the caller.
    """

    def __init__(
        self,
        render: Render,
        job: Job,
        *,
        storage: OutputStorage,
        unfinished: Path,
        clock: Clock,
        settings: RenderSettings,
        previews: Previews,
        on_change: Callable[[], None],
    ) -> None:
        self.state: Observation = AttemptProgress(phase=RenderPhase.LAUNCHING, fraction=0.0, frames_rendered=0)
        self._render = render
        self._job = job
        self._storage = storage
        self._unfinished = Unfinished(folder=unfinished, extension=FORMATS[render.output_options.format].extension)
        self._clock = clock
        self._settings = settings
        self._previews = previews
        self._on_change = on_change
        self._first: tuple[float, float] | None = None  # of the progress: its fraction, and the monotonic time
        self._is_shown = False
        self._accepted = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self, *, serve_url: str, resources: AsyncExitStack) -> None:
        """Start in a task, which updates `state`, and closes the resources at its end: the job and the bundle."""
        self._task = asyncio.create_task(self._run(serve_url, resources), name=f"render {self._render.id}")

    def observe(self) -> Observation:
        """Return the state. The second call that finds a size which was not expected accepts it."""
        self._job.kill_host_if_hung()
        if isinstance(self.state, AttemptProgress) and self.state.media is not None and not self._accepted.is_set():
            if self._is_shown:
                self._accepted.set()
            else:
                self._is_shown = True
                self._on_change()
        return self.state

    async def end(self) -> None:
        """Stop the job if it is still running, and remove its unfinished files."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _run(self, serve_url: str, resources: AsyncExitStack) -> None:
        async with resources:
            await self._try(serve_url)

    async def _try(self, serve_url: str) -> None:
        try:
            await self._draw(await self._select(serve_url))
        except JobFailed as failed:
            self.state = AttemptFailed(failure=failures.classify(failed.message))
        except HostLost as lost:
            self.state = self._lost(lost.end)
        except NotStored as error:
            self.state = AttemptFailed(failure=error.failure)
        except OSError as error:
            self.state = AttemptFailed(failure=failures.of_file_system(error))
        except Exception as error:  # noqa: BLE001  # logged; else the attempt would only end at its time limit
            self.state = AttemptFailed(failure=log_internal_error(self._render, error))
        finally:
            remove(self._unfinished.folder)  # before anything is awaited: the caller of `end` cancels what is
            self._on_change()
            await self._previews.end()

    async def _select(self, serve_url: str) -> Media:
        """Return the size and length of the composition with the render's props.

        The folder of unfinished files is created once the host has its name, since the host removes it if this process
        is killed, and is linked before, for the case that the host is killed too before it has read the name.
        """
        props, folder = json.loads(props_of(self._render)), self._unfinished.folder
        name = self._render.composition_id
        kind = render_kind(self._render.output_options)
        self._job.link(folder)
        self._job.send("select", kind=kind, serveUrl=serve_url, id=name, inputProps=props, folder=str(folder))
        folder.mkdir()
        message = await self._receive()
        if not isinstance(message, CompositionMessage):
            raise TypeError(f"the host has sent an unexpected message: {message.type}")
        return Media(frames=message.frames, fps=message.fps, width=round(message.width), height=round(message.height))

    async def _draw(self, composition: Media) -> None:
        options = self._render.output_options
        media = output_media(composition, options)
        self.state = AttemptProgress(phase=RenderPhase.LAUNCHING, fraction=0.0, frames_rendered=0, media=media)
        if media == self._render.media:
            self._accepted.set()
        else:
            self._on_change()
            await self._accepted.wait()
        self._job.send(
            "render",
            output=str(self._unfinished.output),
            lastFrame=None if poster_name(self._render) is None else str(self._unfinished.last_frame),
            options=render_options(
                options, composition, capture=self._settings.capture, license_key=self._settings.license_key
            ),
        )
        while not isinstance(message := await self._receive(), DoneMessage):
            if isinstance(message, ProgressMessage):
                self._report(message, media)
                self._previews.request(media)
            elif isinstance(message, FrameMessage):
                self._previews.receive(message)
        await self._store(media)

    async def _receive(self) -> JobMessage:
        message = await self._job.receive()
        if isinstance(message, FailedMessage):
            raise JobFailed(message)
        return message

    async def _store(self, media: Media) -> None:
        """Store the finished output and its poster durably."""
        unfinished, cost_usd = self._unfinished, self._job.measure_cpu_s() * self._settings.cpu_second_usd
        if poster_name(self._render) is not None:
            transparent = self._render.output_options.transparent
            await make_poster(unfinished.last_frame, unfinished.poster, transparent=transparent)
        if isinstance(self.state, AttemptProgress):
            self.state = replace(self.state, phase=RenderPhase.COMBINING, fraction=1.0, estimated_completion_at=None)
        output = await store_finished(
            self._storage, self._render, output=unfinished.output, poster=unfinished.poster, clock=self._clock
        )
        self.state = AttemptFinished(output=output, cost_usd=cost_usd, media=media)

    def _report(self, message: ProgressMessage, media: Media) -> None:
        drawn, encoded = message.rendered / media.frames, message.encoded / media.frames
        phase = RenderPhase.COMBINING if message.combining else RenderPhase.ENCODING
        fraction = min(1.0, _DRAWING * drawn + _ENCODING * encoded)
        now_s = self._clock.monotonic()
        self._first = self._first or (fraction, now_s)
        first, since_s = self._first
        remaining_s = (now_s - since_s) * (1 - fraction) / (fraction - first) if fraction > first else None
        self.state = AttemptProgress(
            phase=RenderPhase.RENDERING_FRAMES if drawn < 1 else phase,
            fraction=fraction,
            frames_rendered=message.rendered,
            cost_usd=self._job.cpu_s * self._settings.cpu_second_usd,
            estimated_completion_at=None
            if remaining_s is None
            else (self._clock.now() + timedelta(seconds=remaining_s)).replace(microsecond=0),
            media=media,
        )

    def _lost(self, end: HostEnd) -> Observation:
        """Return the state after the end of the host. It says nothing about this render, unless that repeats."""
        render = self._render
        log.warning("render %s: %s", render.id, end.reason)
        if end.was_alone and end.memory:
            return AttemptFailed(failure=failures.with_detail(failures.OUT_OF_MEMORY, end.reason))
        if end.was_alone and render.interruptions >= MAX_LOST_HOSTS:
            return AttemptFailed(failure=failures.with_detail(failures.CRASHED, end.reason))
        return AttemptMissing()
