"""The folder of outputs. `tests/transport/test_downloads.py` has the URLs."""

from datetime import timedelta
from pathlib import Path

import pytest

from services.backends.folder_storage import FolderStorage, open_folder_storage
from services.errors import StartupError
from services.models import Output
from tests.support.fake_clock import FakeClock

OUTPUT = Output(bucket="local", key="a.mp4", size_bytes=5, poster_key="a.jpg")
EXPIRY = timedelta(hours=1)


def open_storage(folder: Path, *, shared: bool = False) -> FolderStorage:
    return open_folder_storage(folder, base_url="http://videos.example", clock=FakeClock(), shared=shared)


def test_processes_that_share_a_folder_sign_the_same_urls(tmp_path: Path) -> None:
    one, other = open_storage(tmp_path, shared=True), open_storage(tmp_path, shared=True)
    assert one.sign(OUTPUT, expires_in=EXPIRY) == other.sign(OUTPUT, expires_in=EXPIRY)
    assert one.sign_poster(OUTPUT, expires_in=EXPIRY) == other.sign_poster(OUTPUT, expires_in=EXPIRY)
    assert one.sign_poster(Output(bucket="local", key="a.png", size_bytes=5), expires_in=EXPIRY) is None


def test_recent_unfinished_files_stay_in_a_shared_folder_only(tmp_path: Path) -> None:
    part = open_storage(tmp_path).files.part("a")
    part.touch()
    open_storage(tmp_path, shared=True)
    assert part.exists()
    open_storage(tmp_path)
    assert not part.exists()


def test_an_unusable_folder_prevents_the_start(tmp_path: Path) -> None:
    (tmp_path / "outputs").touch()
    with pytest.raises(StartupError, match="can't be used for videos"):
        open_storage(tmp_path)
