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
from av.video.stream import VideoStream

from services.backends.text.codecs import Codec
from services.backends.text.mixture import Colors
from services.backends.text.pictures import bytes_of, new_picture
from services.backends.text.rest import Group
from services.backends.text.video_context import configure, frame_rate, key_frame_interval, tag
from services.backends.text.ycbcr import BT709
from services.media import Media

_GIF_TICKS_PER_S: Final = 100
_GIF_MIN_TICKS: Final = 2  # browsers show frames with shorter delays for a tenth of a second
MAX_GIF_FPS: Final = _GIF_TICKS_PER_S // _GIF_MIN_TICKS


class Encoder:
    """Writes one file. Paint into `picture`, then call `add_frame`, which leaves the picture unchanged."""

    def __init__(self, path: Path, *, codec: Codec, media: Media, colors: Colors) -> None:
        """Open `path`, replacing an existing file. Raises `OSError`."""
        rate = frame_rate(media)
        is_gif = codec.encoder == "gif"
        self._path = path
        self._codec = codec
        self._timestamps = gif_timestamps(rate) if is_gif else count()
        self._time_base = Fraction(1, _GIF_TICKS_PER_S) if is_gif else 1 / rate
        # Without `bitexact` the file would contain the versions of the libraries.
        options = {**codec.container_options, "fflags": "+bitexact"}
        self._container = av.open(str(path), "w", format=codec.container, options=options)
        self._stream = cast("VideoStream", self._container.add_stream(codec.encoder, rate=rate))
        configure(
            self._stream.codec_context,
            codec,
            options=codec.options,
            media=media,
            time_base=self._time_base,
            key_frame_every=key_frame_interval(media),
        )
        with _os_errors():
            self._container.start_encoding()  # opens the file
        self.frames_written = 0
        self._key_frames_written = 0
        self._is_flushed = False
        self.picture = new_picture(
            media.width or 0,
            media.height or 0,
            pixel_format=codec.pixel_format,
            colors=colors,
            coding=codec.coding or BT709,
        )
        tag(self.picture.frame, codec)

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

    def add_group(self, group: Group) -> None:
        """Write the frames of a group as the next ones. After it, only groups may be added."""
        with _os_errors():
            self._flush()
            self._mux(group.packets(start=self.frames_written, variant=self._key_frames_written))

    def finish(self) -> int:
        """Write the remaining frames and the index, sync the file to disk, return its size in bytes."""
        with _os_errors():
            self._flush()
            self._container.close()
        with self._path.open("rb") as file:
            os.fsync(file.fileno())
            return os.fstat(file.fileno()).st_size

    def _flush(self) -> None:
        if not self._is_flushed:
            self._is_flushed = True
            self._mux(self._stream.encode(None))

    def _mux(self, packets: Iterable["Packet[VideoStream]"]) -> None:
        for packet in packets:
            packet.stream = self._stream
            self._key_frames_written += packet.is_keyframe
            self._container.mux(packet)
            self.frames_written += 1


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
