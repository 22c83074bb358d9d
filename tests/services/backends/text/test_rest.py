"""Text at rest, which is encoded once and written repeatedly."""

import re
from collections.abc import Iterator
from itertools import groupby, pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream

from services.backends.text.codecs import codec_of
from services.backends.text.rest import Rest, rest_of
from services.media import Media, OutputFormat, OutputOptions
from services.models import AnimationStyle
from tests.services.backends.text.outputs import DECODERS, FPS, VIDEOS, Made, Options, make, rgba

FRAMES, INTERVAL, ENTRANCE = 310, 2 * FPS, FPS
H264: Options = {"format": "h264"}


def in_format(name: OutputFormat, **options: object) -> Options:
    return {"format": name.value, **options}


ALL = [*(in_format(name) for name in VIDEOS), *(in_format(name, transparent=True) for name in DECODERS)]


def make_long(folder: Path, options: Options, **changes: object) -> Made:
    return make(folder, options, **{"duration_in_frames": FRAMES, "style": AnimationStyle.SCALE, **changes})


def video(folder: Path) -> tuple[VideoStream, list["Packet[VideoStream]"]]:
    """Return the stream of the only output in the folder, and its packets in decoding order."""
    container = av.open(str(folder / "0.part"))
    stream = container.streams.video[0]
    return stream, [packet for packet in container.demux(stream) if packet.pts is not None]


def slices(packet: "Packet[VideoStream]") -> Iterator[str]:
    """Yield the bits of each slice of an H.264 key frame, from the slice header on."""
    data = bytes(packet)
    while data:
        size = int.from_bytes(data[:4], "big")
        unit, data = data[4 : 4 + size], data[4 + size :]
        if unit[0] & 31 == 5:
            yield "".join(f"{byte:08b}" for byte in unit[1:20])


def unsigned(bits: Iterator[str]) -> int:
    """Read an Exp-Golomb code (ITU-T H.264, 9.1)."""
    zeros = 0
    while next(bits) == "0":
        zeros += 1
    return int("1" + "".join(next(bits) for _ in range(zeros)), 2) - 1


def idr_pic_id(slice_bits: str, *, frame_num_bits: int = 4) -> int:
    """Return the field of a slice header (ITU-T H.264, 7.3.3)."""
    bits = iter(slice_bits)
    assert unsigned(bits) == 0  # first_mb_in_slice
    unsigned(bits)  # slice_type
    unsigned(bits)  # pic_parameter_set_id
    assert "".join(next(bits) for _ in range(frame_num_bits)) == "0" * frame_num_bits
    return unsigned(bits)


@pytest.mark.parametrize("options", ALL, ids=str)
def test_all_frames_are_there_in_time_and_the_text_at_rest_does_not_change(tmp_path: Path, options: Options) -> None:
    made = make_long(tmp_path, options)
    times = [frame.time or 0 for frame in made.frames]
    assert times == pytest.approx([number / FPS for number in range(FRAMES)], abs=0.0006)  # WebM has milliseconds
    assert made.duration_s == pytest.approx(FRAMES / FPS, abs=0.001)
    shown = [rgba(frame) for frame in made.frames[ENTRANCE + 4 :: 3]]
    assert max(np.abs(picture - shown[-1]).max() for picture in shown) <= 12
    assert np.abs(rgba(made.frames[0]) - shown[-1]).max() > 100
    assert [message["frames"] for message in made.messages if message["type"] == "progress"][-1] == FRAMES


@pytest.mark.parametrize("options", ALL, ids=str)
def test_each_group_is_decoded_alone_to_the_pictures_of_the_whole(tmp_path: Path, options: Options) -> None:
    """As by a player that seeks. Any error in the file is raised."""
    made = make_long(tmp_path, options)
    stream, packets = video(tmp_path)
    numbers = np.cumsum([packet.is_keyframe for packet in packets])
    alone = []
    for _, group in groupby(zip(numbers, packets, strict=True), key=lambda pair: int(pair[0])):
        name = DECODERS.get(OutputFormat(str(options["format"])), stream.codec_context.name)
        decoder = av.CodecContext.create(name, "r")
        assert isinstance(decoder, VideoCodecContext)
        decoder.extradata, decoder.options = stream.codec_context.extradata, {"err_detect": "explode"}
        alone += [frame for _, packet in group for frame in decoder.decode(packet)] + decoder.decode(None)
    assert [bytes(frame.planes[0]) for frame in alone] == [bytes(frame.planes[0]) for frame in made.frames]


