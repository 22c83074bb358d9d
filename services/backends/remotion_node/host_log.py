"""What a render host and the project's code write to standard error, in the log of this process.

Compositions can write any amount, and their texts may be those of users: lines are cut, and only some are logged.
"""

import asyncio
import logging
import re
from collections.abc import Iterator

from services.backends.remotion_node.programs import STYLE
from services.clock import RunningTime, Stopwatch

BLOCK_BYTES = 64 * 1024
MAX_LINE_BYTES = 2000
MAX_LINES = 50  # in each interval
INTERVAL_S = 10.0
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")

log = logging.getLogger(__name__)


class HostLog:
    """Logs the lines of one host."""

    def __init__(self, pid: int, running_time: RunningTime) -> None:
        self._pid = pid
        self._interval = Stopwatch(running_time)
        self._lines = 0
        self._unfinished = b""

    async def read(self, stream: asyncio.StreamReader) -> None:
        """Log the lines of a stream until its end, and how many are left out."""
        while block := await stream.read(BLOCK_BYTES):
            for line in self._split(block):
                self._add(line)
        if self._unfinished:
            self._add(self._unfinished)
        self._report_left_out()

    def _split(self, block: bytes) -> Iterator[bytes]:
        """Yield the finished lines, each with no more than its first bytes."""
        *lines, unfinished = block.split(b"\n")
        for line in lines:
            yield (self._unfinished + line)[:MAX_LINE_BYTES]
            self._unfinished = b""
        self._unfinished = (self._unfinished + unfinished)[:MAX_LINE_BYTES]

    def _add(self, line: bytes) -> None:
        if self._interval.elapsed_s >= INTERVAL_S:
            self._report_left_out()
            self._interval.restart()
            self._lines = 0
        self._lines += 1
        if self._lines <= MAX_LINES:
            text = CONTROL.sub(" ", STYLE.sub("", line.decode(errors="replace")))
            log.info("renderer process %d: %s", self._pid, text.strip())

    def _report_left_out(self) -> None:
        if self._lines > MAX_LINES:
            log.info("renderer process %d: %d further lines", self._pid, self._lines - MAX_LINES)
