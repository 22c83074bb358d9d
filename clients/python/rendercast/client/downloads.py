"""Downloads an output to a file: completely or not at all."""

import asyncio
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from itertools import count
from pathlib import Path
from typing import IO

import aiohttp

from rendercast.client.backoff import backoff_s
from rendercast.client.errors import ServerUnreachable
from rendercast.client.files import replacing
from rendercast.client.http import new_session, stream_timeout, unreachable
from rendercast.client.results import Render

MAX_CHUNK_BYTES = 256 * 1024


async def download(
    render: Render, path: Path, *, refresh_url: Callable[[], Awaitable[str]], retry_timeout_s: float
) -> Path:
    """Save the output of a COMPLETE render and return its path. An existing file is replaced after the download.

    In a folder, the file is named by the render's id. Its modification time is the end of the render. If the connection
    is lost, starts again for `retry_timeout_s`, with a new URL if the first has expired. Raises `RendercastError`, and
    `OSError` if the file can't be written.
    """
    target = _target(path, render)
    ended_at = None if render.completed_at is None else render.completed_at.timestamp()
    with replacing(target, modified_at=ended_at) as file:
        await _download(render, file, refresh_url, retry_timeout_s)
    return target


def _target(path: Path, render: Render) -> Path:
    return path / f"{render.id}{Path(render.output.file_name).suffix}" if path.is_dir() else path.resolve()


async def _download(
    render: Render, file: IO[bytes], refresh_url: Callable[[], Awaitable[str]], retry_timeout_s: float
) -> None:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + retry_timeout_s
    url = render.output_url or await refresh_url()
    for failures in count(1):
        try:
            await _download_once(url, file, expected_bytes=render.output_size_bytes)
        except ServerUnreachable as error:
            if loop.time() > deadline:
                raise
            if error.code == "GONE":
                url = await refresh_url()
        else:
            return
        await asyncio.sleep(backoff_s(failures))


async def _download_once(url: str, file: IO[bytes], *, expected_bytes: int | None) -> None:
    """Write the content of a URL, which needs no token. Raises `ServerUnreachable`, and `OSError`."""
    file.seek(0)
    file.truncate()
    name = url.partition("?")[0]
    async with new_session(url) as http:
        try:
            response = await http.get(url, timeout=stream_timeout())
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise unreachable(name, error) from error
        async with response:
            if response.status != HTTPStatus.OK:
                gone = response.status in {HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND}
                message = f"{name} responded with status {response.status}."
                raise ServerUnreachable(message, code="GONE" if gone else "UNREACHABLE")
            while chunk := await _next_chunk(response, name):
                file.write(chunk)
    file.flush()
    if expected_bytes not in {None, file.tell()}:
        message = f"Received {file.tell()} of the output's {expected_bytes} bytes."
        raise ServerUnreachable(message, code="INCOMPLETE")


async def _next_chunk(response: aiohttp.ClientResponse, name: str) -> bytes:
    """Return the next part of the content; it is empty at the end."""
    try:
        return await response.content.read(MAX_CHUNK_BYTES)
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise unreachable(name, error) from error
