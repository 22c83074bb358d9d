import fcntl
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from services.backends.remotion_node import processes
from services.backends.remotion_node.temporary import remove_with_users, temporary_folder


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a folder the one for temporary files."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_a_folder_exists_until_the_end(temporary: Path) -> None:
    with temporary_folder() as folder:
        (folder / "file").touch()
        assert folder.parent == temporary
    assert not list(temporary.iterdir())


def test_a_folder_in_use_is_kept_and_an_abandoned_one_removed(temporary: Path) -> None:
    abandoned = temporary / "rendercast-node-abandoned"
    abandoned.mkdir()
    other = temporary / "other"
    other.mkdir()
    with temporary_folder() as first:
        assert not abandoned.exists()
        with temporary_folder() as second:
            assert first.exists()
            assert second.exists()
    assert list(temporary.iterdir()) == [other]


def test_the_unfinished_outputs_of_an_abandoned_folder_are_removed(temporary: Path) -> None:
    host = temporary / "rendercast-node-abandoned" / "0"
    host.mkdir(parents=True)
    outputs = [temporary / "outputs" / name for name in ("a.part", "b.part", "c.mp4")]
    for each in outputs:
        each.mkdir(parents=True)
    for number, each in enumerate(outputs[:2]):
        (host / f"unfinished-{number}").symlink_to(each)
    (host / "unfinished-2").symlink_to(temporary / "outputs" / "gone.part")
    (host / "unfinished-3").touch()
    with temporary_folder():
        assert not host.exists()
        assert [each.exists() for each in outputs] == [False, False, True]


def test_processes_that_use_an_abandoned_folder_are_killed(temporary: Path) -> None:
    abandoned = temporary / "rendercast-node-abandoned"
    abandoned.mkdir()
    environment = {**os.environ, "TMPDIR": str(abandoned)}
    program = [sys.executable, "-c", "input()"]
    with subprocess.Popen(program, stdin=subprocess.PIPE, env=environment) as left, temporary_folder():
        assert left.wait(60) < 0


def test_a_folder_is_locked_while_it_is_used() -> None:
    with temporary_folder() as folder:
        descriptor = os.open(folder, os.O_RDONLY)
        with pytest.raises(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.close(descriptor)


def test_the_memory_and_the_cpu_time_of_this_process() -> None:
    used = processes.memory_bytes(os.getpid())
    assert used is None or 2**20 < used < processes.total_memory_bytes()
    assert processes.cpu_time_s(os.getpid()) >= 0.0


@pytest.mark.slow
@pytest.mark.skipif(os.getuid() != 0, reason="needs root, to start a process of another user")
def test_processes_of_other_users_that_name_the_folder_are_left_alone(tmp_path: Path) -> None:
    command = ["sh", "-c", "read line", str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, user=65534) as other:
        try:
            remove_with_users(tmp_path)
            assert other.poll() is None
        finally:
            other.kill()


def test_a_folder_whose_name_is_not_valid_unicode_is_removed(tmp_path: Path) -> None:
    folder = tmp_path / "\udcff"
    folder.mkdir()
    remove_with_users(folder)
    assert not folder.exists()
