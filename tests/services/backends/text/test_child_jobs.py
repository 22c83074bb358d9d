"""Several jobs of one child process."""

import json
from pathlib import Path

import pytest

from tests.services.backends.text.rendering import child, decode, job, poster_of, render, send
from tests.services.backends.text.test_child import BLUE, MIXED, final_error

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


def test_a_child_ends_with_an_error_of_its_second_job_and_keeps_the_first_video(tmp_path: Path) -> None:
    with child() as process:
        assert process.stdout is not None
        send(process, json.dumps(job(tmp_path / "video.part")).encode())
        assert any(b'"done"' in line for line in process.stdout)
        send(process, b"hello")
        assert json.loads(process.stdout.readline()) == final_error("The job is not valid JSON.")
        assert process.wait(timeout=10) == 1
    assert len(decode(tmp_path / "video.part")) == 12
