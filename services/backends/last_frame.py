"""Decodes the last frame of a video or GIF, for posters. Imported only in processes that decode video."""

import contextlib
import io
import resource
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any, Final, cast

import av
from av import VideoCodecContext
from av.container import InputContainer
from av.video.reformatter import ColorRange, Colorspace, Interpolation
from av.video.stream import VideoStream

from services.backends.jpeg import EXACT, encode_jpeg

BLOCK_BYTES: Final = 256 * 1024
MAX_READ_BYTES: Final = 16 * 1024 * 1024  # 8 s, the most between two key frames at 30 frames/s, of 16 Mbit/s
MAX_DECODING_S: Final = 5.0  # after that, the last decoded frame is used
MAX_CPU_S: Final = 10  # then the kernel ends the process
MAX_MEMORY_BYTES: Final = 2 * 1024**3  # address space; a video of 7680 x 4320 takes 450 MB

# The containers of Remotion's outputs. Others, such as playlists, could refer to other files.
_FORMATS: Final = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,gif"
_GIF: Final = "gif"
# libav's own decoders of these codecs ignore transparency.
_ALPHA_DECODERS: Final = {"vp8": "libvpx", "vp9": "libvpx-vp9"}
_MIN_HD_HEIGHT: Final = 720  # from this height on, players assume BT.709 in a video without colour information
# libav's numbers of colour spaces (ITU-T H.273, table 4), and those for its scaler.
_UNSPECIFIED: Final = 2
_COLORSPACES: Final = {
    1: Colorspace.ITU709,
    4: Colorspace.FCC,
    5: Colorspace.ITU601,
    6: Colorspace.ITU601,
    7: Colorspace.SMPTE240M,
    9: Colorspace.BT2020,
    10: Colorspace.BT2020,
}

Read = Callable[[int, int], bytes]


class NoFrameError(Exception):
    """The file has no frame that can be decoded within the limits. The message says why."""


class BlockFile(io.RawIOBase):
    """A file of `size` bytes that is read with `read_range` in blocks, each once.

    After `max_bytes` in whole blocks, it ends as if the file were shorter.
    """

    def __init__(self, read_range: Read, *, size: int, max_bytes: int = MAX_READ_BYTES) -> None:
        self._read_range = read_range
        self._size = size
        self._max_blocks = max_bytes // BLOCK_BYTES
        self._position = 0
        self._blocks: dict[int, bytes] = {}

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read bytes of one block from the current position into the buffer, and return their number; 0 at the end."""
        target = memoryview(buffer)
        number, start = divmod(self._position, BLOCK_BYTES)
        content = self._block(number)[start : start + len(target)]
        target[: len(content)] = content
        self._position += len(content)
        return len(content)

    def seek(self, offset: int, whence: int = 0) -> int:
        """Move the current position, and return it."""
        self._position = offset + (0, self._position, self._size)[whence]
        return self._position

    def _block(self, number: int) -> bytes:
        start = number * BLOCK_BYTES
        length = min(BLOCK_BYTES, self._size - start)
        if number not in self._blocks:
            if length <= 0 or len(self._blocks) == self._max_blocks:
                return b""
            self._blocks[number] = self._read_range(start, length)
        return self._blocks[number]


def last_frame(file: BlockFile, *, max_time_s: float = MAX_DECODING_S) -> av.VideoFrame:
    """Return the video's last frame, or an earlier one from its last key frame on if that exceeds a limit.

    Raises `NoFrameError` if there is none.
    """
    last: av.VideoFrame | None = None
    declared = _UNSPECIFIED
    ends_at = time.monotonic() + max_time_s
    try:
        with av.open(file, "r", options={"format_whitelist": _FORMATS}) as container:
            stream = next(iter(container.streams.video), None)
            if stream is None:
                raise NoFrameError("it has no video stream")
            if container.format.name != _GIF:  # each frame of a GIF is a change of the one before it
                _seek_to_last_key_frame(container, stream)
            declared = _container_colorspace(stream)
            for frame in _decode(container, stream):
                last = frame
                if time.monotonic() > ends_at:
                    break
    except av.FFmpegError as error:
        if last is None:
            raise NoFrameError(f"it can't be decoded: {error.strerror}") from error
    if last is None:
        raise NoFrameError("it has no frames")
    if declared != _UNSPECIFIED:
        last.colorspace = declared
    return last


def poster(frame: av.VideoFrame) -> bytes:
    """Return the frame as a JPEG file with the colours that players show, over black if it is transparent."""
    guessed = Colorspace.ITU709 if frame.height >= _MIN_HD_HEIGHT else Colorspace.ITU601
    colorspace = _COLORSPACES.get(int(frame.colorspace), guessed)
    is_full = frame.color_range == ColorRange.JPEG or frame.format.name.startswith("yuvj")
    color_range = ColorRange.JPEG if is_full else ColorRange.MPEG
    if any(component.is_alpha for component in frame.format.components):
        frame, color_range = _over_black(frame, colorspace, color_range), ColorRange.JPEG
    return encode_jpeg(
        frame, colorspace=colorspace, color_range=color_range, interpolation=Interpolation.BICUBIC | EXACT
    )


def _container_colorspace(stream: VideoStream) -> int:
    """Return the colour space that the container of a VP8 stream declares, and that players use.

    The stream itself can only say BT.601: https://datatracker.ietf.org/doc/html/rfc6386#section-9.2.
    """
    return int(stream.codec_context.colorspace) if stream.codec_context.name == "vp8" else _UNSPECIFIED


def _decode(container: InputContainer, stream: VideoStream) -> Iterator[av.VideoFrame]:
    """Yield the frames from the current position on, or all if they can't be decoded from there."""
    tags = {name.lower(): value for name, value in stream.metadata.items()}
    decoder = _ALPHA_DECODERS.get(stream.codec_context.name) if tags.get("alpha_mode") == "1" else None
    if decoder is None:
        stream.codec_context.thread_count = 1
        yield from container.decode(stream)
        return
    has_frames = False
    try:
        for frame in _decode_with(decoder, container, stream):
            has_frames = True
            yield frame
    except av.FFmpegError:
        if has_frames:
            raise
        container.seek(
            0
        )  # a key frame of the colours need not be one of the transparency, which is a stream of its own
        yield from _decode_with(decoder, container, stream)


