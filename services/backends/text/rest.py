"""Text at rest: the equal frames at a video's end are encoded once, and written repeatedly.

What is repeated is a closed group of pictures: a key frame, and frames that refer only to frames of the group. Its
packets decode to the same pictures wherever they are. It comes from an encoder of its own, so that its quality does not
depend on the frames before it, and so that both can be encoded at the same time.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias, cast

import av
from av.bitstream import BitStreamFilterContext
from av.codec.context import Flags
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType
from av.video.stream import VideoStream

from services.backends.text.codecs import Codec
from services.backends.text.mixture import Colors
from services.backends.text.pictures import new_picture
from services.backends.text.video_context import configure, frame_rate, key_frame_interval, tag
from services.backends.text.ycbcr import BT709
from services.media import Media

VideoPacket: TypeAlias = "Packet[VideoStream]"

_MIN_FRAMES_BEFORE: Final = 4  # x264 needs three to find the time by which decoding precedes presentation
_MIN_INTERVAL: Final = 4  # with less, x264 uses fewer B-frames, so that the headers differ
_ALTERNATING_KEY_FRAMES: Final = 2  # x264 alternates two ids
_WITHOUT_VERSION: Final = "filter_units=remove_types=6"  # x264's first key frame contains its version (H.264, 7.4.1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rest:
    """The frames at a video's end that are written as `times` groups of `length` frames. `times` may be 0."""

    length: int = 0
    times: int = 0

    @property
    def frames(self) -> int:
        """The number of these frames."""
        return self.length * self.times


def rest_of(media: Media, codec: Codec, *, rest_from: int) -> Rest:
    """Return the groups of a video whose frames are equal from number `rest_from` on.

    A group is at least as long as the interval between other key frames, so that the file has no more key frames than
    without groups, and at most one and a half times as long.
    """
    interval = 1 if codec.is_intra else key_frame_interval(media)
    if codec.rest_options is None or 1 < interval < _MIN_INTERVAL:
        return Rest()
    frames = media.frames - max(rest_from, _MIN_FRAMES_BEFORE)
    times = frames // interval
    return Rest(length=frames // times, times=times) if times > 1 else Rest()


class Group:
    """The packets of a group: a key frame, of which there may be variants, and the other frames in decoding order.

    The last variant has the group's times.
    """

    def __init__(self, key_frames: Sequence[VideoPacket], others: Sequence[VideoPacket]) -> None:
        self._key_frames = key_frames
        self._others = others
        self._times = [(packet.pts or 0, packet.dts or 0, packet.duration) for packet in (key_frames[-1], *others)]
        self._time_base = key_frames[-1].time_base

    def packets(self, *, start: int, variant: int) -> Iterator[VideoPacket]:
        """Yield the packets with the times of a group whose first frame is number `start`.

        The packets are the same objects in each group: their times change with the next one.
        """
        key_frame = self._key_frames[variant % len(self._key_frames)]
        for packet, (pts, dts, duration) in zip((key_frame, *self._others), self._times, strict=True):
            packet.time_base = self._time_base
            packet.pts, packet.dts, packet.duration = start + pts, start + dts, duration
            yield packet


class RestEncoder:
    """Encodes a group. Paint the text at rest into `picture`, then call `encode`, in any thread."""

    def __init__(self, rest: Rest, *, codec: Codec, media: Media, colors: Colors) -> None:
        self._length = rest.length
        self._key_frames = _ALTERNATING_KEY_FRAMES if codec.alternates_ids else 1
        self._context = cast("VideoCodecContext", av.CodecContext.create(codec.encoder, "w"))
        options = {**codec.options, **(codec.rest_options or {})}
        configure(
            self._context,
            codec,
            options=options,
            media=media,
            time_base=1 / frame_rate(media),
            key_frame_every=self._key_frames + rest.length,
        )
        self._context.flags |= Flags.global_header
        self.picture = new_picture(
            media.width or 0,
            media.height or 0,
            pixel_format=codec.pixel_format,
            colors=colors,
            coding=codec.coding or BT709,
        )
        tag(self.picture.frame, codec)

    def encode(self, report: Callable[[int], None]) -> Group:
        """Return the group; `report` is called with the number of its frames encoded so far."""
        packets = [packet for packets in self._encoded(report) for packet in packets]
        key_frames, others = packets[: self._key_frames], packets[self._key_frames :]
        if self._key_frames > 1:
            key_frames[:1] = BitStreamFilterContext(_WITHOUT_VERSION, "h264").filter(key_frames[0])
        return Group(key_frames, others)

    def _encoded(self, report: Callable[[int], None]) -> Iterator[Sequence[VideoPacket]]:
        frame = self.picture.frame
        for number in range(1 - self._key_frames, self._length):
            frame.pict_type = PictureType.I if number <= 0 else PictureType.NONE
            frame.time_base, frame.pts = self._context.time_base, number
            yield self._context.encode(frame)
            report(max(0, number + 1))
        yield self._context.encode(None)
