"""The poster of a video or GIF: the last frame that the host has drawn, as a JPEG.

A still of Remotion would be one more licensed render, and the finished file would have to be decoded from its last key
frame on. A poster is optional: its errors are logged.
"""

import asyncio
import logging
from pathlib import Path

log = logging.getLogger(__name__)


async def make_poster(frame: Path, target: Path, *, transparent: bool) -> None:
    """Write the poster to `target`, if possible.

    `frame` is a file with the frame in Base64. If the output is `transparent`, the poster has a black background.
    """
    try:
        await asyncio.to_thread(_write, frame, target, transparent)
    except (OSError, ValueError) as error:
        log.warning("%s can't be made: %s", target, error)


def _write(frame: Path, target: Path, transparent: bool) -> None:  # noqa: FBT001  # for to_thread
    from services.backends.previews.images import poster_of_file  # noqa: PLC0415  # 33 MB of memory, in workers only

    target.write_bytes(poster_of_file(frame, transparent=transparent))
