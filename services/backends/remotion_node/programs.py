"""Runs a program to its end: Node for a bundle or its version, a browser for a test."""

import asyncio
import contextlib
import os
import re
import signal
from asyncio.subprocess import PIPE, Process
from collections.abc import Sequence
from pathlib import Path

STYLE = re.compile(r"\x1b\[[0-9;]*m")
MAX_OUTPUT_CHARACTERS = 2000
# The settings of Rendercast and of its libraries, some of which are secrets.
_SETTINGS = ("AWS_", "MONGODB_", "OTEL_", "REDIS_", "REMOTION_", "RENDERCAST_")


class ProgramError(Exception):
    """The program could not be started, took too long or failed. `output` is what it wrote to its standard error."""

    def __init__(self, message: str, *, output: str = "") -> None:
        self.output = output
        super().__init__(message)


def environment_of_projects() -> dict[str, str]:
    """Return the environment for programs that run the project's code: that of this process without the settings."""
    return {name: value for name, value in os.environ.items() if not name.startswith(_SETTINGS)}


async def run_program(command: Sequence[str | Path], *, timeout_s: float, cwd: Path | None = None) -> str:
    """Run a program and return its standard output. Raises `ProgramError`.

    It runs in a session of its own. All its processes are killed after the time limit, and on cancellation. Its
    standard input ends with this process.
    """
    try:
        process = await _start(command, cwd)
    except OSError as error:
        raise ProgramError(f"it can't be started ({error.strerror})") from error
    try:
        async with asyncio.timeout(timeout_s):
            stdout, stderr = await asyncio.gather(_read(process.stdout), _read(process.stderr))
            await process.wait()
    except TimeoutError:
        raise ProgramError(f"it did not end within {timeout_s:g} s") from None
    finally:
        await _kill(process)
    output = STYLE.sub("", stderr.decode(errors="replace")).strip()
    if process.returncode != 0:
        raise ProgramError(_reason(process.returncode, output), output=output)
    return stdout.decode(errors="replace")


async def _start(command: Sequence[str | Path], cwd: Path | None) -> Process:
    """Start the program. If this is cancelled, kill all its processes; asyncio would kill only the first."""
    starting = asyncio.ensure_future(
        asyncio.create_subprocess_exec(
            *command,
            cwd=cwd,
            env=environment_of_projects(),
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
            start_new_session=True,
        )
    )
    try:
        return await asyncio.shield(starting)
    except asyncio.CancelledError:
        with contextlib.suppress(OSError):
            await _kill(await starting)
        raise


async def _read(stream: asyncio.StreamReader | None) -> bytes:
    return b"" if stream is None else await stream.read()


def _reason(code: int | None, output: str) -> str:
    """Return the last line of the output, on which programs say why they end; else the exit code."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return lines[-1][:MAX_OUTPUT_CHARACTERS].rstrip(".") if lines else f"it ended with code {code}"


async def _kill(process: Process) -> None:
    """Kill what is left of the program's session."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    await process.wait()
