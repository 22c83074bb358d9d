"""Posters: the last frame of each finished video or GIF, decoded by a child process and stored as a JPEG beside it.

The child (see `poster_child.py`) asks for parts of the video, which this process reads from S3 by range requests: a
fraction of a large video. A poster is optional: its errors are logged, and the render ends without one.
"""

import asyncio
import contextlib
import logging
import os
import sys
from collections.abc import AsyncIterator
from http import HTTPStatus
from pathlib import Path
from typing import Annotated

import aiohttp
from pydantic import BaseModel, Field, ValidationError
from yarl import URL

from services.backends.remotion_lambda.deployment import Deployment
from services.backends.remotion_lambda.keys import poster_key
from services.backends.remotion_lambda.polling import URL_LIFETIME
from services.background.supervision import finish_despite_cancellation
from services.media import OutputKind, formats_of
from services.models import Output, Render, replace
from services.ports import Clock
from services.storage.aws_errors import AwsError
from services.storage.s3 import ObjectStorage

MAX_CONCURRENT_POSTERS = 2  # each decodes for about a second
MAX_TIME_S = 15.0  # for which a finished render waits, from the video's end
READ_TRIES = 3
READ_PAUSE_S = 0.3
EXIT_TIMEOUT_S = 5.0
MAX_JPEG_BYTES = 64 * 1024 * 1024
MAX_LINE_BYTES = 64 * 1024

CHECKOUT = Path(__file__).resolve().parents[3]
CHILD = "services.backends.remotion_lambda.poster_child"
_WITH_POSTER = formats_of(OutputKind.VIDEO, OutputKind.GIF)
# The decoder of a file from elsewhere gets none of the server's secrets.
_SECRET_PREFIXES = ("AWS_", "MONGODB_", "REDIS_", "REMOTION_", "RENDERCAST_")

log = logging.getLogger(__name__)


class PosterError(Exception):
    """The poster can't be made. The message says why."""


class _Message(BaseModel):
    """A message of the child: exactly one of the fields is set."""

    read: tuple[Annotated[int, Field(ge=0)], Annotated[int, Field(ge=1)]] | None = None
    jpeg: Annotated[int, Field(ge=1, le=MAX_JPEG_BYTES)] | None = None
    error: str | None = None


class Posters:
    """Makes the posters of one deployment, `MAX_CONCURRENT_POSTERS` at a time."""

    def __init__(
        self,
        deployment: Deployment,
        *,
        storage: ObjectStorage,
        http: aiohttp.ClientSession,
        clock: Clock,
        max_time_s: float = MAX_TIME_S,
    ) -> None:
        self._deployment = deployment
        self._storage = storage
        self._http = http
        self._clock = clock
        self._max_time_s = max_time_s
        self._semaphore = asyncio.Semaphore(MAX_CONCURRENT_POSTERS)

    async def create(self, render: Render, output: Output) -> Output:
        """Return the output with the key of its poster, which is then stored; unchanged if that is not possible.

        Audio files and stills have none, nor has a render that is being cancelled. Raises nothing, and takes at most
        `max_time_s`.
        """
        has_poster = self._deployment.posters and render.output_options.format in _WITH_POSTER
        if not has_poster or render.cancel_requested:
            return output
        key = poster_key(render.id)
        try:
            async with asyncio.timeout(self._max_time_s), self._semaphore:
                picture = await self._decode(output)
                await self._storage.put(output.bucket, key, picture, content_type="image/jpeg")
        except TimeoutError:
            log.warning("render %s has no poster: it was not finished within %g s", render.id, self._max_time_s)
        except (PosterError, AwsError, OSError, EOFError, ValueError) as error:
            log.warning("render %s has no poster: %s", render.id, error)
        except Exception:
            log.exception("render %s has no poster", render.id)
        else:
            return replace(output, poster_key=key)
        return output

    async def _decode(self, output: Output) -> bytes:
        """Return the last frame as a JPEG. Raises `PosterError`."""
        signed = self._storage.presign_url(output.bucket, output.key, now=self._clock.now(), expires_in=URL_LIFETIME)
        url = URL(signed.url, encoded=True)
        async with _child(output.size_bytes) as (process, stdin, stdout):
            while line := await stdout.readline():
                message = _parse(line)
                if message.read is not None:
                    stdin.write(await self._read(url, *message.read))
                    await stdin.drain()
                elif message.jpeg is not None:
                    return await stdout.readexactly(message.jpeg)
                else:
                    raise PosterError(f"the video has no frame: {message.error}")
            raise PosterError(f"the decoder ended with status {await process.wait()}")

    async def _read(self, url: URL, offset: int, length: int) -> bytes:
        """Return a part of the video. Errors that may be temporary are tried again. Raises `PosterError`."""
        for tries_left in reversed(range(READ_TRIES)):
            try:
                return await self._read_once(url, offset, length)
            except (aiohttp.ClientError, TimeoutError, asyncio.IncompleteReadError) as error:
                if not tries_left:  # messages of these errors contain the signed URL
                    raise PosterError(f"the video can't be read: {type(error).__name__}") from None
            await self._clock.sleep(READ_PAUSE_S)
        raise AssertionError

    async def _read_once(self, url: URL, offset: int, length: int) -> bytes:
        wanted = {"Range": f"bytes={offset}-{offset + length - 1}"}
        async with self._http.get(url, headers=wanted, allow_redirects=False) as response:
            if response.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                response.raise_for_status()
            if response.status != HTTPStatus.PARTIAL_CONTENT:
                raise PosterError(f"S3 responds to a range request of the video with {response.status}")
            return await response.content.readexactly(length)


@contextlib.asynccontextmanager
async def _child(
    size_bytes: int,
) -> AsyncIterator[tuple[asyncio.subprocess.Process, asyncio.StreamWriter, asyncio.StreamReader]]:
    """Start the decoder and yield it with its stdin and stdout; on exit, kill it and wait for its end."""
    starting = asyncio.create_task(
        asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            CHILD,
            str(size_bytes),
            cwd=CHECKOUT,
            env={name: value for name, value in os.environ.items() if not name.startswith(_SECRET_PREFIXES)},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=MAX_LINE_BYTES,
            start_new_session=True,  # a terminal's Ctrl-C reaches only the parent, which then ends its children
        )
    )
    try:
        process = await asyncio.shield(starting)
        if process.stdin is None or process.stdout is None:
            raise PosterError("the decoder has no pipes")
        yield process, process.stdin, process.stdout
    finally:
        await finish_despite_cancellation(_kill(starting), timeout_s=EXIT_TIMEOUT_S)


async def _kill(starting: asyncio.Task[asyncio.subprocess.Process]) -> None:
    """Kill the process and wait for its end, also if it has not started yet."""
    process = await starting
    with contextlib.suppress(ProcessLookupError):
        process.kill()
    await process.wait()


def _parse(line: bytes) -> _Message:
    try:
        return _Message.model_validate_json(line)
    except ValidationError as error:
        raise PosterError(f"a message of the decoder can't be parsed: {line[:100]!r}") from error
