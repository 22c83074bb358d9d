"""Writes the last frame of a video or GIF as a JPEG: `python -m services.backends.remotion_node.poster_child IN OUT`.

Prints the reason and exits with status 1 if that is not possible.
"""

import sys
from pathlib import Path

import av

from services.backends.last_frame import BlockFile, NoFrameError, last_frame, limit_resources, poster


def main(video: Path, target: Path) -> int:
    """Decode the frame, write the file, and return the exit status."""
    with video.open("rb") as file:

        def read_range(offset: int, length: int) -> bytes:
            file.seek(offset)
            return file.read(length)

        try:
            content = poster(last_frame(BlockFile(read_range, size=video.stat().st_size)))
            target.write_bytes(content)
        except (NoFrameError, av.FFmpegError, MemoryError, OSError) as error:
            sys.stderr.write(f"{error}\n")
            return 1
    return 0


if __name__ == "__main__":
    limit_resources()
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
