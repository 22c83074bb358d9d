"""Every format, made of a real project and decoded."""

from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from services.backends.remotion_node.backend import NodeBackend
from services.media import FORMATS, Media, OutputFormat, OutputOptions, ProResProfile
from services.models import Render
from services.ports import AttemptFinished
from tests.services.backends.remotion_node.conftest import CPU_SECOND_USD, Launched
from tests.services.backends.remotion_node.decoding import Decoded, decode
from tests.services.backends.test_backend_contract import until
from tests.support.node_renderer import needs_node

pytestmark = [pytest.mark.slow, needs_node, pytest.mark.asyncio(loop_scope="module")]

RED, BLUE = (0xCC, 0x22, 0x33), (0x11, 0x44, 0xDD)
FRAMES, FPS, WIDTH, HEIGHT = 6, 30, 160, 90
BT709_LIMITED = (1, 1)  # of ITU-T H.273, table 4, and libav's number of the range
CASES: list[tuple[dict[str, Any], str, str]] = [
    ({"format": OutputFormat.H264}, "h264", "yuv420p"),
    ({"format": OutputFormat.H264, "bitrate_kbps": 500, "width": 320, "height": 180, "scale": 0.5}, "h264", "yuv420p"),
    ({"format": OutputFormat.H265, "crf": 20, "fps": 60}, "hevc", "yuv420p"),
    ({"format": OutputFormat.VP8}, "vp8", "yuv420p"),
    ({"format": OutputFormat.VP9}, "vp9", "yuv420p"),
    ({"format": OutputFormat.PRORES, "prores_profile": ProResProfile.HQ}, "prores", "yuv422p10le"),
    ({"format": OutputFormat.PRORES}, "prores", "yuv422p10le"),
]
TRANSPARENT = [
    (OutputFormat.VP8, "yuva420p"),
    (OutputFormat.VP9, "yuva420p"),
    (OutputFormat.PRORES, "yuva444p12le"),
]
STILLS = [
    (OutputFormat.PNG, "rgba"),
    (OutputFormat.JPEG, "yuvj420p"),
    (OutputFormat.WEBP, "yuva420p"),
]
AUDIO = [(OutputFormat.MP3, "mp3float"), (OutputFormat.AAC, "aac"), (OutputFormat.WAV, "pcm_s16le")]


@pytest.fixture(scope="module")
def node(module_node: NodeBackend) -> NodeBackend:
    return module_node


async def make(node: NodeBackend, render: Render) -> tuple[AttemptFinished, Path]:
    await node.start(render)
    end = await until(node, render, AttemptFinished)
    return end, node.storage.work_folder / end.output.key


