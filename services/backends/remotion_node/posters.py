"""The poster of a video or GIF: its last frame, cut from the finished file by a child process.

A still of Remotion would be one more licensed render. A poster is optional: its errors are logged.
"""

import asyncio
import contextlib
import logging
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path

MAX_TIME_S = 15.0
CHECKOUT = Path(__file__).resolve().parents[3]
CHILD = "services.backends.remotion_node.poster_child"

log = logging.getLogger(__name__)


async def make_poster(video: Path, target: Path) -> None:
    """Write the poster of a video to `target`, if possible within `MAX_TIME_S`."""
    try:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", CHILD, video, target, cwd=CHECKOUT, stderr=PIPE, start_new_session=True
        )
    except OSError as error:
        log.warning("%s has no poster: %s", video, error)
        return
    try:
        async with asyncio.timeout(MAX_TIME_S):
            _, errors = await process.communicate()
    except TimeoutError:
        log.warning("%s has no poster: it was not finished within %g s", video, MAX_TIME_S)
    else:
        if process.returncode:
            log.warning("%s has no poster: %s", video, errors.decode(errors="replace").strip()[-500:])
    finally:
        await _end(process)


async def _end(process: Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.kill()
    await process.wait()
