"""The local backend: each render is a child process that writes an MP4 into the data folder.

A child lives no longer than the process that started it (it watches its standard input), so after a crash nothing
is running: every attempt this process doesn't know is `Missing`, and the tracker renders it anew.
"""

import asyncio
import contextlib
import json
import logging
import os
import secrets
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import BaseModel, TypeAdapter

from services.backends.local.downloads import DownloadSigner
from services.errors import BackendUnavailable, StartRefused, StartupError
from services.models import Download, Failure, Output, Render, RenderPhase
from services.ports import Broken, Clock, Finished, Missing, Observation, Progress

CHECKOUT = Path(__file__).resolve().parents[3]
BUCKET = "local"
POLL_INTERVAL = timedelta(milliseconds=100)
LAUNCH_ALLOWANCE = timedelta(seconds=60)
SLOWEST_FRAMES_PER_S = 5  # a machine slower than this is given up on; ordinary ones reach a hundred and more
MAX_LINE_BYTES = 64 * 1024
EXIT_TIMEOUT_S = 5.0

Stream = TypeVar("Stream", asyncio.StreamReader, asyncio.StreamWriter)

log = logging.getLogger(__name__)


class ProgressLine(BaseModel):
    """The child has encoded this many frames."""

    type: Literal["progress"]
    frames: int


class WarningLine(BaseModel):
    """The child had to deviate from what was asked, for instance from the font."""

    type: Literal["warning"]
    message: str


class DoneLine(BaseModel):
    """The child has written the whole file and synced it to disk."""

    type: Literal["done"]
    size_bytes: int


class ErrorLine(BaseModel):
    """The child gives up."""

    type: Literal["error"]
    message: str


Line = ProgressLine | WarningLine | DoneLine | ErrorLine
_LINE: TypeAdapter[Line] = TypeAdapter(Line)  # what a child may write on its standard output, a line each


@dataclass(slots=True, kw_only=True)
class Attempt:
    """A child process and what it has told so far."""

    id: str
    process: asyncio.subprocess.Process
    part: Path
    first_frame: tuple[int, datetime] | None = None
    state: Observation = field(
        default_factory=lambda: Progress(phase=RenderPhase.LAUNCHING, fraction=0.0, frames_rendered=0)
    )
    warnings: tuple[str, ...] = ()
    reader: asyncio.Task[None] | None = None


