"""Encodes pictures to an MP4 file with H.264, and one of them to a JPEG file."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Final, Self, cast

import av
import numpy as np
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.plane import VideoPlane
from av.video.stream import VideoStream

from services.backends.jpeg import encode_jpeg
from services.backends.text.frames import Picture, Plane, upsampled

# The code point of BT.709 in ITU-T H.273, and libav's number for limited ("MPEG") range.
_BT709: Final = 1
_LIMITED: Final = 1

_KEYFRAME_INTERVAL_S: Final = 2

# Settings for text in one colour on a flat background. Each was chosen by comparing decoded frames with painted ones:
# - adaptive quantisation and macroblock trees take bits from the edges of text, permanently once the text is at rest;
# - deblocking erases the last column of a letter where that column reaches into the next block;
# - weighted prediction shifts the whole background by one level while text fades;
# - a more thorough motion search improves nothing, nor does lookahead, which takes a sixth of the time.
# One thread, since x264's output depends on the number of threads.
_X264: Final = {"preset": "veryfast", "crf": "20", "profile": "high"}
_X264_PARAMS: Final = (
    "threads=1:aq-mode=0:mbtree=0:no-deblock=1:weightp=0:weightb=0:subme=1:me=dia:b-adapt=0:scenecut=0:rc-lookahead=0"
)


class Encoder:
    """Writes one MP4 file. Paint into `picture`, then call `add_frame`, which leaves the picture unchanged."""

    def __init__(self, path: Path, *, width: int, height: int, fps: int) -> None:
        """Open `path`, replacing an existing file. Raises `OSError`."""
        self._path = path
        # Without `bitexact` the file would contain the versions of the libraries.
        options = {"movflags": "+faststart", "fflags": "+bitexact"}
        self._container = av.open(str(path), "w", format="mp4", options=options)
        self._stream = self._container.add_stream("libx264", rate=fps)
        _configure(self._stream.codec_context, width=width, height=height, fps=fps)
        with _os_errors():
            self._container.start_encoding()  # opens the file
        self._frame = av.VideoFrame(width, height, "yuv420p")
        self._frame.time_base = Fraction(1, fps)
        self._next = 0
        self.frames_written = 0
        self.picture = Picture(*(_writable(plane) for plane in self._frame.planes))

    def __enter__(self) -> Self:
        """Return the encoder itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the file if `finish` has not."""
        with suppress(av.FFmpegError):
            self._container.close()

    def add_frame(self) -> None:
        """Encode the picture as the next frame; `frames_written` lags some frames behind."""
        self._frame.pts = self._next
        self._next += 1
        with _os_errors():
            self._mux(self._stream.encode(self._frame))

    def finish(self) -> int:
        """Write the remaining frames, move the index to the front, sync the file to disk, return its size in bytes."""
        with _os_errors():
            self._mux(self._stream.encode(None))
            self._container.close()
        with self._path.open("rb") as file:
            os.fsync(file.fileno())
            return os.fstat(file.fileno()).st_size

    def write_poster(self, path: Path) -> None:
        """Write the current picture to a JPEG file and sync it to disk. Raises `OSError`."""
        with _os_errors():
            content = _jpeg(self.picture)
        with path.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())

    def _mux(self, packets: Iterable["Packet[VideoStream]"]) -> None:
        for packet in packets:
            self._container.mux(packet)
            self.frames_written += 1


def _configure(context: VideoCodecContext, *, width: int, height: int, fps: int) -> None:
    context.width, context.height, context.pix_fmt = width, height, "yuv420p"
    context.gop_size = fps * _KEYFRAME_INTERVAL_S
    context.color_primaries = context.color_trc = context.colorspace = _BT709
    context.color_range = _LIMITED
    context.options = {**_X264, "x264-params": _X264_PARAMS, "chroma_sample_location": "left"}


def _jpeg(picture: Picture) -> bytes:
    """Return a picture as a JPEG file."""
    planes = np.stack((picture.y, upsampled(picture.cb), upsampled(picture.cr)))
    return encode_jpeg(av.VideoFrame.from_ndarray(planes, format="yuv444p"))


def _writable(plane: VideoPlane) -> Plane:
    """Return a plane's pixels as an array that shares its memory, without the padding of its rows."""
    buffer = cast("memoryview[int]", plane)  # planes support the buffer protocol, though PyAV's stubs don't declare it
    return np.frombuffer(buffer, np.uint8).reshape(plane.height, plane.line_size)[:, : plane.width]


@contextmanager
def _os_errors() -> Iterator[None]:
    """Translate libav's errors, which are all file errors here, into `OSError`."""
    try:
        yield
    except av.FFmpegError as error:
        raise OSError(error.errno, error.strerror) from error
