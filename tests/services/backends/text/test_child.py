import json
from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from services.backends.text.job import parse_job
from services.backends.text.render_job import render as render_job
from services.models import AnimationStyle
from tests.services.backends.text.rendering import (
    EXIT_TIMEOUT_S,
    Outcome,
    Planes,
    child,
    decode,
    decode_poster,
    job,
    last_frame,
    render,
    rgb,
    run,
    send,
)

pytestmark = pytest.mark.slow  # each render is a process

BLUE: dict[str, object] = {"background_color": "#204080", "color": "#ffcc00"}
BLUE_Y, BLUE_CB, BLUE_CR = 69, 159, 111  # by ITU-R BT.709-6, items 3.2 to 3.4
YELLOW_Y = 188
MIXED = "Hi مرحبا क्षत्रिय 漢字 😀 and more words"

Video = tuple[Outcome, list[Planes]]


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Callable[[AnimationStyle], Video]:
    """Return a function that gets the video of mixed text in a style; each is rendered once."""
    folder = tmp_path_factory.mktemp("videos")
    rendered: dict[AnimationStyle, Video] = {}

    def get(style: AnimationStyle) -> Video:
        if style not in rendered:
            outcome = render(folder / f"{style}.part", style=style, text=MIXED, duration_in_frames=45, **BLUE)
            rendered[style] = (outcome, decode(outcome.output))
        return rendered[style]

    return get


@pytest.mark.parametrize("style", AnimationStyle)
def test_every_style_starts_empty_and_ends_with_the_text_at_rest(
    video: Callable[[AnimationStyle], Video], style: AnimationStyle
) -> None:
    _, frames = video(style)
    assert len(frames) == 45
    assert not frames[0].differs_from(BLUE_Y).any()
    text = frames[-1].differs_from(BLUE_Y)
    assert abs(int(frames[-1].y[text].max()) - YELLOW_Y) <= 8
    assert np.abs(frames[-1].y.astype(int) - frames[-5].y).max() <= 12


def test_all_styles_come_to_rest_in_the_same_picture(video: Callable[[AnimationStyle], Video]) -> None:
    rest = [video(style)[1][-1].y.astype(int) for style in AnimationStyle]
    assert all(np.abs(other - rest[0]).max() < 24 for other in rest[1:])


@pytest.mark.parametrize("style", AnimationStyle)
def test_the_background_is_exact(video: Callable[[AnimationStyle], Video], style: AnimationStyle) -> None:
    for frame in video(style)[1]:
        for plane, value in ((frame.y, BLUE_Y), (frame.cb, BLUE_CB), (frame.cr, BLUE_CR)):
            edges = np.concatenate((plane[0], plane[-1], plane[:, 0], plane[:, -1]))
            assert np.abs(edges.astype(int) - value).max() <= 2


@pytest.mark.parametrize("style", AnimationStyle)
def test_the_text_rests_in_the_middle_inside_the_margins(
    video: Callable[[AnimationStyle], Video], style: AnimationStyle
) -> None:
    rows, columns = np.nonzero(video(style)[1][-1].differs_from(BLUE_Y))
    height, width = 180, 320
    assert columns.min() >= 0.07 * width
    assert columns.max() <= 0.93 * width
    assert (columns.min() + columns.max()) / 2 == pytest.approx(width / 2, abs=5)
    assert (rows.min() + rows.max()) / 2 == pytest.approx(height / 2, abs=12)


def test_fade_in_brightens_in_place(video: Callable[[AnimationStyle], Video]) -> None:
    _, frames = video(AnimationStyle.FADE_IN)
    brightest = [int(frame.y.max()) for frame in frames]
    assert all(after >= before - 2 for before, after in pairwise(brightest))
    assert BLUE_Y + 30 < brightest[10] < YELLOW_Y - 30


def test_typewriter_shows_whole_graphemes_and_hides_none_again(video: Callable[[AnimationStyle], Video]) -> None:
    _, frames = video(AnimationStyle.TYPEWRITER)
    shown = [frame.differs_from(BLUE_Y, by=80) for frame in frames]
    for before, after, frame in zip(shown, shown[1:], frames[1:], strict=False):
        assert (np.abs(frame.y.astype(int) - BLUE_Y)[before] > 55).all()
        assert after.sum() >= before.sum() * 0.98
    assert 0 < shown[15].sum() < shown[-1].sum()


def test_slide_up_comes_from_below(video: Callable[[AnimationStyle], Video]) -> None:
    _, frames = video(AnimationStyle.SLIDE_UP)
    tops = [int(np.nonzero(frame.differs_from(BLUE_Y))[0].min()) for frame in frames[8:]]
    assert tops[0] > tops[-1] + 5
    assert all(after <= before + 1 for before, after in pairwise(tops))


