"""The text backend: each render is a child process that writes the output and its poster into the data folder.

A child ends with the process that started it (it watches its standard input), so no child survives a crash of its
parent: an attempt that this process doesn't know has left a finished output, or is `AttemptMissing` and rendered again.
"""

import asyncio
import contextlib
import hashlib
import json
import logging
import secrets
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import TypeVar

import msgspec

from services.backends.cores import available_cores
from services.backends.internal_errors import log_internal_error
from services.backends.storing import StoringBackend
from services.backends.text.attempt import RENDERER_CRASHED, Attempt
from services.backends.text.child_messages import (
    ChildMessage,
    DoneMessage,
    ErrorMessage,
    PreviewMessage,
    ProgressMessage,
    WarningMessage,
    parse_message,
)
from services.backends.text.font_library import FontLibrary
from services.backends.text.formats import TEXT_FORMATS
from services.backends.text.layouts import TextLayouts
from services.backends.text.renderers import Renderers
from services.backends.text.time_limits import max_rendering_time, max_silence_s
from services.clock import RunningTime, Stopwatch
from services.errors import StartImpossible, StartRejected
from services.media import Media, OutputOptions, output_media
from services.models import TEXT_ANIMATION, AnimationProps, Composition, Failure, Output, Render
from services.models.fonts import FontFamily
from services.models.text_layout import TextLayout
from services.ports import AttemptFailed, AttemptFinished, AttemptMissing, AttemptProgress, Clock, Observation
from services.renders.failure_messages import OWNER_MESSAGES
from services.renders.text_animation import SITE, text_composition
from services.storage.finished_files import NotStored, store_finished
from services.storage.ports import OutputStorage
from services.storage.unfinished_files import unfinished

POLL_INTERVAL = timedelta(milliseconds=100)

NOT_AN_ANIMATION = Failure(
    code="COMPOSITION_NOT_FOUND",
    message=OWNER_MESSAGES["COMPOSITION_NOT_FOUND"],
    retryable=False,
    detail="The render was started for another renderer: use the same RENDERCAST_RENDERER in all processes of a store.",
)

Stream = TypeVar("Stream", asyncio.StreamReader, asyncio.StreamWriter)

log = logging.getLogger(__name__)


