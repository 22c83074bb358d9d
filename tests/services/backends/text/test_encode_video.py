import struct
from fractions import Fraction
from itertools import islice
from pathlib import Path

import av
import numpy as np
import pytest

from services.backends.text.codecs import codec_of
from services.backends.text.encode_video import Encoder, gif_timestamps
from services.backends.text.frames import Painter
from services.backends.text.layout import lay_out
from services.backends.text.mixture import Colors
from services.backends.text.styles import Timeline
from services.media import Media, OutputFormat, OutputOptions
from services.models import AnimationStyle
from services.renders.colors import parse_color
from tests.services.backends.text.rendering import decode

COLORS = Colors(text=parse_color("#123"), background=parse_color("#f4e9d8"))


def open_encoder(path: Path, *, width: int = 64, height: int = 48, fps: float = 30) -> Encoder:
    """Return an encoder of H.264."""
    return open_encoder_of(OutputOptions(), path, width=width, height=height, fps=fps)


def open_encoder_of(options: OutputOptions, path: Path, *, width: int, height: int, fps: float = 30) -> Encoder:
    """Return the encoder of these options."""
    codec = codec_of(options, width=width, has_alpha=False)
    return Encoder(path, codec=codec, media=Media(frames=1, fps=fps, width=width, height=height), colors=COLORS)


def encode(path: Path, *, frames: int, fps: float = 30) -> int:
    """Encode frames of increasing luma and constant chroma; return the reported size."""
    with open_encoder(path, fps=fps) as encoder:
        luma, cb, cr = (component.pixels for component in encoder.picture.components)
        cb[:], cr[:] = 90, 160
        for frame in range(frames):
            luma[:] = 40 + frame % 100
            encoder.add_frame()
        return encoder.finish()


def boxes(path: Path) -> list[str]:
    """Return the types of the file's top-level boxes (ISO/IEC 14496-12, section 4.2)."""
    data, position, types = path.read_bytes(), 0, []
    while position < len(data):
        size, kind = struct.unpack_from(">I4s", data, position)
        types.append(kind.decode())
        position += size
    return types


@pytest.mark.parametrize("frames", [1, 2, 29, 600])
def test_the_file_has_exactly_the_added_frames(tmp_path: Path, frames: int) -> None:
    encode(tmp_path / "video.part", frames=frames)
    shown = decode(tmp_path / "video.part")
    assert len(shown) == frames
    assert abs(int(np.median(shown[-1].y)) - (40 + (frames - 1) % 100)) <= 2
    assert (int(np.median(shown[0].cb)), int(np.median(shown[0].cr))) == (90, 160)


@pytest.mark.parametrize("fps", [25, 23.976, 59.94, 1, 120])
def test_timestamps_are_regular(tmp_path: Path, fps: float) -> None:
    encode(tmp_path / "video.part", frames=31, fps=fps)
    with av.open(str(tmp_path / "video.part"), format="mp4") as container:
        times = [frame.time for frame in container.decode(video=0)]
        rate = container.streams.video[0].average_rate
    assert times == pytest.approx([number / fps for number in range(31)], rel=1e-5)
    assert rate is not None
    assert float(rate) == pytest.approx(fps, rel=1e-5)


@pytest.mark.parametrize(
    ("rate", "expected"),
    [
        (10, [0, 10, 20, 30, 40]),
        (30, [0, 3, 7, 10, 13]),
        (Fraction(30000, 1001), [0, 3, 7, 10, 13]),
        (50, [0, 2, 4, 6, 8]),
        (60, [0, 2, 4, 6, 8]),
        (120, [0, 2, 4, 6, 8]),
    ],
)
def test_a_gif_never_has_delays_that_browsers_replace_by_long_ones(rate: Fraction, expected: list[int]) -> None:
    assert list(islice(gif_timestamps(Fraction(rate)), 5)) == expected