def test_scale_grows_about_the_middle(video: Callable[[AnimationStyle], Video]) -> None:
    _, frames = video(AnimationStyle.SCALE)
    widths = [np.ptp(np.nonzero(frame.differs_from(BLUE_Y))[1]) for frame in (frames[4], frames[7], frames[-1])]
    assert widths[0] < widths[1] < widths[2]


@pytest.mark.parametrize("style", AnimationStyle)
def test_progress_counts_encoded_frames_up_to_the_last(
    video: Callable[[AnimationStyle], Video], style: AnimationStyle
) -> None:
    outcome, _ = video(style)
    frames = [message["frames"] for message in outcome.of_type("progress")]
    assert frames == sorted(set(map(int, map(str, frames))))
    assert frames[0] == 1
    assert frames[-1] == 45
    assert outcome.messages[-1] == {"type": "done", "size_bytes": outcome.output.stat().st_size}
    assert outcome.status == 0


@pytest.mark.parametrize("frames", [1, 2, 29, 600])
def test_the_video_has_the_requested_number_of_frames(tmp_path: Path, frames: int) -> None:
    outcome = render(tmp_path / "video.part", duration_in_frames=frames, style="scale")
    decoded = decode(outcome.output)
    assert len(decoded) == frames
    assert decoded[-1].differs_from(16).any()
    assert outcome.of_type("progress")[-1]["frames"] == frames


def test_rendering_reports_as_it_goes_and_returns_the_size(tmp_path: Path) -> None:
    wanted = parse_job(json.dumps(job(tmp_path / "video.part", font_family="Papyrus", duration_in_frames=70)).encode())
    messages: list[Mapping[str, object]] = []
    size_bytes = render_job(wanted, messages.append)
    assert size_bytes == wanted.output.stat().st_size
    assert [message["type"] for message in messages[:2]] == ["warning", "progress"]
    assert messages[-1] == {"type": "progress", "frames": 70}


def test_the_same_job_gives_the_same_bytes(tmp_path: Path) -> None:
    one, two = (render(tmp_path / name, text=MIXED, style="scale") for name in ("one.part", "two.part"))
    assert one.output.read_bytes() == two.output.read_bytes()


@pytest.mark.parametrize("style", AnimationStyle)
def test_the_poster_shows_the_last_frame_in_the_videos_colours(
    video: Callable[[AnimationStyle], Video], style: AnimationStyle
) -> None:
    outcome, _ = video(style)
    shown, last = rgb(decode_poster(outcome.poster)), rgb(last_frame(outcome.output))
    assert shown.shape == last.shape == (180, 320, 3)
    luma = np.array([0.2126, 0.7152, 0.0722])
    assert np.abs((shown - last) @ luma).mean() < 2  # the poster's colour is sharper, as it has all samples of chroma
    for color, tolerance in (
        ((0x20, 0x40, 0x80), 3),
        ((0xFF, 0xCC, 0x00), 20),
    ):  # small letters consist mostly of edges
        flat = np.abs(last - color).max(axis=2) <= 4
        assert flat.sum() > 20
        assert np.abs(np.median(shown[flat], axis=0) - color).max() <= tolerance


def test_the_same_job_gives_the_same_poster_without_the_encoders_name(tmp_path: Path) -> None:
    one, two = (render(tmp_path / name, text=MIXED, **BLUE).poster.read_bytes() for name in ("one.part", "two.part"))
    assert one == two
    assert one.startswith(b"\xff\xd8\xff\xe0\x00\x10JFIF\0")  # ITU-T T.871, clause 10.1, which fixes the colour space
    assert b"Lavc" not in one


def test_a_poster_that_can_not_be_written_does_not_affect_the_video(tmp_path: Path) -> None:
    outcome = render(tmp_path / "video.part", poster=str(tmp_path / "missing" / "poster.part"))
    assert outcome.messages[-1] == {"type": "done", "size_bytes": outcome.output.stat().st_size}
    assert len(decode(outcome.output)) == 12


