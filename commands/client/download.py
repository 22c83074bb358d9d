"""Saving a video: whole or not at all."""

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

from commands.client.api import Api, download
from commands.client.errors import CommandError, Unreachable
from commands.client.responses import Render
from services.backoff import backoff_s

TRIES = 5
STDOUT = Path("-")


def check_target(path: Path | None) -> None:
    """End the command as wrong usage if the video could not be saved there, before anything is rendered for it."""
    if path is None:
        return
    if path == STDOUT:
        if sys.stdout.isatty():
            raise typer.BadParameter("A terminal can't show a video: pipe it into something.", param_hint="--output")
        return
    folder = path if path.is_dir() else path.resolve().parent
    if not folder.is_dir():
        raise typer.BadParameter(f"The folder {folder} does not exist.", param_hint="--output")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise typer.BadParameter(f"The folder {folder} can't be written.", param_hint="--output")


async def save(api: Api, render: Render, path: Path) -> Path:
    """Save the video of a COMPLETE render, and return where it is. What was there is replaced when all has arrived."""
    target = _target(path, render)
    try:
        if target is None:
            await _pour(api, render, path)
        else:
            await _replace(api, render, target)
    except OSError as error:
        raise CommandError(
            f"The video can't be written to {path}: {error.strerror or error}. The server still has it: "
            f"rendercast download {render.id} -o FILE",
            code="NOT_WRITTEN",
            renderId=render.id,
        ) from error
    return target or path


def _target(path: Path, render: Render) -> Path | None:
    """Return the file to make or to replace; None if there is something else, such as a pipe or a device."""
    target = path / f"{render.id}.mp4" if path.is_dir() else path.resolve()
    return None if path == STDOUT or (target.exists() and not target.is_file()) else target


async def _pour(api: Api, render: Render, path: Path) -> None:
    """Write the video into what is no file: standard output, a pipe, a device."""
    with tempfile.TemporaryFile() as whole:
        await _fetch(api, render, whole)
        whole.seek(0)
        if path == STDOUT:
            shutil.copyfileobj(whole, sys.stdout.buffer)
            sys.stdout.buffer.flush()
        else:
            with path.open("wb") as stream:
                shutil.copyfileobj(whole, stream)


async def _replace(api: Api, render: Render, target: Path) -> None:
    unfinished = target.with_name(f".{target.name[:100]}.{secrets.token_hex(4)}.part")
    try:
        with unfinished.open("xb") as file:
            await _fetch(api, render, file)
        with suppress(FileNotFoundError):
            shutil.copymode(target, unfinished)
        unfinished.replace(target)
    finally:
        unfinished.unlink(missing_ok=True)


async def _fetch(api: Api, render: Render, file: IO[bytes]) -> None:
    """Write the whole video, begun again if the connection is lost, with another URL if the first has expired."""
    url = render.output_url or await api.fresh_url(render.id)
    for tries in range(1, TRIES + 1):
        try:
            await _fetch_once(url, file, expected_bytes=render.output_size_bytes)
        except Unreachable as fault:
            if tries == TRIES:
                raise
            if fault.code == "GONE":
                url = await api.fresh_url(render.id)
        else:
            return
        await asyncio.sleep(backoff_s(tries))


async def _fetch_once(url: str, file: IO[bytes], *, expected_bytes: int | None) -> None:
    file.seek(0)
    file.truncate()
    async with aclosing(download(url)) as parts:
        async for part in parts:
            file.write(part)
    file.flush()
    if expected_bytes not in {None, file.tell()}:
        raise Unreachable(f"{file.tell()} bytes of the video came, not {expected_bytes}.", code="INCOMPLETE")
