"""The unfinished files of renders on this machine."""

import os
from pathlib import Path

from services.storage.unfinished_files import MAX_WRITING_S, prepare_work_folder, remove, unfinished


def test_unneeded_files_and_folders_are_removed(tmp_path: Path) -> None:
    (unfinished(tmp_path, "folder") / "inner").mkdir(parents=True)
    unfinished(tmp_path, "file").touch()
    unfinished(tmp_path, "link").symlink_to(tmp_path)
    for name in ("folder", "file", "link", "missing"):
        remove(unfinished(tmp_path, name))
    assert list(tmp_path.iterdir()) == []


def test_recent_unfinished_files_stay_in_a_shared_folder_only(tmp_path: Path) -> None:
    recent, old = unfinished(tmp_path, "recent"), unfinished(tmp_path, "old")
    for part in (recent, old):
        part.touch()
    os.utime(old, (0, recent.stat().st_mtime - MAX_WRITING_S - 1))
    (tmp_path / "video.mp4").touch()
    prepare_work_folder(tmp_path, shared=True)
    assert recent.exists()
    assert not old.exists()
    prepare_work_folder(tmp_path, shared=False)
    assert [path.name for path in tmp_path.iterdir()] == ["video.mp4"]