@pytest.mark.parametrize("options", [option for option in ALL if option["format"] != "prores"], ids=str)
def test_the_file_has_no_more_key_frames_than_without_repetition(tmp_path: Path, options: Options) -> None:
    make_long(tmp_path, options, width=160, height=90, text="Hello")
    keys = [number for number, packet in enumerate(video(tmp_path)[1]) if packet.is_keyframe]
    assert len(keys) <= FRAMES / INTERVAL
    assert all(after - before <= 1.5 * INTERVAL for before, after in pairwise([*keys, FRAMES]))


def test_decoding_times_are_regular(tmp_path: Path) -> None:
    make_long(tmp_path, H264)
    stream, packets = video(tmp_path)
    times = [(packet.dts or 0) * (packet.time_base or 0) * FPS for packet in packets]
    assert {after - before for before, after in pairwise(times)} == {1}
    assert stream.start_time == 0


@pytest.mark.parametrize("frames", [FRAMES, 900])
def test_key_frames_of_h264_have_ids_that_differ_from_the_one_before(tmp_path: Path, frames: int) -> None:
    """ITU-T H.264, 7.4.3, requires it only of key frames without others between them, but not all parsers know that.

    The typewriter types for more than two seconds, so the frames before the rest have several key frames, too.
    """
    make_long(tmp_path, H264, duration_in_frames=frames, style=AnimationStyle.TYPEWRITER, text="word " * 20)
    ids = [idr_pic_id(bits) for packet in video(tmp_path)[1] if packet.is_keyframe for bits in slices(packet)]
    assert ids == [number % 2 for number in range(len(ids))]
    assert len(ids) > 4


def test_the_version_of_the_encoder_is_not_repeated(tmp_path: Path) -> None:
    assert len(re.findall(b"x264 - core", make_long(tmp_path, H264).data)) == 1


@pytest.mark.parametrize("crf", [1, 20, 51])
def test_every_quality_has_the_headers_of_the_first_frames(tmp_path: Path, crf: int) -> None:
    made = make_long(tmp_path, H264 | {"crf": crf})
    assert len(made.frames) == FRAMES
    error = np.abs(rgba(made.frames[-1]) - rgba(made.frames[ENTRANCE + 4])).max()
    assert error <= 16 if crf <= 20 else error < 100


@pytest.mark.parametrize("options", [H264, {"format": "vp9"}], ids=str)
def test_the_same_job_gives_the_same_bytes(tmp_path: Path, options: Options) -> None:
    assert make_long(tmp_path, options).data == make_long(tmp_path, options).data


@pytest.mark.parametrize(
    ("options", "fps", "rest"),
    [
        (OutputOptions(), 30, Rest(length=63, times=9)),
        (OutputOptions(), 10, Rest(length=20, times=28)),
        (OutputOptions(format=OutputFormat.PRORES), 30, Rest(length=1, times=570)),
        (OutputOptions(), 300, Rest()),  # less than two groups
        (OutputOptions(), 1, Rest()),  # groups of so few frames have other headers
        (OutputOptions(bitrate_kbps=500), 30, Rest()),  # the rate control has to see all frames
        (OutputOptions(format=OutputFormat.GIF), 30, Rest()),  # each frame is a change of the one before
    ],
)
def test_groups_are_as_long_as_the_interval_of_key_frames_or_a_little_longer(
    options: OutputOptions, fps: float, rest: Rest
) -> None:
    codec = codec_of(options, width=64, has_alpha=False)
    assert rest_of(Media(frames=600, fps=fps, width=64, height=48), codec, rest_from=30) == rest


def test_the_first_frames_are_encoded_one_by_one_also_if_the_text_is_at_rest_from_the_start() -> None:
    codec = codec_of(OutputOptions(), width=64, has_alpha=False)
    assert rest_of(Media(frames=124, fps=30, width=64, height=48), codec, rest_from=0) == Rest(length=60, times=2)
    assert rest_of(Media(frames=123, fps=30, width=64, height=48), codec, rest_from=0) == Rest()