def _decode_with(name: str, container: InputContainer, stream: VideoStream) -> Iterator[av.VideoFrame]:
    decoder = cast("VideoCodecContext", av.CodecContext.create(name, "r"))
    decoder.thread_count = 1
    for packet in container.demux(stream):
        yield from decoder.decode(packet)


def _over_black(frame: av.VideoFrame, colorspace: Colorspace, color_range: ColorRange) -> av.VideoFrame:
    """Return a transparent frame as RGB, over a black background."""
    colors = frame.reformat(
        format="gbrap",
        src_colorspace=colorspace,
        src_color_range=color_range,
        dst_color_range=ColorRange.JPEG,
        interpolation=Interpolation.BICUBIC | EXACT,
        threads=1,
    )
    graph = av.filter.Graph()
    source = graph.add_buffer(
        width=colors.width, height=colors.height, format=colors.format, time_base=Fraction(1, 1000)
    )
    multiply, sink = graph.add("premultiply", "inplace=1"), graph.add("buffersink")
    source.link_to(multiply)
    multiply.link_to(sink)
    graph.configure()
    graph.vpush(colors)
    return graph.vpull().reformat(format="gbrp", threads=1)


def _seek_to_last_key_frame(container: InputContainer, stream: VideoStream) -> None:
    if stream.duration is not None:
        container.seek((stream.start_time or 0) + stream.duration, stream=stream)
    elif container.duration is not None:
        container.seek((container.start_time or 0) + container.duration)


def limit_resources() -> None:
    """Limit the CPU time and the memory of this process: the file comes from elsewhere."""
    _limit(resource.RLIMIT_CPU, MAX_CPU_S)
    _limit(resource.RLIMIT_AS, MAX_MEMORY_BYTES)


def _limit(kind: int, value: int) -> None:
    """Limit this process to the value, unless a lower limit is set or the system has no such limit, as macOS."""
    _, hard = resource.getrlimit(kind)
    lowest = value if hard == resource.RLIM_INFINITY else min(value, hard)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(kind, (lowest, lowest))
