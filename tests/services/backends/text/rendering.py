"""Helpers of the renderer's tests: run the child as its parent does, and decode its files."""

import io
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
from av.video.reformatter import ColorRange, Colorspace, Interpolation

Plane = npt.NDArray[np.uint8]

EXIT_TIMEOUT_S = 60
ROOT = Path(__file__).parents[4]
LIMITED_FILE = """
import resource, runpy
resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))
runpy.run_module("services.backends.text.child", run_name="__main__")
"""


@dataclass(frozen=True)
class Outcome:
    """A child's exit status, messages and files."""

    status: int
    messages: list[dict[str, object]]
    output: Path

    @property
    def poster(self) -> Path:
        return poster_of(self.output)

    def of_type(self, kind: str) -> list[dict[str, object]]:
        return [message for message in self.messages if message["type"] == kind]


@dataclass(frozen=True)
class Planes:
    """One decoded frame."""

    y: Plane
    cb: Plane
    cr: Plane

    def differs_from(self, value: int, *, by: int = 40) -> npt.NDArray[np.bool_]:
        """Return the mask of pixels whose luma differs from `value` by more than `by`."""
        distance = np.abs(self.y.astype(np.int16) - np.int16(value))
        further: npt.NDArray[np.bool_] = distance > by
        return further


def poster_of(output: Path) -> Path:
    """Return the poster's path in a job of `job`."""
    return output.with_suffix(".poster.part")


def job(output: Path, **changes: object) -> dict[str, object]:
    """Return a small job with the changes."""
    return {
        "output": str(output),
        "poster": str(poster_of(output)),
        "width": 320,
        "height": 180,
        "fps": 30,
        "text": "Hello",
        "style": "fade-in",
        "font_family": "Inter",
        "font_size": 32.0,
        "color": "#fff",
        "background_color": "#000",
        "duration_in_frames": 12,
        "options": {},
        **changes,
    }


@contextmanager
def child(*, file_limit: int | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """Run a child and kill it at the end; `file_limit` limits the size in bytes of files it may write."""
    program = ["-m", "services.backends.text.child"]
    if file_limit is not None:
        program = ["-c", LIMITED_FILE.format(limit=file_limit)]
    process = subprocess.Popen(
        [sys.executable, *program], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def send(process: subprocess.Popen[bytes], line: bytes) -> None:
    assert process.stdin is not None
    process.stdin.write(line + b"\n")
    process.stdin.flush()


def render(output: Path, **changes: object) -> Outcome:
    """Run a child with a job of `job` to its end."""
    return run(json.dumps(job(output, **changes)).encode(), output)


def run(line: bytes, output: Path, *, file_limit: int | None = None) -> Outcome:
    """Send a line to a child and run it to its end; its stdin stays open until the job is done."""
    with child(file_limit=file_limit) as process:
        send(process, line)
        messages = list(received(process))
        return Outcome(process.wait(), messages, output)


def received(process: subprocess.Popen[bytes]) -> Iterator[dict[str, object]]:
    """Yield the messages of a child; close its stdin when a job is done."""
    assert process.stdin is not None
    assert process.stdout is not None
    for line in process.stdout:
        message = json.loads(line)
        if message["type"] == "done":
            process.stdin.close()
        yield message


def decode(path: Path) -> list[Planes]:
    """Return all decoded frames of a video."""
    with av.open(str(path), format="mp4") as container:
        return [Planes(*(_pixels(plane) for plane in frame.planes)) for frame in container.decode(video=0)]


def rgb(frame: av.VideoFrame) -> npt.NDArray[np.int16]:
    """Return a frame's colours as browsers show them: a video's by BT.709, a JPEG's by BT.601 in full range.

    Colours of formats without Y'CbCr are returned unchanged.
    """
    if not frame.format.name.startswith("yuv"):
        return frame.to_ndarray(format="rgb24").astype(np.int16)
    is_jpeg = frame.format.name.startswith("yuvj")
    shown = frame.reformat(
        format="rgb24",
        src_colorspace=Colorspace.ITU601 if is_jpeg else Colorspace.ITU709,
        src_color_range=ColorRange.JPEG if is_jpeg else ColorRange.MPEG,
        dst_color_range=ColorRange.JPEG,
        interpolation=Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT,
    )
    return shown.to_ndarray().astype(np.int16)


def decode_still(data: bytes) -> av.VideoFrame:
    """Return the picture of an image file."""
    formats = {b"\xff\xd8": "jpeg_pipe", b"\x89P": "png_pipe", b"RI": "webp_pipe"}
    with av.open(io.BytesIO(data), format=formats[data[:2]]) as container:
        assert isinstance(container, av.container.InputContainer)
        (frame,) = container.decode(video=0)
    return frame


def decode_poster(path: Path) -> av.VideoFrame:
    """Return the picture of a JPEG file."""
    return decode_still(path.read_bytes())


def last_frame(path: Path) -> av.VideoFrame:
    """Return the last frame of a video."""
    with av.open(str(path), format="mp4") as container:
        return list(container.decode(video=0))[-1]


def _pixels(plane: av.video.plane.VideoPlane) -> Plane:
    rows = np.frombuffer(bytes(plane), np.uint8).reshape(plane.height, plane.line_size)
    return rows[:, : plane.width].copy()
