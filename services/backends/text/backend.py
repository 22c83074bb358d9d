"""The text backend: each render is a child process that writes an MP4 and its poster into the data folder.

A child ends with the process that started it (it watches its standard input), so no child survives a crash of its
parent: an attempt that this process doesn't know has left a finished video, or is `AttemptMissing` and rendered again.
"""

import asyncio
import contextlib
import json
import logging
import os
import secrets
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

from services.backends.text.attempt import RENDERER_CRASHED, Attempt, remove
from services.backends.text.child_messages import (
    ChildMessage,
    DoneMessage,
    ErrorMessage,
    ProgressMessage,
    WarningMessage,
    parse_message,
)
from services.backends.text.renderers import Renderers
from services.backends.text.url_signing import DownloadSigner
from services.clock import RunningTime, Stopwatch
from services.errors import BackendUnavailable, StartRefused, StartupError
from services.models import Download, Failure, Output, Render
from services.ports import AttemptFailed, AttemptFinished, AttemptMissing, AttemptProgress, Clock, Observation

BUCKET = "local"
POLL_INTERVAL = timedelta(milliseconds=100)
LAUNCH_ALLOWANCE = timedelta(seconds=60)
MIN_FRAMES_PER_S = 5  # slower renders exceed the time limit; ordinary machines reach a hundred and more
MAX_WRITING_S = 86_400.0  # an unfinished file not modified for a day belongs to no running process

Stream = TypeVar("Stream", asyncio.StreamReader, asyncio.StreamWriter)

log = logging.getLogger(__name__)