def right_color(frame: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    height, width = frame.shape[:2]
    color: np.ndarray[Any, Any] = frame[height // 2 - 4 : height // 2 + 4, width * 3 // 4 - 4 : width * 3 // 4 + 4]
    mean: np.ndarray[Any, Any] = color.reshape(-1, 4).mean(axis=0)
    return mean


def is_near(frame: np.ndarray[Any, Any], color: tuple[int, int, int], tolerance: int = 40) -> bool:
    return bool(np.abs(right_color(frame)[:3] - color).max() <= tolerance)


def check_frames(made: Decoded, *, frames: int = FRAMES) -> None:
    assert len(made.frames) == frames
    assert all(is_near(frame, BLUE) for frame in made.frames[:-1])
    assert is_near(made.frames[-1], RED)


@pytest.mark.parametrize(("options", "codec", "pixel_format"), CASES)
async def test_a_video(
    node: NodeBackend, launched: Launched, options: dict[str, Any], codec: str, pixel_format: str
) -> None:
    end, path = await make(node, launched("Colors", output_options=OutputOptions(**options)))
    fps = options.get("fps", FPS)
    frames = FRAMES * fps // FPS  # of the same duration
    assert end.media == Media(frames=frames, fps=fps, width=WIDTH, height=HEIGHT)
    assert end.cost_usd is not None
    assert 0.1 < end.cost_usd / CPU_SECOND_USD < 300  # seconds of CPU time
    made = decode(path)
    assert (made.codec, made.pixel_format, made.size, made.fps) == (codec, pixel_format, (WIDTH, HEIGHT), fps)
    assert made.color_tags == BT709_LIMITED
    check_frames(made, frames=frames)
    assert end.output.poster_key is not None
    poster = decode(node.storage.work_folder / end.output.poster_key)
    assert (poster.size, is_near(poster.frames[0], RED)) == ((WIDTH, HEIGHT), True)


@pytest.mark.parametrize(("name", "pixel_format"), TRANSPARENT)
async def test_a_transparent_video(
    node: NodeBackend, launched: Launched, name: OutputFormat, pixel_format: str
) -> None:
    _, path = await make(node, launched("Colors", output_options=OutputOptions(format=name, transparent=True)))
    made = decode(path, with_alpha=True)
    assert made.pixel_format == pixel_format
    check_frames(made)
    assert made.frames[0][HEIGHT // 2, WIDTH // 4, 3] == 0
    assert made.frames[0][HEIGHT // 2, WIDTH * 3 // 4, 3] == 255


async def test_a_gif(node: NodeBackend, launched: Launched) -> None:
    options = OutputOptions(format=OutputFormat.GIF, every_nth_frame=2, loops=3)
    end, path = await make(node, launched("Colors", output_options=options))
    made = decode(path)
    assert (made.codec, made.size, len(made.frames)) == ("gif", (WIDTH, HEIGHT), FRAMES // 2)
    assert end.media == Media(frames=FRAMES // 2, fps=FPS / 2, width=WIDTH, height=HEIGHT)
    assert end.output.poster_key is not None
    assert b"NETSCAPE2.0\x03\x01\x03\x00" in path.read_bytes()


@pytest.mark.parametrize(("name", "codec"), AUDIO)
async def test_an_audio_file(node: NodeBackend, launched: Launched, name: OutputFormat, codec: str) -> None:
    end, path = await make(node, launched("Assets", output_options=OutputOptions(format=name)))
    made = decode(path)
    assert (made.codec, made.audio_codec) == (None, codec)
    assert made.audio_s == pytest.approx(12 / FPS, abs=0.1)
    assert (end.media, end.output.poster_key) == (Media(frames=12, fps=FPS), None)


@pytest.mark.parametrize(("name", "pixel_format"), STILLS)
async def test_a_still(node: NodeBackend, launched: Launched, name: OutputFormat, pixel_format: str) -> None:
    options = OutputOptions(format=name, frame=-1, scale=2)
    end, path = await make(node, launched("Colors", output_options=options))
    made = decode(path)
    assert (made.pixel_format, made.size) == (pixel_format, (2 * WIDTH, 2 * HEIGHT))
    assert is_near(made.frames[0], RED, tolerance=8)
    assert (end.media, end.output.poster_key) == (Media(frames=1, fps=FPS, width=320, height=180), None)
    assert path.suffix == f".{FORMATS[name].extension}"


async def test_a_pdf(node: NodeBackend, launched: Launched) -> None:
    _, path = await make(node, launched("Card", output_options=OutputOptions(format=OutputFormat.PDF)))
    content = path.read_bytes()
    assert content.startswith(b"%PDF-")
    assert content.rstrip().endswith(b"%%EOF")


async def test_an_image_a_video_and_sound_of_the_project(node: NodeBackend, launched: Launched) -> None:
    _, path = await make(node, launched("Assets", output_options=OutputOptions()))
    made = decode(path)
    assert (made.audio_codec, len(made.frames)) == ("aac", 12)
    left, right = made.frames[0][20, 40, :3], made.frames[0][20, 120, :3]
    assert np.abs(left.astype(int) - RED).max() <= 40
    assert np.abs(right.astype(int) - BLUE).max() <= 40
    assert made.audio_s == pytest.approx(12 / FPS, abs=0.1)


async def test_without_sound(node: NodeBackend, launched: Launched) -> None:
    _, path = await make(node, launched("Assets", output_options=OutputOptions(muted=True)))
    with av.open(str(path)) as container:
        assert not container.streams.audio


async def test_props_and_a_calculated_duration(node: NodeBackend, launched: Launched) -> None:
    props = '{"scenes":[{"text":"a","seconds":0.1},{"text":"b","seconds":0.1}]}'
    options = OutputOptions(scale=0.25)
    end, path = await make(node, launched("Promo", input_props=props, output_options=options))
    assert end.media == Media(frames=6, fps=30, width=320, height=180)
    assert len(decode(path).frames) == 6
