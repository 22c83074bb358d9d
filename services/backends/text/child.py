"""The renderer's process: `python -m services.backends.text.child`.

It reads one job (see `job.py`) as a line of JSON on stdin and writes lines of JSON on stdout: `warning`s, `progress`
with the frames written so far, and `done` or `error` last. Stdin stays open as long as the parent lives; when it
closes, the process ends at once and takes its unfinished files along.
"""

import os

# numpy would start a thread per core for algebra that is not used here; it reads this when it is imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import contextlib
import errno
import json
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from services.backends.text.encode import Encoder
from services.backends.text.frames import Painter
from services.backends.text.job import InvalidJob, Job, parse_job
from services.backends.text.styles import Timeline
from services.backends.text.text import lay_out

_PROGRESS_EVERY_S: Final = 0.1
_LONGEST_END_S: Final = 5.0
_STDIN: Final = 0
_STDOUT: Final = 1
_STDERR: Final = 2
_CHUNK: Final = 65_536

Report = Callable[[Mapping[str, object]], None]

_REASONS: Final = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EFBIG: "the file may not grow any larger",
    errno.EACCES: "the directory may not be written to",
    errno.EROFS: "the directory may not be written to",
    errno.ENOENT: "the directory does not exist",
}


def main() -> int:
    """Render the job on stdin and return the exit status."""
    report = _take_stdout()
    finished = threading.Event()
    try:
        job = parse_job(_read_line())
        threading.Thread(target=_end_with_parent, args=(job, finished), daemon=True).start()
        size_bytes = render(job, report)
    except InvalidJob as error:
        report(_error(str(error), retryable=False))
    except OSError as error:
        reason = _REASONS.get(error.errno or 0, error.strerror or type(error).__name__)
        report(_error(f"The video could not be written: {reason}.", retryable=True))
        _log_traceback()
    except Exception as error:  # noqa: BLE001 - whatever it is, the parent gets its line and the log its traceback
        report(_error("The renderer could not draw this.", retryable=isinstance(error, MemoryError)))
        _log_traceback()
    else:
        finished.set()
        report({"type": "done", "size_bytes": size_bytes})
        return 0
    return 1


def render(job: Job, report: Report) -> int:
    """Render a job, reporting as it goes, and return the size in bytes; raises OSError where it can't be written."""
    layout = lay_out(job.text, family=job.font_family, size=job.font_size, width=job.width, height=job.height)
    for warning in layout.warnings:
        report({"type": "warning", "message": warning})
    timeline = Timeline(frames=job.frames, fps=job.fps, height=job.height, graphemes=layout.grapheme_count)
    progress = _Progress(report)
    with Encoder(job.output, width=job.width, height=job.height, fps=job.fps) as encoder:
        painter = Painter(encoder.picture, layout, text=job.color, background=job.background)
        for frame in range(job.frames):
            painter.paint(timeline.pose(job.style, frame))
            encoder.add_frame()
            progress.note(encoder.frames_written)
        _try_poster(encoder, job.poster)
        size_bytes = encoder.finish()
    progress.note(encoder.frames_written, is_last=True)
    return size_bytes


def _try_poster(encoder: Encoder, path: Path) -> None:
    """Write the poster, which shows the last frame. A video without one is better than none."""
    try:
        encoder.write_poster(path)
    except OSError:
        _log_traceback()
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)


class _Progress:
    """Reports frames as they get written: the first, the last, and between them a few times a second."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._reported = 0
        self._due = 0.0

    def note(self, frames: int, *, is_last: bool = False) -> None:
        now = time.monotonic()
        if frames == self._reported or (now < self._due and not is_last):
            return
        self._reported, self._due = frames, now + _PROGRESS_EVERY_S
        self._report({"type": "progress", "frames": frames})


def _take_stdout() -> Report:
    """Return what writes a line to stdout, and send all else that is printed, libav's words among it, to stderr."""
    channel = os.dup(_STDOUT)
    os.dup2(_STDERR, _STDOUT)

    def report(message: Mapping[str, object]) -> None:
        line = json.dumps(message).encode() + b"\n"
        try:
            while line:
                line = line[os.write(channel, line) :]
        except BrokenPipeError:  # the parent is gone, and `_end_with_parent` about to end this process in order
            time.sleep(_LONGEST_END_S)
            raise SystemExit(1) from None

    return report


def _error(message: str, *, retryable: bool) -> Mapping[str, object]:
    """Return the last line of a job that failed; the same input fails again unless it is `retryable`."""
    return {"type": "error", "message": message, "retryable": retryable}


def _log_traceback() -> None:
    """Print what went wrong; the log may lie on the same full disk."""
    with contextlib.suppress(OSError):
        traceback.print_exc()


def _read_line() -> bytes:
    """Read the job; unbuffered, so that no lock on stdin is held when the process ends."""
    received = b""
    while not received.endswith(b"\n"):
        chunk = os.read(_STDIN, _CHUNK)
        if not chunk:
            break
        received += chunk
    return received


def _end_with_parent(job: Job, finished: threading.Event) -> None:
    """Wait until the parent closes stdin or dies; unless the video is finished, remove all and end the process."""
    while os.read(_STDIN, _CHUNK):
        pass
    if not finished.is_set():
        job.output.unlink(missing_ok=True)
        job.poster.unlink(missing_ok=True)
        os._exit(1)


if __name__ == "__main__":
    sys.exit(main())