class TextBackend:
    """A `RenderBackend` on this machine. Open it with `open_text_backend`."""

    poll_interval = POLL_INTERVAL

    def __init__(
        self,
        *,
        folder: Path,
        width: int,
        height: int,
        base_url: str,
        capacity: int,
        signer: DownloadSigner,
        clock: Clock,
    ) -> None:
        self.capacity = capacity
        self._folder = folder
        self._width = width
        self._height = height
        self._base_url = base_url
        self._signer = signer
        self._clock = clock
        self._running_time = RunningTime(clock)
        self._attempts: dict[str, Attempt] = {}
        self._renderers = Renderers()

    def time_limit(self, render: Render) -> timedelta:
        """Return a minute plus the time that a very slow machine needs for the frames."""
        return LAUNCH_ALLOWANCE + timedelta(seconds=render.total_frames / MIN_FRAMES_PER_S)

    async def start(self, render: Render) -> str:
        """Start a child process, or let an idle one start. Raises `StartRefused` if the operating system can't."""
        await self.abandon(render)
        name = f"{render.id}.{secrets.token_hex(4)}"
        try:
            process = await self._renderers.take()
        except OSError as error:
            raise StartRefused(f"the renderer process can't be started: {error}") from error
        attempt = Attempt(
            process=process,
            part=self._folder / f"{name}.part",
            poster_part=self._folder / f"{name}.poster.part",
            silence=Stopwatch(self._running_time),
        )
        self._attempts[render.id] = attempt
        attempt.reader = asyncio.create_task(self._read_messages(render, attempt), name=f"read {render.id}")
        return f"{render.id}-{render.attempt}"

    async def observe(self, render: Render, *, check_output: bool = False) -> Observation:  # noqa: ARG002
        """Return the state that the child last reported, or the finished video of an earlier process."""
        if attempt := self._attempts.get(render.id):
            await attempt.kill_if_hung()
            return attempt.state
        return self._stored(render) or AttemptMissing()

    async def stop(self, render: Render) -> AttemptFinished | None:
        """Kill the child, remove its unfinished file, and look for the video."""
        await self.abandon(render)
        return self._stored(render)

    async def abandon(self, render: Render) -> None:
        """Kill the child if it still runs, and remove its unfinished file."""
        if attempt := self._attempts.pop(render.id, None):
            await attempt.end()

    def sign(self, output: Output, *, expires_in: timedelta) -> Download:
        """Return a URL of this server."""
        return self._sign(output.key, expires_in)

    def sign_poster(self, output: Output, *, expires_in: timedelta) -> Download | None:
        """Return a URL of this server for the poster; None if there is none."""
        return None if output.poster_key is None else self._sign(output.poster_key, expires_in)

    async def has_output(self, output: Output) -> bool:
        """Return whether the file exists. Raises `BackendUnavailable` if the folder can't be read."""
        try:
            (self._folder / output.key).stat()
        except FileNotFoundError:
            return False
        except OSError as error:
            raise BackendUnavailable(f"{output.key} can't be read: {error}") from error
        return True

    async def delete(self, render: Render) -> None:
        """Remove the files. Raises `BackendUnavailable` if the folder can't be written."""
        try:
            self._poster(render).unlink(missing_ok=True)
            self._path(render).unlink(missing_ok=True)
        except OSError as error:
            raise BackendUnavailable(f"the video of {render.id} can't be removed: {error}") from error

    def find_download(self, name: str, *, expires: str, signature: str) -> Path | None:
        """Return the file of a signed URL; None if the URL is invalid or expired or the file doesn't exist."""
        if not self._signer.verify(name, expires=expires, signature=signature, now=self._clock.now()):
            return None
        path = self._folder / name
        return path if path.is_file() else None

    async def close(self) -> None:
        """Kill all children."""
        for render_id in list(self._attempts):
            await self._attempts.pop(render_id).end()
        await self._renderers.close()

    async def _read_messages(self, render: Render, attempt: Attempt) -> None:
        """Update `attempt.state` until the video is stored or the child ends, whose standard input stays open."""
        try:
            await self._send_job(render, attempt)
            async for line in _pipe(attempt.process.stdout):
                await self._handle_message(render, attempt, parse_message(line))
                if attempt.is_finished:
                    self._renderers.give_back(attempt.process)
                    return
            await attempt.wait()
        except (OSError, ValueError) as error:  # a broken pipe, a line that is too long, a line that is not a message
            log.warning("render %s: the renderer's messages can't be read: %s", render.id, error)
        finally:
            await attempt.kill()
            attempt.remove_parts()
        if isinstance(attempt.state, AttemptProgress):
            log.warning("render %s: the renderer ended with status %s", render.id, attempt.process.returncode)
            attempt.state = AttemptFailed(failure=RENDERER_CRASHED)

    async def _send_job(self, render: Render, attempt: Attempt) -> None:
        props = render.props
        job = {
            "output": str(attempt.part.resolve()),
            "poster": str(attempt.poster_part.resolve()),
            "width": self._width,
            "height": self._height,
            "fps": props.fps,
            "text": props.text,
            "style": props.style,
            "font_family": props.font_family,
            "font_size": props.font_size,
            "color": props.color,
            "background_color": props.background_color,
            "duration_in_frames": props.duration_in_frames,
        }
        stdin = _pipe(attempt.process.stdin)
        stdin.write(json.dumps(job).encode() + b"\n")
        await stdin.drain()

    async def _handle_message(self, render: Render, attempt: Attempt, received: ChildMessage) -> None:
        attempt.silence.restart()
        match received:
            case ProgressMessage(frames=frames):
                now, now_s = self._clock.now(), self._clock.monotonic()
                attempt.report_progress(frames, total=render.total_frames, now=now, now_s=now_s)
            case WarningMessage(message=message):
                attempt.warnings = (*attempt.warnings, message)
                if isinstance(attempt.state, AttemptProgress):
                    attempt.state = replace(attempt.state, warnings=attempt.warnings)
            case DoneMessage():
                size_bytes = await asyncio.to_thread(attempt.store_files, self._path(render), self._poster(render))
                attempt.state = self._finished(render, size_bytes=size_bytes, warnings=attempt.warnings)
            case ErrorMessage(code=code, message=message, retryable=retryable, detail=detail):
                await attempt.wait()
                attempt.remove_parts()  # before the failure is reported, so that no caller sees the files
                failure = Failure(code=code, message=message, retryable=retryable, detail=detail)
                attempt.state = AttemptFailed(failure=failure)

    def _stored(self, render: Render) -> AttemptFinished | None:
        try:
            size_bytes = self._path(render).stat().st_size
        except FileNotFoundError:
            return None
        except OSError as error:
            raise BackendUnavailable(f"the folder of videos can't be read: {error}") from error
        return self._finished(render, size_bytes=size_bytes, warnings=render.warnings)

    def _finished(self, render: Render, *, size_bytes: int, warnings: tuple[str, ...]) -> AttemptFinished:
        poster = self._poster(render)
        output = Output(
            bucket=BUCKET,
            key=self._path(render).name,
            size_bytes=size_bytes,
            poster_key=poster.name if poster.is_file() else None,
        )
        return AttemptFinished(output=output, cost_usd=0.0, warnings=warnings)

    def _path(self, render: Render) -> Path:
        return self._folder / f"{render.id}.mp4"

    def _poster(self, render: Render) -> Path:
        return self._folder / f"{render.id}.jpg"

    def _sign(self, name: str, expires_in: timedelta) -> Download:
        expires_at = (self._clock.now() + expires_in).replace(microsecond=0)
        return Download(url=f"{self._base_url}/files/{self._signer.sign(name, expires_at)}", expires_at=expires_at)


@contextlib.asynccontextmanager
async def open_text_backend(
    *,
    data_dir: Path,
    width: int,
    height: int,
    base_url: str,
    clock: Clock,
    capacity: int | None = None,
    shared: bool = False,
) -> AsyncIterator[TextBackend]:
    """Open the backend on a folder, which other processes may use too if it is `shared`.

    `capacity` is one render per CPU core by default. Unfinished files that no process can be writing are removed.
    Raises `StartupError` if the folder can't be written.
    """
    folder = data_dir / "outputs"
    try:
        folder.mkdir(exist_ok=True)
        for part in folder.glob("*.part"):
            with contextlib.suppress(FileNotFoundError):  # another process that shares the folder has just finished it
                if not shared or time.time() - part.stat().st_mtime > MAX_WRITING_S:
                    remove(part)
        signer = DownloadSigner.from_file(data_dir / "download-key")
    except OSError as error:
        raise StartupError(f"The folder {folder} can't be used for videos: {error}.") from error
    backend = TextBackend(
        folder=folder,
        width=width,
        height=height,
        base_url=base_url,
        capacity=capacity or os.cpu_count() or 1,
        signer=signer,
        clock=clock,
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
