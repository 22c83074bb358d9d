import struct
from pathlib import Path

import av
import numpy as np
import pytest

from services.backends.text.bt709 import to_ycbcr
from services.backends.text.encode import Encoder
from services.backends.text.frames import Painter
from services.backends.text.layout import lay_out
from services.backends.text.styles import Timeline
from services.models import AnimationStyle
from services.renders.colors import parse_color
from tests.services.backends.text.rendering import decode, decode_poster, rgb


def encode(path: Path, *, frames: int, width: int = 64, height: int = 48, fps: int = 30) -> int:
    """Encode frames of increasing luma and constant chroma; return the reported size."""
    with Encoder(path, width=width, height=height, fps=fps) as encoder:
        encoder.picture.cb[:], encoder.picture.cr[:] = 90, 160
        for frame in range(frames):
            encoder.picture.y[:] = 40 + frame % 100
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


def test_timestamps_are_regular(tmp_path: Path) -> None:
    encode(tmp_path / "video.part", frames=31, fps=25)
    with av.open(str(tmp_path / "video.part"), format="mp4") as container:
        times = [frame.time for frame in container.decode(video=0)]
        assert container.streams.video[0].average_rate == 25
    assert times == pytest.approx([number / 25 for number in range(31)])


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
    with Encoder(tmp_path / "video.part", width=640, height=360, fps=30) as encoder:
        painter = Painter(encoder.picture, layout, text=parse_color("#123"), background=parse_color("#f4e9d8"))
        for frame in range(40):
            painter.paint(timeline.pose(style, frame))
            painted.append(encoder.picture.y.astype(np.int16))
            encoder.add_frame()
        encoder.finish()
    errors = [np.abs(shown.y - wanted) for shown, wanted in zip(decode(tmp_path / "video.part"), painted, strict=True)]
    assert max(error.max() for error in errors) < 32
    assert errors[-1].max() < 12
    assert max(error[0].max() for error in errors) <= 1  # the background


@pytest.mark.parametrize(
    "color", ["#000", "#fff", "#f00", "#0f0", "#00f", "#ff0", "#0ff", "#f0f", "#204080", "#e11d48"]
)
def test_a_poster_has_the_requested_colours(tmp_path: Path, color: str) -> None:
    wanted = parse_color(color)
    with Encoder(tmp_path / "video.part", width=64, height=48, fps=30) as encoder:
        for plane, value in zip(
            (encoder.picture.y, encoder.picture.cb, encoder.picture.cr), to_ycbcr(wanted), strict=True
        ):
            plane[:] = round(value)
        encoder.write_poster(tmp_path / "poster.part")
    shown = rgb(decode_poster(tmp_path / "poster.part"))
    assert np.abs(shown - (wanted.red, wanted.green, wanted.blue)).max() <= 3


def test_a_file_that_can_not_be_written_raises_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Encoder(tmp_path / "missing" / "video.part", width=64, height=48, fps=30)
    with (
        Encoder(tmp_path / "video.part", width=64, height=48, fps=30) as encoder,
        pytest.raises(FileNotFoundError),
    ):
        encoder.write_poster(tmp_path / "missing" / "poster.part")
