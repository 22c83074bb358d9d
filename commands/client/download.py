"""Downloads an output to a file or a stream: completely or not at all."""

import asyncio
import os
import secrets
import shutil
import sys
import tempfile
from contextlib import aclosing, suppress
from pathlib import Path
from typing import IO

import typer

from commands.client.api import Api
from commands.client.errors import CommandError, ServerUnreachableError
from commands.client.http_client import download
from commands.client.responses import Render
from services.background.backoff import backoff_s

MAX_ATTEMPTS = 5
STDOUT = Path("-")


def check_target(path: Path | None) -> None:
    """Raise `typer.BadParameter` if an output can't be saved to `path`. Call it before the render is started."""
    if path is None:
        return
    if path == STDOUT:
        if sys.stdout.isatty():
            raise typer.BadParameter(
                "A terminal can't show it: redirect standard output to a file or a program.", param_hint="-o"
            )
        return
    folder = path if path.is_dir() else path.resolve().parent
    if not folder.is_dir():
        raise typer.BadParameter(f"The folder {folder} does not exist.", param_hint="-o")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise typer.BadParameter(f"The folder {folder} is not writable.", param_hint="-o")


async def save(api: Api, render: Render, path: Path) -> Path:
    """Save the output of a COMPLETE render and return its path. An existing file is replaced after the download."""
    target = _target(path, render)
    try:
        if target is None:
            await _write_stream(api, render, path)
        else:
            await _write_file(api, render, target)
    except OSError as error:
        raise CommandError(
            f"The output can't be written to {path}: {error.strerror or error}. Download it again with: "
            f"rendercast download {render.id} -o FILE",
            code="NOT_WRITTEN",
            renderId=render.id,
        ) from error
    return target or path


def _target(path: Path, render: Render) -> Path | None:
    """Return the file to create or to replace; None if the path is not a regular file but, say, a pipe or a device."""
    target = path / f"{render.id}{Path(render.file_name).suffix}" if path.is_dir() else path.resolve()
    return None if path == STDOUT or (target.exists() and not target.is_file()) else target


async def _write_stream(api: Api, render: Render, path: Path) -> None:
    """Write the output to standard output, a pipe or a device, after the whole download."""
    with tempfile.TemporaryFile() as file:
        await _download(api, render, file)
        file.seek(0)
        if path == STDOUT:
            shutil.copyfileobj(file, sys.stdout.buffer)
            sys.stdout.buffer.flush()
        else:
            with path.open("wb") as stream:
                shutil.copyfileobj(file, stream)


async def _write_file(api: Api, render: Render, target: Path) -> None:
    unfinished = target.with_name(f".{target.name[:100]}.{secrets.token_hex(4)}.part")
    try:
        with unfinished.open("xb") as file:
            await _download(api, render, file)
        with suppress(FileNotFoundError):
            shutil.copymode(target, unfinished)
        unfinished.replace(target)
    finally:
        unfinished.unlink(missing_ok=True)


async def _download(api: Api, render: Render, file: IO[bytes]) -> None:
    """Download the output. Restarts if the connection is lost, with a new URL if the first has expired."""
    url = render.output_url or await api.fresh_url(render.id)
    for attempt in range(1, MAX_ATTEMPTS + 1):
        try:
            await _download_once(url, file, expected_bytes=render.output_size_bytes)
        except ServerUnreachableError as error:
            if attempt == MAX_ATTEMPTS:
                raise
            if error.code == "GONE":
                url = await api.fresh_url(render.id)
        else:
            return
        await asyncio.sleep(backoff_s(attempt))


async def _download_once(url: str, file: IO[bytes], *, expected_bytes: int | None) -> None:
    file.seek(0)
    file.truncate()
    async with aclosing(download(url)) as chunks:
        async for chunk in chunks:
            file.write(chunk)
    file.flush()
    if expected_bytes not in {None, file.tell()}:
        message = f"Received {file.tell()} of the output's {expected_bytes} bytes."
        raise ServerUnreachableError(message, code="INCOMPLETE")
