"""Several jobs of one child process."""

import itertools
import json
import subprocess
from pathlib import Path

import msgspec
import pytest

from tests.services.backends.text.rendering import EXIT_TIMEOUT_S, child, decode, job, poster_of, render, send
from tests.services.backends.text.test_child import BLUE, MIXED, final_error
from tests.support.fonts import COLOR_EMOJI, THUMBS

pytestmark = pytest.mark.slow  # each child is a process


def test_jobs_of_one_child_give_the_bytes_of_a_new_child(tmp_path: Path) -> None:
    different = job(tmp_path / "different.part", text="漢字", style="scale", width=640, font_family="Roboto", **BLUE)
    same = job(tmp_path / "same.part", text=MIXED)
    with child() as process:
        assert process.stdout is not None
        for each in (different, same):
            send(process, json.dumps(each).encode())
            assert any(b'"done"' in line for line in process.stdout)
    new = render(tmp_path / "new.part", text=MIXED)
    for path, other in ((tmp_path / "same.part", new.output), (poster_of(tmp_path / "same.part"), new.poster)):
        assert path.read_bytes() == other.read_bytes()


def test_each_skin_tone_weight_and_slope_is_another_video(tmp_path: Path) -> None:
    faces = [msgspec.to_builtins(COLOR_EMOJI)]
    small = {"width": 96, "height": 64, "duration_in_frames": 1, "font_size": 16, "font_faces": faces}
    tones: list[dict[str, object]] = [{"text": tone} for tone in THUMBS]
    looks: list[dict[str, object]] = [
        *tones,
        {"text": THUMBS[1], "font_faces": []},
        {"font_weight": 400},
        {"font_weight": 700},
        {"italic": True},
        {"font_family": "monospace", "font_weight": 900},
    ]
    videos, warnings = set(), []
    with child() as process:
        for number, look in enumerate([*looks, looks[1]]):
            output = tmp_path / f"{number}.part"
            send(process, json.dumps(job(output, **small | look)).encode())
            warnings += warnings_of_job(process)
            videos.add(output.read_bytes())
    assert len(videos) == len(looks)
    assert warnings == [
        f"Emoji are drawn in outline, as no font with colour emoji is installed: {THUMBS[1]}.",
        "Roboto Mono has no weight 900; 700 was used instead.",
    ]


def warnings_of_job(process: subprocess.Popen[bytes]) -> list[object]:
    """Return the warnings of the job that a child renders now."""
    assert process.stdout is not None
    messages = map(json.loads, process.stdout)
    until_done = itertools.takewhile(lambda message: message["type"] != "done", messages)
    return [message["message"] for message in until_done if message["type"] == "warning"]


def test_a_child_ends_with_an_error_of_its_second_job_and_keeps_the_first_video(tmp_path: Path) -> None:
    with child() as process:
        assert process.stdout is not None
        send(process, json.dumps(job(tmp_path / "video.part")).encode())
        assert any(b'"done"' in line for line in process.stdout)
        send(process, b"hello")
        assert json.loads(process.stdout.readline()) == final_error("The job is not valid JSON.")
        assert process.wait(timeout=EXIT_TIMEOUT_S) == 1
    assert len(decode(tmp_path / "video.part")) == 12
