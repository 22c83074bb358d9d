"""The last frame of real videos, decoded within limits on what is read and on time."""

import subprocess
import sys
from dataclasses import dataclass, field

import pytest
from av.video.reformatter import ColorRange, Colorspace

from services.backends.last_frame import (
    BLOCK_BYTES,
    BlockFile,
    NoFrameError,
    last_frame,
    poster,
)
from services.backends.remotion_lambda.posters import CHECKOUT, CHILD
from services.media import FORMATS, OutputFormat, OutputKind, formats_of
from tests.support.lambda_progress import OUTPUT
from tests.support.outputs import make_output
from tests.support.videos import BLUE, RED, color_of, make_audio, make_video

pytestmark = pytest.mark.slow  # starts decoder processes

PLAYLIST = b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile:///etc/hostname\n#EXT-X-ENDLIST\n"


@dataclass
class Reads:
    """A file in memory, and the ranges that were read of it."""

    content: bytes
    ranges: list[tuple[int, int]] = field(default_factory=list)

    def read(self, offset: int, length: int) -> bytes:
        assert 0 <= offset < offset + length <= len(self.content)
        self.ranges.append((offset, length))
        return self.content[offset : offset + length]

    def file(self, **limits: int) -> BlockFile:
        return BlockFile(self.read, size=len(self.content), **limits)


def poster_of(video: bytes, *, max_time_s: float = 60) -> bytes:
    return poster(last_frame(Reads(video).file(), max_time_s=max_time_s))


def assert_close(shown: tuple[int, int, int], expected: tuple[int, int, int]) -> None:
    assert max(abs(one - other) for one, other in zip(shown, expected, strict=True)) <= 6, shown


@pytest.fixture(scope="module")
def large_video() -> bytes:
    """A video of more than ten blocks whose last key frame is ten frames before its end."""
    video = make_video(size=(320, 180), frames=60, last_key_frame=50, noise=True)
    assert len(video) > 10 * BLOCK_BYTES
    return video


@pytest.mark.parametrize("faststart", [True, False], ids=["index at the start", "index at the end"])
@pytest.mark.parametrize("audio", [False, True], ids=["silent", "with sound"])
def test_the_poster_is_the_last_frame(faststart: bool, audio: bool) -> None:  # noqa: FBT001
    assert_close(color_of(poster_of(make_video(faststart=faststart, audio=audio))), RED)


@pytest.mark.parametrize("name", sorted(formats_of(OutputKind.VIDEO)))
def test_every_codec_has_a_poster(name: OutputFormat) -> None:
    assert_close(color_of(poster_of(make_output(name))), RED)


@pytest.mark.parametrize("name", [name for name in OutputFormat if "transparent" in FORMATS[name].options])
def test_a_transparent_video_has_a_poster_over_black(name: OutputFormat) -> None:
    shown = poster_of(make_output(name, transparent=True))
    assert_close(color_of(shown, across=0.75), RED)
    assert_close(color_of(shown, across=0.25), (0, 0, 0))


def test_a_gif_has_a_poster() -> None:
    red, green, blue = color_of(poster_of(make_output(OutputFormat.GIF)))
    assert red > 150 > max(green, blue)  # the palette of the encoder is coarse


def test_the_video_of_the_simulated_function_has_a_poster() -> None:
    assert_close(color_of(poster_of(OUTPUT)), RED)


def test_only_the_index_and_the_frames_from_the_last_key_frame_on_are_read(large_video: bytes) -> None:
    reads = Reads(large_video)
    assert_close(color_of(poster(last_frame(reads.file()))), RED)
    assert sum(length for _, length in reads.ranges) < len(large_video) / 3
    assert len(set(reads.ranges)) == len(reads.ranges)


@pytest.mark.parametrize(
    ("colorspace", "color_range"),
    [
        (Colorspace.ITU709, ColorRange.MPEG),
        (Colorspace.ITU709, ColorRange.JPEG),
        (Colorspace.ITU601, ColorRange.MPEG),
        (Colorspace.BT2020, ColorRange.MPEG),
        (None, ColorRange.MPEG),
    ],
)
def test_colours_are_those_that_players_show(colorspace: Colorspace | None, color_range: ColorRange) -> None:
    assert_close(color_of(poster_of(make_video(colorspace=colorspace, color_range=color_range))), RED)


def test_a_large_video_without_colour_information_is_shown_as_players_do() -> None:
    assert_close(color_of(poster_of(make_video(size=(1280, 720), frames=2, colorspace=None))), RED)


def test_at_the_time_limit_the_frame_that_was_decoded_last_is_used() -> None:
    assert_close(color_of(poster_of(make_video(frames=60), max_time_s=0)), BLUE)


def test_at_the_limit_of_bytes_a_frame_from_the_last_key_frame_on_is_used() -> None:
    video = make_video(size=(320, 180), frames=60, noise=True)
    reads = Reads(video)
    assert poster(last_frame(reads.file(max_bytes=3 * BLOCK_BYTES))).startswith(b"\xff\xd8")
    assert [length for _, length in reads.ranges] == [BLOCK_BYTES] * 3


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "can't be decoded"),
        (b"x" * 5_000, "can't be decoded"),
        (PLAYLIST, "can't be decoded"),
        (make_audio(), "no video stream"),
        (make_video(faststart=False)[:-400], "can't be decoded"),
    ],
    ids=["empty", "not a video", "a playlist of other files", "audio only", "the index is missing"],
)
def test_a_file_without_frames_has_no_poster(content: bytes, reason: str) -> None:
    with pytest.raises(NoFrameError, match=reason):
        poster_of(content)


def test_a_truncated_video_has_no_poster(large_video: bytes) -> None:
    with pytest.raises(NoFrameError):
        poster_of(large_video[: len(large_video) // 2])


def test_a_damaged_video_gives_a_frame_or_none(large_video: bytes) -> None:
    """Every part of the file is damaged in turn."""
    step = len(large_video) // 40
    for start in range(0, len(large_video), step):
        damaged = bytearray(large_video)
        damaged[start : start + step // 2] = bytes(255 - value for value in damaged[start : start + step // 2])
        try:
            assert poster_of(bytes(damaged)).startswith(b"\xff\xd8")
        except NoFrameError as error:
            assert str(error)  # noqa: PT017


def test_the_process_ends_when_its_parent_has_ended() -> None:
    command = [sys.executable, "-m", CHILD, "10000000"]
    ended = subprocess.run(
        command, cwd=CHECKOUT, stdin=subprocess.DEVNULL, capture_output=True, timeout=120, check=False
    )
    assert b'{"error": "it can' in ended.stdout