def test_it_is_h264_high_in_limited_range_bt709(tmp_path: Path) -> None:
    encode(tmp_path / "video.part", frames=3)
    with av.open(str(tmp_path / "video.part"), format="mp4") as container:
        context = container.streams.video[0].codec_context
        assert (context.name, context.profile, context.pix_fmt) == ("h264", "High", "yuv420p")
        assert (context.color_primaries, context.color_trc, context.colorspace, context.color_range) == (1, 1, 1, 1)
        frame = next(container.decode(video=0))
        assert (frame.color_primaries, frame.color_trc, frame.colorspace, frame.color_range) == (1, 1, 1, 1)


def test_the_container_is_tagged_too(tmp_path: Path) -> None:
    encode(tmp_path / "video.part", frames=3)
    colr = (tmp_path / "video.part").read_bytes().partition(b"colrnclx")[2]
    assert colr[:7] == bytes([0, 1, 0, 1, 0, 1, 0])  # primaries, transfer, matrix; the full-range bit is clear


def test_the_index_comes_before_the_frames(tmp_path: Path) -> None:
    encode(tmp_path / "video.part", frames=40)
    types = boxes(tmp_path / "video.part")
    assert types[0] == "ftyp"
    assert types.index("moov") < types.index("mdat")


def test_there_is_a_keyframe_every_two_seconds(tmp_path: Path) -> None:
    encode(tmp_path / "video.part", frames=200)
    with av.open(str(tmp_path / "video.part"), format="mp4") as container:
        keys = [frame.time for frame in container.decode(video=0) if frame.key_frame]
    assert all(after - before <= 2 for before, after in zip(keys, [*keys[1:], 200 / 30], strict=True))


def test_the_size_reported_is_the_files(tmp_path: Path) -> None:
    assert encode(tmp_path / "video.part", frames=5) == (tmp_path / "video.part").stat().st_size


def test_it_replaces_the_file_of_a_dead_attempt(tmp_path: Path) -> None:
    (tmp_path / "video.part").write_bytes(b"x" * 1_000_000)
    encode(tmp_path / "video.part", frames=2)
    assert len(decode(tmp_path / "video.part")) == 2


def test_the_file_contains_no_time_and_no_version_of_the_muxer(tmp_path: Path) -> None:
    encode(tmp_path / "one.part", frames=10)
    encode(tmp_path / "two.part", frames=10)
    data = (tmp_path / "one.part").read_bytes()
    assert data == (tmp_path / "two.part").read_bytes()
    assert b"Lavf" not in data


@pytest.mark.parametrize("style", AnimationStyle)
def test_every_decoded_frame_shows_what_was_painted(tmp_path: Path, style: AnimationStyle) -> None:
    layout = lay_out("Slide up, softly\nwith two lines", family="Inter", size=55, width=640, height=360)
    timeline = Timeline(frames=40, fps=30, height=360, graphemes=layout.grapheme_count)
    painted = []
    with open_encoder(tmp_path / "video.part", width=640, height=360) as encoder:
        painter = Painter(encoder.picture, layout)
        for frame in range(40):
            painter.paint(timeline.pose(style, frame))
            painted.append(encoder.picture.components[0].pixels.astype(np.int16))
            encoder.add_frame()
        encoder.finish()
    errors = [np.abs(shown.y - wanted) for shown, wanted in zip(decode(tmp_path / "video.part"), painted, strict=True)]
    assert max(error.max() for error in errors) < 32
    assert errors[-1].max() < 12
    assert max(error[0].max() for error in errors) <= 1  # the background


def test_a_file_that_can_not_be_written_raises_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        open_encoder(tmp_path / "missing" / "video.part")


def test_a_size_that_the_encoder_rejects_is_no_error_of_the_file(tmp_path: Path) -> None:
    with pytest.raises(av.FFmpegError) as raised:
        open_encoder_of(OutputOptions(format=OutputFormat.H265), tmp_path / "video.part", width=8192, height=16)
    assert not isinstance(raised.value, OSError)