def test_an_incomplete_poster_is_removed(tmp_path: Path) -> None:
    """The poster of coloured letters is larger than a video of one frame, so a limit between the two is possible."""
    whole = render(tmp_path / "whole.part", text=MIXED, duration_in_frames=1, **BLUE)
    video_bytes, poster_bytes = whole.output.stat().st_size, whole.poster.stat().st_size
    assert video_bytes < poster_bytes
    output = tmp_path / "video.part"
    wanted = json.dumps(job(output, text=MIXED, duration_in_frames=1, **BLUE)).encode()
    outcome = run(wanted, output, file_limit=(video_bytes + poster_bytes) // 2)
    assert outcome.messages[-1] == {"type": "done", "size_bytes": video_bytes}
    assert not outcome.poster.exists()


def test_a_long_text_shrinks_into_the_frame(tmp_path: Path) -> None:
    outcome = render(tmp_path / "video.part", text="words " * 80, font_size=64, duration_in_frames=2)
    rows, columns = np.nonzero(decode(outcome.output)[-1].differs_from(16))
    assert rows.min() >= 12
    assert rows.max() <= 168
    assert columns.min() >= 22
    assert columns.max() <= 298


def test_warnings_come_first(tmp_path: Path) -> None:
    outcome = render(tmp_path / "video.part", font_family="Papyrus", text="a\u0378", duration_in_frames=1)
    kinds = [message["type"] for message in outcome.messages]
    assert kinds == ["warning", "warning", "progress", "done"]
    assert "Papyrus" in str(outcome.messages[0]["message"])
    assert "U+0378" in str(outcome.messages[1]["message"])


def final_error(message: str) -> dict[str, object]:
    """Return the message of an error that the render's owner caused."""
    return {"type": "error", "code": "INVALID_ANIMATION", "message": message, "retryable": False}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"width": 321}, "H.264 needs an even width; this one would be 321 pixels."),
        ({"font_size": float("inf")}, "font_size must be a number above 0, at most 10000."),
        ({"color": "currentcolor"}, "currentcolor is not supported. Give the colour itself."),
    ],
)
def test_an_invalid_job_ends_in_an_error_message_and_no_file(
    tmp_path: Path, changes: dict[str, object], sentence: str
) -> None:
    outcome = render(tmp_path / "video.part", **changes)
    assert outcome.messages == [final_error(sentence)]
    assert outcome.status == 1
    assert not outcome.output.exists()


def test_an_invalid_line_ends_in_an_error_message(tmp_path: Path) -> None:
    outcome = run(b"hello", tmp_path / "video.part")
    assert outcome.messages == [final_error("The job is not valid JSON.")]


def test_a_missing_directory_is_reported(tmp_path: Path) -> None:
    outcome = render(tmp_path / "missing" / "video.part")
    assert outcome.messages == [
        {
            "type": "error",
            "code": "RENDER_FAILED",
            "message": "The output could not be stored. Please try again; if it fails again, contact the operator.",
            "retryable": True,
            "detail": "The output could not be written to RENDERCAST_DATA_DIR: the directory does not exist.",
        }
    ]
    assert outcome.status == 1


def test_a_full_disk_has_its_own_code(tmp_path: Path) -> None:
    output = tmp_path / "video.part"
    output.symlink_to("/dev/full")
    error = render(output, duration_in_frames=2).messages[-1]
    assert (error["code"], error["retryable"]) == ("RENDERER_OUT_OF_DISK", True)
    assert "the disk is full" in str(error["detail"])


@pytest.mark.parametrize("limit", [0, 2_000])
def test_a_file_that_can_not_grow_is_reported(tmp_path: Path, limit: int) -> None:
    output = tmp_path / "video.part"
    wanted = job(output, text=MIXED, duration_in_frames=60, style="scale")
    outcome = run(json.dumps(wanted).encode(), output, file_limit=limit)
    assert outcome.messages[-1]["type"] == "error"
    assert "may not grow" in str(outcome.messages[-1]["detail"])
    assert outcome.status == 1


def test_the_child_ends_and_removes_its_files_when_its_parent_closes_stdin(tmp_path: Path) -> None:
    endless = job(tmp_path / "video.part", duration_in_frames=999_999, width=1280, height=720)
    (tmp_path / "video.poster.part").touch()
    with child() as process:
        send(process, json.dumps(endless).encode())
        assert process.stdin is not None
        assert process.stdout is not None
        assert b"progress" in process.stdout.readline()
        process.stdin.close()
        assert process.wait(timeout=EXIT_TIMEOUT_S) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_child_ends_when_its_parent_closes_stdin_during_a_layout(tmp_path: Path) -> None:
    layout = json.dumps(job(tmp_path / "unused", text=MIXED) | {"output": "", "poster": "", "layout_only": True})
    with child() as process:
        assert process.stdin is not None
        assert process.stdout is not None
        send(process, f"{layout}\n".encode() * 100)
        assert b"layout" in process.stdout.readline()
        process.stdin.close()
        assert process.wait(timeout=EXIT_TIMEOUT_S) == 0


def test_a_child_without_a_job_ends_when_its_parent_closes_stdin() -> None:
    with child() as process:
        output, _ = process.communicate(timeout=EXIT_TIMEOUT_S)
    assert (process.returncode, output) == (0, b"")
