"""`rendercast render` as a process, with a real server: the files of each kind of output."""

from pathlib import Path

import av
import pytest

from tests.commands.conftest import Run, objects

pytestmark = pytest.mark.slow

TEXT = ["render", "Hello", "--frames", "4"]


def decoded(path: Path) -> tuple[str, int, int, int]:
    """Return codec, width, height and number of frames."""
    with av.open(str(path)) as media:
        stream = media.streams.video[0]
        frames = sum(1 for _ in media.decode(stream))
        return stream.codec_context.name, stream.codec_context.width, stream.codec_context.height, frames


def test_a_composition_is_rendered_as_transparent_video(run: Run, tmp_path: Path) -> None:
    (tmp_path / "props.json").write_text('{"text": "Hi", "durationInFrames": 9}')
    options = ["--composition", "TextAnimation", "--props", "props.json", "--set", "durationInFrames=5"]
    ended = run("render", *options, "--output", "webm", "--transparent", "-o", "promo.webm")
    assert (ended.returncode, ended.stdout) == (0, b""), ended.stderr
    assert b"Saved promo.webm: 5 frames, " in ended.stderr
    with av.open(str(tmp_path / "promo.webm")) as video:
        assert video.streams.video[0].metadata["alpha_mode"] == "1"
    _, width, height, frames = decoded(tmp_path / "promo.webm")
    assert (width, height, frames) == (320, 180, 5)


@pytest.mark.parametrize(
    ("name", "options", "codec"),
    [
        ("a.mp4", [], "h264"),
        ("a.mp4", ["--output", "h265"], "hevc"),
        ("a.mov", ["--prores-profile", "proxy"], "prores"),
        ("a.gif", ["--every-nth-frame", "2"], "gif"),
        ("a.gif", ["--output", "mp4"], "h264"),
    ],
)
def test_the_format_is_that_of_the_option_or_the_extension(
    run: Run, tmp_path: Path, name: str, options: list[str], codec: str
) -> None:
    ended = run(*TEXT, *options, "-o", name)
    assert ended.returncode == 0, ended.stderr
    found, *_, frames = decoded(tmp_path / name)
    assert (found, frames) == (codec, 2 if "--every-nth-frame" in options else 4)


def test_a_still_has_a_size_instead_of_frames(run: Run, tmp_path: Path) -> None:
    ended = run(*TEXT, "--frame", "-1", "--scale", "2", "-o", "still.png")
    assert ended.returncode == 0, ended.stderr
    assert b"Saved still.png: 640x360 pixels, " in ended.stderr
    assert decoded(tmp_path / "still.png")[1:] == (640, 360, 1)


def test_the_long_option_can_still_name_the_file(run: Run, tmp_path: Path) -> None:
    assert run(*TEXT, "--output", "hello.mp4").returncode == 0
    assert decoded(tmp_path / "hello.mp4")[0] == "h264"


def test_a_file_in_a_folder_has_the_extension_of_its_format(run: Run, tmp_path: Path) -> None:
    started = run(*TEXT, "--output", "gif", "--no-wait", "--json")
    (render,) = objects(started.stdout)
    assert (render["output"]["format"], render["output"]["kind"]) == ("GIF", "GIF")
    assert run("watch", render["id"], "-o", ".").returncode == 0
    assert decoded(tmp_path / f"{render['id']}.gif")[0] == "gif"


def test_an_option_that_the_format_does_not_have_is_reported_by_the_server(run: Run) -> None:
    ended = run(*TEXT, "--transparent", "-o", "hello.mp4")
    assert ended.returncode == 1
    assert b"\n/output/video/transparent: H.264 has no option `transparent`. Remove it.\n" in ended.stderr