class LocalBackend:
    """A `RenderBackend` on this machine. Open it with `open_local_backend`."""

    poll_interval = POLL_INTERVAL

    def __init__(
        self, *, folder: Path, width: int, height: int, base_url: str, signer: DownloadSigner, clock: Clock
    ) -> None:
        self.capacity = os.cpu_count() or 1
        self._folder = folder
        self._width = width
        self._height = height
        self._base_url = base_url
        self._signer = signer
        self._clock = clock
        self._attempts: dict[str, Attempt] = {}

    def time_limit(self, render: Render) -> timedelta:
        """Return a minute and what a very slow machine needs for the frames."""
        return LAUNCH_ALLOWANCE + timedelta(seconds=render.total_frames / SLOWEST_FRAMES_PER_S)

    async def start(self, render: Render) -> str:
        """Start a child process. Raises `StartRefused` if the machine can't."""
        await self.abandon(render)
        attempt_id = f"{render.id}-{render.attempt}"
        part = self._folder / f"{render.id}.{secrets.token_hex(4)}.part"
        try:
            process = await self._spawn()
        except OSError as error:
            raise StartRefused(f"no renderer process can be started: {error}") from error
        attempt = Attempt(id=attempt_id, process=process, part=part)
        self._attempts[render.id] = attempt
        attempt.reader = asyncio.create_task(self._follow(render, attempt), name=f"read {attempt_id}")
        return attempt_id

    async def observe(self, render: Render) -> Observation:
        """Return what the child last told."""
        attempt = self._attempts.get(render.id)
        return Missing() if attempt is None else attempt.state

    async def cancel(self, render: Render) -> None:
        """Kill the child and remove all it wrote."""
        await self.abandon(render)
        self._path(render).unlink(missing_ok=True)

    async def abandon(self, render: Render) -> None:
        """Kill the child if it still runs, and remove its unfinished file."""
        if attempt := self._attempts.pop(render.id, None):
            await _end(attempt)

    def sign(self, output: Output, *, expires_in: timedelta) -> Download:
        """Return a URL of this server."""
        expires_at = (self._clock.now() + expires_in).replace(microsecond=0)
        return Download(
            url=f"{self._base_url}/files/{self._signer.sign(output.key, expires_at)}", expires_at=expires_at
        )

    async def has_output(self, output: Output) -> bool:
        """Return whether the file is there."""
        return (self._folder / output.key).is_file()

    async def delete_output(self, output: Output) -> None:
        """Remove the file. Raises `BackendUnavailable` if the folder can't be written."""
        try:
            (self._folder / output.key).unlink(missing_ok=True)
        except OSError as error:
            raise BackendUnavailable(f"{output.key} can't be removed: {error}") from error

    def find_download(self, name: str, *, expires: str, signature: str) -> Path | None:
        """Return the file that a signed URL names; None if the URL is wrong, has expired or the file is gone."""
        if not self._signer.verify(name, expires=expires, signature=signature, now=self._clock.now()):
            return None
        path = self._folder / name
        return path if path.is_file() else None

    async def close(self) -> None:
        """Kill all children."""
        for render_id in list(self._attempts):
            await _end(self._attempts.pop(render_id))

    async def _spawn(self) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "services.backends.local.child",
            cwd=CHECKOUT,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=MAX_LINE_BYTES,
        )

    async def _follow(self, render: Render, attempt: Attempt) -> None:
        """Keep `attempt.state` true until the child ends. The child's standard input stays open meanwhile."""
        try:
            await self._instruct(render, attempt)
            async for line in _pipe(attempt.process.stdout):
                self._take_over(render, attempt, _LINE.validate_json(line))
            await _exit(attempt.process)
        except (OSError, ValueError) as error:  # a broken pipe, a line too long, a line that is none of ours
            log.warning("render %s: the renderer can't be followed: %s", render.id, error)
        finally:
            await _kill(attempt.process)
            attempt.part.unlink(missing_ok=True)
        if isinstance(attempt.state, Progress):
            attempt.state = _crashed(attempt.process.returncode)

    async def _instruct(self, render: Render, attempt: Attempt) -> None:
        props = render.props
        job = {
            "output": str(attempt.part.resolve()),
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

    def _take_over(self, render: Render, attempt: Attempt, line: Line) -> None:
        match line:
            case ProgressLine(frames=frames):
                attempt.state = self._progress(render, attempt, frames)
            case WarningLine(message=message):
                attempt.warnings = (*attempt.warnings, message)
                if isinstance(attempt.state, Progress):
                    attempt.state = replace(attempt.state, warnings=attempt.warnings)
            case DoneLine(size_bytes=size_bytes):
                path = self._path(render)
                attempt.part.rename(path)
                _sync_folder(self._folder)
                output = Output(bucket=BUCKET, key=path.name, size_bytes=size_bytes)
                attempt.state = Finished(output=output, cost_usd=0.0, warnings=attempt.warnings)
            case ErrorLine(message=message):
                attempt.state = Broken(failure=Failure(code="RENDER_FAILED", message=message, retryable=True))

    def _progress(self, render: Render, attempt: Attempt, frames: int) -> Progress:
        now = self._clock.now()
        attempt.first_frame = attempt.first_frame or (frames, now)
        first, since = attempt.first_frame
        left = (now - since) * ((render.total_frames - frames) / (frames - first)) if frames > first else None
        return Progress(
            phase=RenderPhase.RENDERING_FRAMES if frames < render.total_frames else RenderPhase.ENCODING,
            fraction=frames / render.total_frames,
            frames_rendered=frames,
            estimated_completion_at=None if left is None else (now + left).replace(microsecond=0),
            warnings=attempt.warnings,
        )

    def _path(self, render: Render) -> Path:
        return self._folder / f"{render.id}.mp4"


@contextlib.asynccontextmanager
async def open_local_backend(
    *, data_dir: Path, width: int, height: int, base_url: str, clock: Clock
) -> AsyncIterator[LocalBackend]:
    """Open the backend on a folder that no other process uses; unfinished files found there are removed.

    Raises `StartupError` if the folder can't be written.
    """
    folder = data_dir / "outputs"
    try:
        folder.mkdir(exist_ok=True)
        for part in folder.glob("*.part"):
            part.unlink()
        signer = DownloadSigner.from_file(data_dir / "download-key")
    except OSError as error:
        raise StartupError(f"The folder {folder} can't be used for videos: {error}.") from error
    backend = LocalBackend(folder=folder, width=width, height=height, base_url=base_url, signer=signer, clock=clock)
    try:
        yield backend
    finally:
        await backend.close()


def _pipe(stream: Stream | None) -> Stream:
    """Return a stream that was asked for when the process was made, so it is there."""
    if stream is None:
        raise OSError("the renderer has no pipe")
    return stream


def _crashed(status: int | None) -> Broken:
    message = f"The renderer stopped unexpectedly (status {status}). Please try again."
    return Broken(failure=Failure(code="RENDERER_CRASHED", message=message, retryable=True))


async def _end(attempt: Attempt) -> None:
    """Stop reading and kill the child; its unfinished file is removed by the reader on its way out."""
    if attempt.reader is not None:
        attempt.reader.cancel()
        await asyncio.wait([attempt.reader])
    await _kill(attempt.process)
    attempt.part.unlink(missing_ok=True)


async def _kill(process: asyncio.subprocess.Process) -> None:
    """End the child at once, unless it has ended, and wait until it is gone."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
    await _exit(process)


async def _exit(process: asyncio.subprocess.Process) -> None:
    """Wait until the child is gone, but not for ever."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(EXIT_TIMEOUT_S):
            await process.wait()


def _sync_folder(folder: Path) -> None:
    """Make a rename in the folder survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
