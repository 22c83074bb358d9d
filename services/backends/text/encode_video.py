"""Encodes pictures to a video or GIF file."""

import errno
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Final, Self, cast

import av
import numpy as np
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream

from services.backends.text.codecs import Codec
from services.backends.text.mixture import Colors
from services.backends.text.pictures import bytes_of, new_picture
from services.backends.text.ycbcr import BT709
from services.media import Media

# The code point of BT.709's primaries and transfer function in ITU-T H.273, and libav's number for limited range.
_BT709: Final = 1
_LIMITED: Final = 1

_KEYFRAME_INTERVAL_S: Final = 2
_MAX_RATE_DENOMINATOR: Final = 1001  # as of 30000/1001 frames per second

_GIF_TICKS_PER_S: Final = 100
_GIF_MIN_TICKS: Final = 2  # browsers show frames with shorter delays for a tenth of a second
MAX_GIF_FPS: Final = _GIF_TICKS_PER_S // _GIF_MIN_TICKS


class Encoder:
    """Writes one file. Paint into `picture`, then call `add_frame`, which leaves the picture unchanged."""

    def __init__(self, path: Path, *, codec: Codec, media: Media, colors: Colors) -> None:
        """Open `path`, replacing an existing file. Raises `OSError`."""
        width, height = media.width or 0, media.height or 0
        rate = Fraction(media.fps).limit_denominator(_MAX_RATE_DENOMINATOR)
        is_gif = codec.encoder == "gif"
        self._path = path
        self._codec = codec
        self._timestamps = gif_timestamps(rate) if is_gif else count()
        self._time_base = Fraction(1, _GIF_TICKS_PER_S) if is_gif else 1 / rate
        # Without `bitexact` the file would contain the versions of the libraries.
        options = {**codec.container_options, "fflags": "+bitexact"}
        self._container = av.open(str(path), "w", format=codec.container, options=options)
        self._stream = cast("VideoStream", self._container.add_stream(codec.encoder, rate=rate))
        _configure(self._stream.codec_context, codec, size=(width, height), rate=rate, time_base=self._time_base)
        with _os_errors():
            self._container.start_encoding()  # opens the file
        self.frames_written = 0
        self.picture = new_picture(
            width, height, pixel_format=codec.pixel_format, colors=colors, coding=codec.coding or BT709
        )
        _tag(self.picture.frame, codec)

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
        frame = _copy(self.picture.frame) if self._codec.reads_later else self.picture.frame
        frame.time_base, frame.pts = self._time_base, next(self._timestamps)
        with _os_errors():
            self._mux(self._stream.encode(frame))

    def finish(self) -> int:
        """Write the remaining frames and the index, sync the file to disk, return its size in bytes."""
        with _os_errors():
            self._mux(self._stream.encode(None))
            self._container.close()
        with self._path.open("rb") as file:
            os.fsync(file.fileno())
            return os.fstat(file.fileno()).st_size

    def _mux(self, packets: Iterable["Packet[VideoStream]"]) -> None:
        for packet in packets:
            self._container.mux(packet)
            self.frames_written += 1


def _configure(
    context: VideoCodecContext, codec: Codec, *, size: tuple[int, int], rate: Fraction, time_base: Fraction
) -> None:
    context.width, context.height = size
    context.pix_fmt = codec.pixel_format
    context.time_base = time_base
    context.thread_count = 1
    context.gop_size = max(1, round(rate * _KEYFRAME_INTERVAL_S))
    context.bit_rate = codec.bitrate_bps
    if codec.tag is not None:
        context.codec_tag = codec.tag
    if codec.coding is not None:
        context.color_primaries = context.color_trc = _BT709
        context.colorspace = codec.coding.matrix
        context.color_range = _LIMITED
    context.options = {**codec.options, "chroma_sample_location": "left", "flags": "+bitexact"}


def _tag(frame: av.VideoFrame, codec: Codec) -> None:
    """Set the colour tags of a frame, from which the encoder of ProRes takes them."""
    if codec.coding is not None:
        frame.color_primaries = frame.color_trc = _BT709
        frame.colorspace = codec.coding.matrix
        frame.color_range = _LIMITED


def gif_timestamps(rate: Fraction) -> Iterator[int]:
    """Yield the times of frames in hundredths of a second, the unit of GIFs, with at least two between them."""
    last = -_GIF_MIN_TICKS
    for number in count():
        last = max(last + _GIF_MIN_TICKS, round(number * _GIF_TICKS_PER_S / rate))
        yield last


def _copy(frame: av.VideoFrame) -> av.VideoFrame:
    copy = av.VideoFrame(frame.width, frame.height, frame.format.name)
    for target, source in zip(copy.planes, frame.planes, strict=True):
        np.copyto(bytes_of(target), bytes_of(source))
    return copy


@contextmanager
def _os_errors() -> Iterator[None]:
    """Translate libav's errors that have a number of the operating system into `OSError`. Encoders raise others."""
    try:
        yield
    except av.FFmpegError as error:
        if error.errno not in errno.errorcode:
            raise
        raise OSError(error.errno, error.strerror) from error
