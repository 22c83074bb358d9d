"""Decodes the last frame of a video or GIF: `python -m services.backends.remotion_lambda.poster_child SIZE`.

The parent process reads the file of SIZE bytes for it, so this process needs no network and no credentials. It writes
lines of JSON to stdout: `{"read": [OFFSET, LENGTH]}`, to which the parent responds with exactly LENGTH bytes on stdin,
and last either `{"jpeg": LENGTH}`, followed by LENGTH bytes, or `{"error": REASON}`. It ends when stdin closes.
"""

import json
import sys
from typing import BinaryIO

import av

from services.backends.last_frame import BlockFile, NoFrameError, last_frame, limit_resources, poster


def main(size: int, stdin: BinaryIO, stdout: BinaryIO) -> None:
    """Read and decode the file, and write the result."""

    def send(message: dict[str, object], content: bytes = b"") -> None:
        stdout.write(json.dumps(message).encode() + b"\n" + content)
        stdout.flush()

    def read_range(offset: int, length: int) -> bytes:
        send({"read": [offset, length]})
        return stdin.read(length)  # less if the parent has ended; the decoder then finds the end of the file

    try:
        content = poster(last_frame(BlockFile(read_range, size=size)))
    except (NoFrameError, av.FFmpegError, MemoryError) as error:
        send({"error": str(error)})
    else:
        send({"jpeg": len(content)}, content)


if __name__ == "__main__":
    limit_resources()
    main(int(sys.argv[1]), sys.stdin.buffer, sys.stdout.buffer)
