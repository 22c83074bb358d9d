"""The renderer process: `python -m services.backends.text.child`.

It reads jobs (see `job.py`) from stdin, each a line of JSON, and writes lines of JSON to stdout (see
`child_messages.py`): for each job `warning`s, `progress` with the frames written so far, `preview`s of the newest
frame, and `done` or `error` last. After `done` it waits for the next job, after `error` it exits. The parent keeps
stdin open while it is running; when stdin closes, the process removes its unfinished files and exits immediately.
"""

# ruff: noqa: E402  # what follows `gc.disable()`

import gc
import os

# Else collections, which would find next to nothing, would take a tenth of a start's CPU time. `main` ends this.
gc.disable()

# numpy reads this on import. Without it, OpenBLAS would start a thread per core for linear algebra, unused here.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import contextlib
import errno
import json
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from queue import SimpleQueue
from typing import Final

import tinycss2.color4  # noqa: F401  # else the first job would import it, to parse its colours

from services.backends.text.job import InvalidJob, parse_job
from services.backends.text.render_job import Report, log_traceback, render

_EXIT_TIMEOUT_S: Final = 5.0
_STDIN: Final = 0
_STDOUT: Final = 1
_STDERR: Final = 2
_CHUNK_BYTES: Final = 65_536

_NOT_STORED: Final = "The output could not be stored. Please try again; if it fails again, contact the operator."
_NOT_DRAWN: Final = "The animation could not be drawn. Please change it; if others fail too, contact the operator."
_OUT_OF_MEMORY: Final = "The renderer ran out of memory. Please try again; if it fails again, contact the operator."

_FULL_DISK: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
# For the operator, by the error's number.
_REASONS: Final = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EFBIG: "the file may not grow any larger",
    errno.EACCES: "the directory may not be written to",
    errno.EROFS: "the directory may not be written to",
    errno.ENOENT: "the directory does not exist",
}


def main() -> int:
    """Render the jobs on stdin, one after the other, until one fails; return the exit status."""
    gc.freeze()  # what was imported stays
    gc.enable()
    report = _take_stdout()
    stdin = _Stdin()
    threading.Thread(target=stdin.read, daemon=True).start()
    while _succeeds(stdin, report):
        pass
    return 1


def _succeeds(stdin: "_Stdin", report: Report) -> bool:
    """Wait for a job, render it, report its progress and its end, and return whether it succeeded."""
    try:
        job = parse_job(stdin.jobs.get())
        files = (job.output,) if job.poster is None else (job.output, job.poster)
        stdin.unfinished = () if job.layout_only else files
        size_bytes = render(job, report)
    except InvalidJob as error:
        report(_error(str(error), code="INVALID_ANIMATION", retryable=False))
    except OSError as error:
        reason = _REASONS.get(error.errno or 0, error.strerror or type(error).__name__)
        detail = f"The output could not be written to RENDERCAST_DATA_DIR: {reason}."
        code = "RENDERER_OUT_OF_DISK" if error.errno in _FULL_DISK else "RENDER_FAILED"
        report(_error(_NOT_STORED, code=code, retryable=True, detail=detail))
        log_traceback()
    except MemoryError as error:
        report(_error(_OUT_OF_MEMORY, code="RENDERER_OUT_OF_MEMORY", retryable=True, detail=repr(error)))
        log_traceback()
    except Exception as error:  # noqa: BLE001 - the parent gets a message for any error, and the log its traceback
        report(_error(_NOT_DRAWN, retryable=False, detail=repr(error)))
        log_traceback()
    else:
        stdin.unfinished = ()
        report({"type": "done", "size_bytes": size_bytes})
        return True
    return False


def _take_stdout() -> Report:
    """Return a function that writes a message to stdout, and redirect all other output, such as libav's, to stderr."""
    channel = os.dup(_STDOUT)
    os.dup2(_STDERR, _STDOUT)

    def report(message: Mapping[str, object]) -> None:
        line = json.dumps(message).encode() + b"\n"
        try:
            while line:
                line = line[os.write(channel, line) :]
        except BrokenPipeError:  # the parent has ended; `_Stdin.read` is about to clean up and end this process
            time.sleep(_EXIT_TIMEOUT_S)
            raise SystemExit(1) from None

    return report


def _error(
    message: str, *, code: str = "RENDER_FAILED", retryable: bool, detail: str | None = None
) -> Mapping[str, object]:
    """Return the last message of a failed job. Unless it is `retryable`, the same job fails again."""
    error: dict[str, object] = {"type": "error", "code": code, "message": message, "retryable": retryable}
    return error if detail is None else error | {"detail": detail}


class _Stdin:
    """The jobs on stdin, read unbuffered in a thread, so that no lock on stdin is held when the process ends."""

    def __init__(self) -> None:
        self.jobs: SimpleQueue[bytes] = SimpleQueue()
        self.unfinished: tuple[Path, ...] = ()

    def read(self) -> None:
        """Read jobs until the parent closes stdin or ends; then remove the unfinished files and exit."""
        received = b""
        while chunk := os.read(_STDIN, _CHUNK_BYTES):
            *lines, received = (received + chunk).split(b"\n")
            for line in lines:
                self.jobs.put(line)
        for path in self.unfinished:
            with contextlib.suppress(OSError):  # else this process would outlive its parent
                path.unlink()
        os._exit(1 if self.unfinished else 0)


if __name__ == "__main__":
    sys.exit(main())