class TextBackend(StoringBackend):
    """A `RenderBackend` on this machine. Open it with `open_text_backend`."""

    poll_interval = POLL_INTERVAL
    site = SITE
    animation_composition_id = TEXT_ANIMATION
    formats = TEXT_FORMATS

    def __init__(
        self,
        *,
        storage: OutputStorage,
        width: int,
        height: int,
        capacity: int,
        clock: Clock,
        fonts: FontLibrary,
        renderers: Renderers | None = None,
    ) -> None:
        self.capacity = capacity
        self.fonts = fonts
        super().__init__(storage)
        self._width = width
        self._height = height
        self._clock = clock
        self._running_time = RunningTime(clock)
        self._attempts: dict[str, Attempt] = {}
        self._renderers = renderers or Renderers()
        self._layouts = TextLayouts(self._renderers)

    async def site_version(self) -> str:
        """Return a hash of the composition, which this code and the settings define."""
        encoded = msgspec.json.encode(self._composition)
        return hashlib.sha256(encoded, usedforsecurity=False).hexdigest()[:16]

    async def compositions(self) -> tuple[Composition, ...]:
        """Return the only composition."""
        return (self._composition,)

    async def font_families(self) -> tuple[FontFamily, ...]:
        """Return the families of this installation."""
        return await self.fonts.describe()

    async def lay_out(self, props: AnimationProps, options: OutputOptions) -> TextLayout | None:
        """Return the layout of a valid animation; None if its fonts are too large. Raises `BackendUnavailable`."""
        return await self._layouts.lay_out(self._job(props, options, output="", poster="", layout_only=True))

    @property
    def _composition(self) -> Composition:
        return text_composition(width=self._width, height=self._height, formats=self.formats)

    def time_limit(self, render: Render) -> timedelta:
        """Return the time that a very slow machine needs for the output."""
        return max_rendering_time(render.output_options.format, self._media(render))

    async def start(self, render: Render) -> str:
        """Start a child process, or let an idle one start.

        Raises `StartImpossible` if the render has no animation, and `StartRejected` if the operating system can't start
        a process.
        """
        if render.props is None:
            raise StartImpossible(NOT_AN_ANIMATION)
        await self._end(render)
        name = f"{render.id}.{secrets.token_hex(4)}"
        try:
            process = await self._renderers.take()
        except OSError as error:
            raise StartRejected(f"the renderer process can't be started: {error}") from error
        attempt = Attempt(
            process=process,
            part=unfinished(self.storage.work_folder, name),
            poster_part=unfinished(self.storage.work_folder, f"{name}.poster"),
            silence=Stopwatch(self._running_time),
            max_silence_s=max_silence_s(self._media(render)),
        )
        self._attempts[render.id] = attempt
        reading = self._read_messages(render, attempt, self._render_job(render, render.props, attempt))
        attempt.reader = asyncio.create_task(reading, name=f"read {render.id}")
        attempt.reader.add_done_callback(lambda _: self.on_change(render.id))
        return f"{render.id}-{render.attempt}"

    async def observe(self, render: Render, *, check_output: bool = False) -> Observation:  # noqa: ARG002
        """Return the state that the child last reported, or the finished output of an earlier process."""
        if attempt := self._attempts.get(render.id):
            await attempt.kill_if_hung()
            return self._previews.observed(render, attempt.state)
        return await self._stored(render) or AttemptMissing()

    async def stop(self, render: Render) -> AttemptFinished | None:
        """Kill the child, remove its unfinished files, and look for the output."""
        await self._end(render)
        return await self._stored(render)

    async def abandon(self, render: Render) -> None:
        """Kill the child if it still runs, and remove its unfinished files and the preview."""
        await self._end(render)
        self._previews.end(render)

    async def close(self) -> None:
        """Kill all children."""
        for render_id in list(self._attempts):
            await self._attempts.pop(render_id).end()
        await self._renderers.close()
        await self._previews.close()

    async def _end(self, render: Render) -> None:
        if attempt := self._attempts.pop(render.id, None):
            await attempt.end()

    async def _read_messages(self, render: Render, attempt: Attempt, job: bytes) -> None:
        """Send the job, and update `attempt.state` until the output is stored or the child ends.

        The child's standard input stays open.
        """
        failure = RENDERER_CRASHED
        try:
            stdin = _pipe(attempt.process.stdin)
            stdin.write(job)
            await stdin.drain()
            async for line in _pipe(attempt.process.stdout):
                await self._handle_message(render, attempt, parse_message(line))
                if attempt.is_finished:
                    self._renderers.give_back(attempt.process)
                    return
            await attempt.wait()
        except (OSError, ValueError) as error:  # a broken pipe, a line that is too long, a line that is not a message
            log.warning("render %s: the renderer's messages can't be read: %s", render.id, error)
        except Exception as error:  # noqa: BLE001  # logged; else the attempt would only end at its time limit
            failure = log_internal_error(render, error)
        finally:
            await attempt.kill()
            attempt.remove_parts()
        if isinstance(attempt.state, AttemptProgress):
            log.warning("render %s: the renderer ended with status %s", render.id, attempt.process.returncode)
            attempt.state = AttemptFailed(failure=failure)

    def _render_job(self, render: Render, props: AnimationProps, attempt: Attempt) -> bytes:
        files = {"output": str(attempt.part), "poster": str(attempt.poster_part)}
        return self._job(props, render.output_options, **files)

    def _job(self, props: AnimationProps, options: OutputOptions, **fields: object) -> bytes:
        """Return the job as the child expects it (see `job.py`)."""
        job = {
            **fields,
            "width": self._width,
            "height": self._height,
            "options": msgspec.to_builtins(options),
            "font_faces": msgspec.to_builtins(self.fonts.own_faces),
            **msgspec.to_builtins(props),
        }
        return json.dumps(job).encode() + b"\n"

    async def _handle_message(self, render: Render, attempt: Attempt, received: ChildMessage) -> None:
        attempt.silence.restart()
        match received:
            case ProgressMessage(frames=frames):
                now, now_s = self._clock.now(), self._clock.monotonic()
                attempt.report_progress(frames, total=self._media(render).frames, now=now, now_s=now_s)
            case PreviewMessage(frames=frames, jpeg=jpeg):
                self._previews.offer(render, jpeg, frame=frames)
            case WarningMessage(message=message):
                attempt.warnings = (*attempt.warnings, message)
                if isinstance(attempt.state, AttemptProgress):
                    attempt.state = replace(attempt.state, warnings=attempt.warnings)
            case DoneMessage():
                await self._store(render, attempt)
            case ErrorMessage(code=code, message=message, retryable=retryable, detail=detail):
                await attempt.wait()
                attempt.remove_parts()  # before the failure is reported, so that no caller sees the files
                failure = Failure(code=code, message=message, retryable=retryable, detail=detail)
                attempt.state = AttemptFailed(failure=failure)

    async def _store(self, render: Render, attempt: Attempt) -> None:
        attempt.report_storing()
        try:
            output = await store_finished(
                self.storage, render, output=attempt.part, poster=attempt.poster_part, clock=self._clock
            )
        except NotStored as error:
            attempt.state = AttemptFailed(failure=error.failure)
        else:
            attempt.state = self._finished(render, output, warnings=attempt.warnings)

    async def _stored(self, render: Render) -> AttemptFinished | None:
        output = await self.storage.stored(render)
        return None if output is None else self._finished(render, output, warnings=render.warnings)

    def _finished(self, render: Render, output: Output, *, warnings: tuple[str, ...]) -> AttemptFinished:
        return AttemptFinished(output=output, cost_usd=0.0, warnings=warnings, media=self._media(render))

    def _media(self, render: Render) -> Media:
        """Return the size and length of the output."""
        composition = self._composition.media
        if render.props is not None:
            frames, fps = render.props.duration_in_frames, render.props.fps
            composition = Media(frames=frames, fps=fps, width=self._width, height=self._height)
        return output_media(composition, render.output_options)


@contextlib.asynccontextmanager
async def open_text_backend(
    storage: OutputStorage,
    *,
    width: int,
    height: int,
    clock: Clock,
    capacity: int | None = None,
    fonts: FontLibrary | None = None,
    renderers: Renderers | None = None,
) -> AsyncIterator[TextBackend]:
    """Open the backend on a storage. `capacity` is one render per CPU core by default, `fonts` the installed ones.

    It closes `renderers`; by default, the first process starts with the first render.
    """
    backend = TextBackend(
        storage=storage,
        width=width,
        height=height,
        capacity=capacity or available_cores(),
        clock=clock,
        fonts=fonts or FontLibrary(),
        renderers=renderers,
    )
    try:
        yield backend
    finally:
        await backend.close()


def _pipe(stream: Stream | None) -> Stream:
    """Return a stream that was requested when the process was created; never None then."""
    if stream is None:
        raise OSError("the renderer has no pipe")
    return stream
