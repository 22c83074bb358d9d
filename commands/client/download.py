"""Saves an output to a file or a stream: completely or not at all."""

import os
import shutil
import sys
import tempfile
from pathlib import Path

import typer
from rendercast.client import AsyncClient, Render

from commands.client.errors import CommandError

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


async def save(api: AsyncClient, render: Render, path: Path) -> Path:
    """Save the output of a COMPLETE render and return its path. An existing file is replaced after the download."""
    try:
        if not _is_stream(path):
            return await api.download(render, path)
        with tempfile.TemporaryDirectory() as folder:
            _write_stream(await api.download(render, folder), path)
    except OSError as error:
        raise CommandError(
            f"The output can't be written to {path}: {error.strerror or error}. Download it again with: "
            f"rendercast download {render.id} -o FILE",
            code="NOT_WRITTEN",
            renderId=render.id,
        ) from error
    return path


def _is_stream(path: Path) -> bool:
    """Return whether the path is standard output, a pipe or a device, which is written to and not replaced."""
    return path == STDOUT or (path.exists() and not path.is_file() and not path.is_dir())


def _write_stream(file: Path, path: Path) -> None:
    with file.open("rb") as content:
        if path == STDOUT:
            shutil.copyfileobj(content, sys.stdout.buffer)
            sys.stdout.buffer.flush()
        else:
            with path.open("wb") as stream:
                shutil.copyfileobj(content, stream)
